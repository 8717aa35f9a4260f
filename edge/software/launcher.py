"""Starts the device's software, and takes back software that does not start.

This file runs before any release of Walkout and outlives them all: it is copied once onto the
device, imports nothing but Python's standard library, and knows nothing of Walkout but a folder::

    slots/7/                a release: a virtual environment with bin/walkout-edge in it
    slots/7/slot.json       there once the release was installed as a whole
    current -> slots/7      what is started; without it, what the device came with
    trial.json              the release that has not proved itself, and how often it was started
    failed/7.json           why a release was taken back

Every start of a release that is on trial is counted. It proves itself by taking ``trial.json`` away
once it has run for a while; one that was started too often is taken back, and what it replaced is
started instead. So a release that crashes or hangs ends by itself, whatever it does::

    python3 launcher.py --software DIR --shipped /opt/walkout/bin/walkout-edge -- run store.yaml
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TRIAL_NAME = "trial.json"
CURRENT_NAME = "current"
SLOT_NAME = "slot.json"
PROGRAM = "walkout-edge"
# Says to what is started that it was, and with which folder.
LAUNCHED_VARIABLE = "WALKOUT_LAUNCHED_FROM"
_STARTS_AT_MOST = 3


def current_release(folder: Path) -> int | None:
    """Number of the release that is started; ``None`` for what the device came with."""
    try:
        name = (folder / CURRENT_NAME).readlink().name
    except OSError:
        return None
    return int(name) if name.isdigit() else None


def read_json(path: Path) -> dict[str, Any]:
    """What a file says; empty where there is none or it cannot be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace a file as a whole; on the disk when this returns."""
    draft = path.with_name(f".{path.name}.new")
    with draft.open("wb") as out:
        out.write(json.dumps(content, sort_keys=True).encode())
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)
    flush(path.parent)


def flush(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def point(folder: Path, release: int | None) -> None:
    """Let another release be started from now on, ``None`` being what the device came with."""
    current = folder / CURRENT_NAME
    if release is None:
        current.unlink(missing_ok=True)
    else:
        draft = folder / f".{CURRENT_NAME}.new"
        draft.unlink(missing_ok=True)
        draft.symlink_to(Path("slots") / str(release))
        draft.replace(current)
    flush(folder)


def program_of(folder: Path, release: int | None, shipped: str) -> str | None:
    """The program of a release; ``None`` where it is not there as a whole."""
    if release is None:
        return shipped
    slot = folder / "slots" / str(release)
    program = slot / "bin" / PROGRAM
    return str(program) if (slot / SLOT_NAME).exists() and program.exists() else None


def take_back(folder: Path, release: int, previous: int | None, starts: int, reason: str) -> None:
    """Let what a release replaced be started again, and say why."""
    (folder / "failed").mkdir(exist_ok=True)
    # First why, then what is started, then the end of the trial: whoever is killed in between is
    # followed by somebody who does the rest.
    write_json(
        folder / "failed" / f"{release}.json",
        {"release": release, "previous": previous, "starts": starts, "reason": reason},
    )
    point(folder, previous)
    (folder / TRIAL_NAME).unlink(missing_ok=True)
    flush(folder)
    say(f"release {release} is taken back: {reason}")


def choose(folder: Path, shipped: str) -> tuple[str, int | None]:
    """What to start, and the release that it is of; counts a start on trial.

    Raises:
        OSError: It cannot be counted.
    """
    release = current_release(folder)
    if release is None:
        return shipped, None
    trial = read_json(folder / TRIAL_NAME)
    on_trial = trial.get("release") == release
    previous = trial.get("previous") if on_trial else _previous(folder, release)
    starts = int(trial.get("starts", 0)) if on_trial else 0
    program = program_of(folder, release, shipped)
    if program is None:
        take_back(folder, release, previous, starts, "it is not there as a whole")
        return choose(folder, shipped)
    if on_trial:
        if starts >= int(trial.get("starts_at_most", _STARTS_AT_MOST)):
            reason = f"it was started {starts} times and has not kept running"
            take_back(folder, release, previous, starts, reason)
            return choose(folder, shipped)
        write_json(folder / TRIAL_NAME, {**trial, "starts": starts + 1})
    return program, release


def choose_anyhow(folder: Path, shipped: str) -> tuple[str, int | None]:
    """What to start where nothing can be written: nothing that is on trial is risked then."""
    release = current_release(folder)
    trial = read_json(folder / TRIAL_NAME)
    if release is not None and trial.get("release") == release:
        release = trial.get("previous")
    program = program_of(folder, release, shipped)
    return (shipped, None) if program is None else (program, release)


def say(words: str) -> None:
    """One line for the log."""
    sys.stderr.write(f"launcher: {words}\n")
    sys.stderr.flush()


def main(arguments: Sequence[str]) -> None:
    """Become the program."""
    parser = argparse.ArgumentParser(description="Start the device's software.")
    parser.add_argument("--software", type=Path, required=True, help="folder of the releases")
    parser.add_argument("--shipped", required=True, help="walkout-edge as the device came with it")
    parser.add_argument("command", nargs="+", help="after --: what walkout-edge is to do")
    asked = parser.parse_args(arguments)
    folder: Path = asked.software
    try:
        folder.mkdir(parents=True, exist_ok=True)
        program, release = choose(folder, asked.shipped)
    except OSError as err:
        program, release = choose_anyhow(folder, asked.shipped)
        say(f"starts cannot be counted: {err}")
    say("starting what the device came with" if release is None else f"starting release {release}")
    os.environ[LAUNCHED_VARIABLE] = str(folder.resolve())
    os.execv(program, [program, *asked.command])


def _previous(folder: Path, release: int) -> int | None:
    """What a release replaced that has proved itself and is broken all the same."""
    with contextlib.suppress(OSError):
        name = (folder / "previous").readlink().name
        if name.isdigit() and int(name) != release:
            return int(name)
    return None


if __name__ == "__main__":
    main(sys.argv[1:])
