"""A release tried in a process of its own, nice and with an end, before it may serve.

Owns the child: a network that crashes its runtime, hangs, or takes all memory takes this process
with it and nothing else. It says on its standard output, a JSON object a line, what it is at and
how it ended; it ends when its parent is gone. What is tried is ``selftest``'s and ``shadow``'s
business.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, Queue
from typing import Final, Protocol

from pydantic import BaseModel, ConfigDict

from edge.errors import (
    EmbedderError,
    MatchingError,
    ReleaseRefusedError,
    UpdateError,
    WalkoutEdgeError,
)
from edge.matching.recogniser import Recogniser
from edge.runtime.base import Embedder
from edge.runtime.opening import open_embedder
from edge.runtime.settings import RuntimeSettings
from edge.updates.selftest import check_release, check_speed
from edge.updates.settings import TrialSettings
from edge.updates.shadow import compare, decide_again, read_verified
from models.bundle import NETWORK_FILES, Bundle, BundleError, open_bundle
from models.delivery import State

_LOOK_AGAIN_S: Final = 0.1

Tell = Callable[[State, str], None]
# Its files' names and checksums.
_Network = tuple[tuple[str, str], ...]


class TrialRequest(BaseModel):
    """What is to be tried against what.

    Attributes:
        category: Category that the release must be of.
        candidate: Folder of its bundle.
        serving: Folders of all bundles that serve, each of another category.
        compare: Whether it must do at least as well as what serves.
        verified: Folder of verified events.
        threads: Of each network.
        runtime: What runs them.
        settings: What it must pass.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    category: str
    candidate: Path
    serving: tuple[Path, ...]
    compare: bool
    verified: Path
    threads: int
    runtime: RuntimeSettings = RuntimeSettings()
    settings: TrialSettings


class Trial(Protocol):
    """Tries releases."""

    def __call__(self, request: TrialRequest, tell: Tell, permit: Callable[[], None]) -> str:
        """Try one.

        Args:
            request: What against what.
            tell: Told of every state when it begins.
            permit: Asked from time to time; raises ``UpdateHeldError`` to break off.

        Returns:
            What was found, in words.

        Raises:
            ReleaseRefusedError: It is no good.
            UpdateError: The trial itself failed; it may go well another time.
        """
        ...


def run_trial(request: TrialRequest, tell: Tell) -> str:
    """Try a release in this process; see ``Trial``."""
    tell("verifying", "checksums of all files")
    bundle = _verified(request)
    tell("building", "opening the network with this device's runtime")
    try:
        embedder = open_embedder(
            bundle,
            request.runtime,
            request.threads,
            tell=lambda phase, percent: tell("building", f"{phase}: {percent:.0f} %"),
        )
    except EmbedderError as err:
        raise ReleaseRefusedError("build", str(err)) from err
    tell("self_testing", "golden crops and speed")
    found = [check_release(bundle, embedder, request.settings)]
    own = _network_files(bundle)
    serving = _serving(request, {own: embedder}) if request.compare else {}
    rival = serving.get(request.category)
    if rival is None or _network_files(rival[0]) != own:
        found.append(check_speed(bundle, embedder, rival, request.settings))
    if rival is not None:
        tell("shadowing", "deciding the last verified events again")
        found.append(_shadowed(request, bundle, embedder, serving))
    return "; ".join(found)


class ChildTrial:
    """Tries releases in child processes."""

    def __call__(self, request: TrialRequest, tell: Tell, permit: Callable[[], None]) -> str:
        """Try a release; see ``Trial``."""
        command = [sys.executable, "-m", "edge.updates.trial", request.model_dump_json()]
        lines: Queue[bytes | None] = Queue()
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            hearing = threading.Thread(target=_hear, args=(child, lines), daemon=True)
            hearing.start()
            try:
                return _ending(request, lines, tell, permit)
            finally:
                child.kill()
                hearing.join()


def _hear(child: subprocess.Popen[bytes], lines: Queue[bytes | None]) -> None:
    for line in child.stdout or ():
        lines.put(line)
    lines.put(None)


def _ending(
    request: TrialRequest,
    lines: Queue[bytes | None],
    tell: Tell,
    permit: Callable[[], None],
) -> str:
    """How the child's trial ends."""
    until_s = time.monotonic() + request.settings.timeout_s
    while time.monotonic() < until_s:
        permit()
        try:
            line = lines.get(timeout=_LOOK_AGAIN_S)
        except Empty:
            continue
        if line is None:
            raise UpdateError(
                "the trial ended without a word: the network crashed its runtime, or there was "
                "not enough memory"
            )
        try:
            said = json.loads(line)
        except ValueError:
            continue  # a library that talks on standard output
        if "state" in said:
            tell(said["state"], said["reason"])
        elif "found" in said:
            return str(said["found"])
        elif "refused" in said:
            raise ReleaseRefusedError(said["kind"], said["refused"])
        else:
            raise UpdateError(str(said["failed"]))
    raise UpdateError(
        f"the trial did not end within {request.settings.timeout_s:g} s; it is begun anew later"
    )


def _verified(request: TrialRequest) -> Bundle:
    try:
        bundle = open_bundle(request.candidate)
    except BundleError as err:
        raise ReleaseRefusedError("verify", str(err)) from err
    if bundle.manifest.category != request.category:
        raise ReleaseRefusedError(
            "verify",
            f"the bundle is of category {bundle.manifest.category}, not {request.category}; "
            "whoever published it mixed them up",
        )
    return bundle


def _serving(
    request: TrialRequest, by_network: dict[_Network, Embedder]
) -> dict[str, tuple[Bundle, Embedder]]:
    """What serves, by category; what cannot be opened is no measure.

    A network that is open already, by its files' checksums, is not opened again: a new product's
    trial takes half the time so.
    """
    opened: dict[str, tuple[Bundle, Embedder]] = {}
    for path in request.serving:
        try:
            bundle = open_bundle(path)
            network = _network_files(bundle)
            if network not in by_network:
                by_network[network] = open_embedder(bundle, request.runtime, request.threads)
        except (BundleError, EmbedderError):
            continue
        opened[bundle.manifest.category] = (bundle, by_network[network])
    return opened


def _network_files(bundle: Bundle) -> _Network:
    files = bundle.manifest.files
    return tuple((name, files[name].sha256) for name in sorted(NETWORK_FILES & files.keys()))


def _shadowed(
    request: TrialRequest,
    bundle: Bundle,
    embedder: Embedder,
    serving: dict[str, tuple[Bundle, Embedder]],
) -> str:
    events = read_verified(request.verified, request.settings.verified_events)
    if not events:
        return "no verified events to compare with"
    after = {**serving, request.category: (bundle, embedder)}
    sold = {sku for each, _ in after.values() for sku in each.skus}
    gone = frozenset(sku for each, _ in serving.values() for sku in each.skus) - sold
    verdicts = []
    try:
        for table in (serving, after):
            recogniser = Recogniser(
                [each for each, _ in table.values()], [network for _, network in table.values()]
            )
            verdicts.append(decide_again(recogniser, request.verified, events, gone))
    except (EmbedderError, MatchingError, BundleError) as err:
        raise ReleaseRefusedError("shadow", str(err)) from err
    return compare(*verdicts)


def _end_with_parent() -> None:
    # Not through ``sys.stdin``: a thread that waits in it makes a clean end a crash.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


def _say(**words: str) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def main() -> None:
    """The child: try what the only argument says."""
    request = TrialRequest.model_validate_json(sys.argv[1])
    os.nice(request.settings.niceness)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        found = run_trial(request, lambda state, reason: _say(state=state, reason=reason))
    except ReleaseRefusedError as err:
        _say(refused=str(err), kind=err.kind)
    except (WalkoutEdgeError, OSError, MemoryError) as err:
        _say(failed=f"{type(err).__name__}: {err}")
    else:
        _say(found=found)


if __name__ == "__main__":
    main()
