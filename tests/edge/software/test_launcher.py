"""What is started, and when it is taken back: the launcher as a process, as a service runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import UpdateError
from edge.software import launcher
from edge.software.slots import Slots
from edge.updates.pointer import Served
from tests.edge.software.slots_drawn import fill, start


@pytest.fixture
def slots(tmp_path: Path) -> Slots:
    return Slots(tmp_path / "software")


def test_without_a_release_what_the_device_came_with_is_started(slots: Slots) -> None:
    assert start(slots.folder) == "shipped"
    assert slots.served() == Served()


def test_it_needs_nothing_of_walkout_and_no_package(slots: Slots) -> None:
    source = Path(launcher.__file__).read_text("utf-8")
    imported = {
        line.split()[1].partition(".")[0]
        for line in source.splitlines()
        if line.startswith(("import ", "from "))
    }
    assert imported <= {*sys.stdlib_module_names, "__future__"}


def test_a_release_on_trial_is_started_so_often_and_then_taken_back(slots: Slots) -> None:
    fill(slots, 1)
    slots.swap(1, starts_at_most=2)
    assert [start(slots.folder) for _ in range(4)] == ["release-1", "release-1"] + ["shipped"] * 2
    assert slots.served() == Served()
    assert "started 2 times" in str(slots.failure(1))
    assert slots.on_trial() is None


def test_one_that_has_proved_itself_is_started_for_good(slots: Slots) -> None:
    fill(slots, 1)
    slots.swap(1, starts_at_most=1)
    assert start(slots.folder) == "release-1"
    slots.confirm(1)
    assert {start(slots.folder) for _ in range(3)} == {"release-1"}


def test_what_is_taken_back_gives_way_to_the_release_before(slots: Slots) -> None:
    fill(slots, 1)
    slots.swap(1, starts_at_most=1)
    slots.confirm(1)
    fill(slots, 2)
    slots.swap(2, starts_at_most=1)
    assert slots.served() == Served(release=2, previous=1)
    assert [start(slots.folder) for _ in range(3)] == ["release-2", "release-1", "release-1"]
    assert slots.served().release == 1


def test_a_slot_that_is_not_whole_is_never_started(slots: Slots) -> None:
    fill(slots, 1)
    slots.swap(1, starts_at_most=3)
    slots.confirm(1)
    fill(slots, 2)
    slots.swap(2, starts_at_most=3)
    (slots.path(2) / launcher.SLOT_NAME).unlink()
    assert start(slots.folder) == "release-1"
    assert "not there as a whole" in str(slots.failure(2))


def test_what_runs_is_not_installed_anew(slots: Slots) -> None:
    fill(slots, 1)
    slots.swap(1, starts_at_most=3)
    with pytest.raises(UpdateError, match="is running"):
        slots.clear(1)


def test_where_nothing_can_be_written_nothing_that_is_on_trial_is_risked(
    slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(slots, 1)
    slots.swap(1, starts_at_most=3)
    slots.confirm(1)
    fill(slots, 2)
    slots.swap(2, starts_at_most=3)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(launcher, "write_json", full)
    with pytest.raises(OSError, match="No space"):
        launcher.choose(slots.folder, "shipped")
    assert launcher.choose_anyhow(slots.folder, "shipped")[1] == 1


def test_old_slots_go_and_what_it_would_go_back_to_stays(slots: Slots) -> None:
    for release in (1, 2, 3):
        fill(slots, release)
        slots.swap(release, starts_at_most=3)
        slots.confirm(release)
    fill(slots, 4)
    slots.tidy((4,))
    assert sorted(path.name for path in (slots.folder / "slots").iterdir()) == ["2", "3", "4"]


def test_what_is_started_learns_that_it_was(slots: Slots, tmp_path: Path) -> None:
    shipped = tmp_path / "says"
    shipped.write_text(f"#!/bin/sh\necho ${launcher.LAUNCHED_VARIABLE}\n")
    shipped.chmod(0o755)
    command = [sys.executable, launcher.__file__, "--software", str(slots.folder)]
    done = subprocess.run(
        [*command, "--shipped", str(shipped), "--", "run"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(slots.folder.resolve())


_CALLS = ("replace", "unlink", "symlink", "fsync", "rename")
_DYING = """
import json, os, signal, sys
from pathlib import Path
count, at, moment = 0, int(sys.argv[2]), sys.argv[3]
def wrap(function):
    def call(*a, **k):
        global count
        count += 1
        mine = count
        if (mine, "before") == (at, moment): os.kill(os.getpid(), signal.SIGKILL)
        try:
            return function(*a, **k)
        finally:
            if (mine, "after") == (at, moment): os.kill(os.getpid(), signal.SIGKILL)
    return call
from edge.software import launcher
from edge.software.slots import Slots
for name in %r:
    setattr(os, name, wrap(getattr(os, name)))
slots = Slots(Path(sys.argv[1]))
if sys.argv[4] == "swap":
    slots.swap(2, 3)
else:
    slots.take_back(2, "it was no good")
print(count)
"""


def _die(folder: Path, call: int, moment: str, what: str) -> int | None:
    done = subprocess.run(
        [sys.executable, "-c", _DYING % (_CALLS,), str(folder), str(call), moment, what],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])},
    )
    return int(done.stdout) if done.returncode == 0 else None


@pytest.mark.parametrize("what", ["swap", "take_back"])
def test_killed_around_any_call_it_starts_the_old_release_or_the_new(
    what: str, tmp_path: Path
) -> None:
    def prepared(name: str) -> Slots:
        slots = Slots(tmp_path / name / "software")
        fill(slots, 1)
        slots.swap(1, 3)
        slots.confirm(1)
        fill(slots, 2)
        if what == "take_back":
            slots.swap(2, 3)
        return slots

    calls = _die(prepared("counted").folder, 0, "before", what)
    assert calls is not None
    assert calls >= 6
    started = []
    for call in range(1, calls + 1):
        slots = prepared(f"killed-{call}")
        assert _die(slots.folder, call, ("before", "after")[call % 2], what) is None
        started.append(start(slots.folder))
        # Once more, to its end: nothing that was left behind is in the way.
        assert _die(slots.folder, 0, "before", what) is not None
        assert slots.served().release == (2 if what == "swap" else 1)
        trial = (
            json.loads((slots.folder / "trial.json").read_bytes() or b"{}")
            if what == "swap"
            else {}
        )
        assert trial.get("release", 2) == 2
    assert set(started) <= {"release-1", "release-2"}
    assert started == sorted(started, reverse=what == "take_back")
