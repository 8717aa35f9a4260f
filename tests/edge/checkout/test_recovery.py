from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from edge.checkout.ledger import Ledger
from edge.checkout.receipt import Receipt
from tests.edge.checkout.processes import forkserver
from tests.edge.checkout.shopping import STORE, open_desk
from tests.edge.checkout.shopping_day import DONE, live_through, script
from tests.edge.checkout.tills import DROP, open_till

# A longer soak: CHECKOUT_KILLS=200 pytest tests/edge/checkout/test_recovery.py
KILLS = int(os.environ.get("CHECKOUT_KILLS", "40"))
SHOPPERS = max(12, KILLS // 4)
SEED = 7


def told_within(told: Connection, timeout_s: float) -> int:
    if not told.poll(timeout_s):
        pytest.fail(f"the process said nothing for {timeout_s:g} s")
    number = told.recv()
    assert isinstance(number, int)
    return number


def life(folder: Path, url: str, steps: int | None, chance: random.Random) -> bool:
    """One process; killed after so many steps and a moment, or left to its end.

    Returns:
        Whether it came to the end of the day.
    """
    context = forkserver()
    hear, tell = context.Pipe(duplex=False)
    process = context.Process(target=live_through, args=(folder, SEED, SHOPPERS, url, tell))
    process.start()
    tell.close()
    try:
        done, taken = False, 0
        while not done and (steps is None or taken < steps):
            done = told_within(hear, 30.0) == DONE
            taken += 1
        if not done:
            time.sleep(chance.uniform(0, 0.008 if steps else 0.06))
            assert process.pid is not None
            with contextlib.suppress(ProcessLookupError):  # it came to its end before the kill
                os.kill(process.pid, signal.SIGKILL)
        process.join(30.0)
        assert process.exitcode in ((0,) if done else (0, -signal.SIGKILL))
        return process.exitcode == 0
    finally:
        if process.is_alive():
            process.kill()
            process.join()
        process.close()
        hear.close()


def outcome(folder: Path) -> tuple[str, dict[str, tuple[Receipt, ...]]]:
    with Ledger(folder / "ledger.sqlite", STORE) as ledger:
        return ledger.digest(), dict(open_desk(ledger).shop.receipts)


def test_killed_at_any_moment_nothing_is_lost_charged_twice_or_told_otherwise(
    tmp_path: Path,
) -> None:
    chance = random.Random(SEED)
    with open_till() as till:
        assert life(tmp_path / "unkilled", till.url, None, chance)
        expected_bodies = {name: bodies[0] for name, bodies in till.by_request().items()}
    expected_digest, expected_receipts = outcome(tmp_path / "unkilled")
    assert len(expected_receipts) == SHOPPERS
    assert any(len(versions) > 1 for versions in expected_receipts.values())

    flaky = random.Random(SEED)

    def answer(path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        fate = flaky.random()
        if fate < 0.2:
            return DROP, b""  # it has it, but its word does not arrive
        if fate < 0.3:
            return 503, b""
        return 201, b'{"purchaseId": "p"}'

    steps = len(script(SEED, SHOPPERS))
    with open_till() as till:
        till.answer = answer
        killed = 0
        for number in range(KILLS):
            # Every eighth is killed while it opens the ledger. The rest get on by some steps more
            # than are given to it again, yet hardly so far that the day ends before the last kill.
            few = 0 if number % 8 == 0 else chance.randint(1, 7 + 2 * steps // KILLS)
            killed += not life(tmp_path / "killed", till.url, few, chance)
        assert killed >= KILLS // 2
        life(tmp_path / "killed", till.url, None, chance)
        heard = till.by_request()

    assert outcome(tmp_path / "killed") == (expected_digest, expected_receipts)
    # Told more than once, perhaps, but of the same purchases in the same words.
    assert {name: bodies[0] for name, bodies in heard.items()} == expected_bodies
    assert all(body == bodies[0] for bodies in heard.values() for body in bodies)
