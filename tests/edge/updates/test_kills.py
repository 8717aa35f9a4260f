"""Real processes, killed: always one complete old or new bundle, and the update ends well."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from edge.updates.installation import JOURNAL_NAME
from edge.updates.journal import Journal
from models.delivery import State
from tests.edge.updates.devices import Device
from tests.edge.updates.dying import Death, live_slowly
from tests.edge.updates.kills import calls_of, forkserver, kill_at, prepared

STATES: tuple[State, ...] = (
    "fetching",
    "verifying",
    "building",
    "self_testing",
    "shadowing",
    "watching",
)
SAMPLED = 6
PATIENCE_S = 60.0


def test_killed_around_calls_that_change_the_disk_it_serves_old_or_new(tmp_path: Path) -> None:
    with prepared(tmp_path) as life:
        calls = calls_of(life)
        assert calls > 40
        releases: list[int] = []
        for sample in range(SAMPLED - 1):
            number = 1 + sample * (calls - 10) // (SAMPLED - 1)
            moment = ("before", "after")[sample % 2]
            release = kill_at(life, Death(number, moment))  # type: ignore[arg-type]
            assert release is not None
            releases.append(release)
        # The number of calls differs by a few from run to run: the last one that comes.
        last = (kill_at(life, Death(number, "after")) for number in range(calls, 0, -1))
        releases.append(next(release for release in last if release is not None))
    assert set(releases) == {1, 2}
    assert releases == sorted(releases)


def test_killed_in_one_state_after_the_other_it_goes_on(tmp_path: Path) -> None:
    with prepared(tmp_path) as life:
        for state in STATES:
            process = forkserver().Process(target=live_slowly, args=(life,))
            process.start()
            journal = Journal(life.folder / "updates" / JOURNAL_NAME)
            until_s = time.monotonic() + PATIENCE_S
            while (now := journal.progress("soda")).state != state or now.target != 2:
                assert time.monotonic() < until_s, f"never came to {state}: {now}"
                assert process.is_alive() or process.exitcode is None, f"ended before {state}"
                time.sleep(0.002)
            journal.close()
            process.kill()
            process.join()
            assert process.exitcode == -signal.SIGKILL
        with Device(life.folder, life.repository, life.root) as shelf:
            assert (shelf.release, shelf.deciding) == (2, "2")
            shelf.update_to(2)
            assert shelf.outcomes()[-1] == (2, "serving", None)
            assert shelf.status.quarantined == ()
