"""Kills replays of a recorded shop at random moments and compares the ledgers with an unkilled one.

Every life is a process of its own, ended by SIGKILL after a random time, and the next one goes on
with the ledger that it left. When a life comes to its end, the ledger must be the unkilled one, to
the byte, and the next life begins with nothing::

    python -m tests.edge.kills --times 200 FOLDER
"""

from __future__ import annotations

import multiprocessing
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from edge.checkout.ledger import Ledger
from edge.checkout.shop import Shop, fold
from edge.config_file import load_config
from edge.shop.premises import open_premises
from edge.shop.replay import EVIDENCE_NAME, LEDGER_NAME, replay


@dataclass(frozen=True)
class Kills:
    """What became of the shop.

    Attributes:
        kills: Processes that were killed.
        before_the_first_row: Of those, killed before the ledger had a row.
        amid: Of those, killed with some rows written and some not.
        ends: Times that the shop came to its end, the last one unkilled.
        rows: Of an unkilled ledger.
        events_lost: Events that an ended ledger lacks, over all ends.
        charged_twice: Lines beyond those of the unkilled ledger, over all ends.
        other_receipts: Ended ledgers whose receipts differ.
        other_digests: Ended ledgers that differ at all.
        crops_lost: Crops that evidence names and that are not there, over all ends.
    """

    kills: int
    before_the_first_row: int
    amid: int
    ends: int
    rows: int
    events_lost: int
    charged_twice: int
    other_receipts: int
    other_digests: int
    crops_lost: int


def kill_replays(
    folder: Path,
    scratch: Path,
    times: int,
    seed: int = 7,
    tell: Callable[[str], None] = lambda text: None,
) -> Kills:
    """Kill replays.

    Args:
        folder: A recorded shop.
        scratch: An empty folder.
        times: How often.
        seed: Of the moments.
        tell: Told how it goes.
    """
    chance = random.Random(seed)
    whole = scratch / "unkilled"
    began_s = time.monotonic()
    _live(folder, whole, None)
    whole_life_s = time.monotonic() - began_s
    reference = _Ended(folder, whole)
    tell(f"unkilled: {reference.rows} rows in {whole_life_s:.1f} s")
    counts: Counter[str] = Counter()
    ends: list[_Ended] = []
    state = scratch / "killed-0"
    while counts["kills"] < times:
        began_s = time.monotonic()
        if _live(folder, state, chance.uniform(0.0, whole_life_s)):
            # The machine is quicker than it was: moments are those of a life as it is now.
            whole_life_s = time.monotonic() - began_s
            ends.append(_Ended(folder, state))
            state = scratch / f"killed-{len(ends)}"
            continue
        counts["kills"] += 1
        written = _rows(state / LEDGER_NAME)
        counts["early"] += written == 0
        counts["amid"] += 0 < written < reference.rows
        tell(f"{counts['kills']} of {times} kills, {written} rows, {len(ends)} ends")
    _live(folder, state, None)
    ends.append(_Ended(folder, state))
    return Kills(
        kills=counts["kills"],
        before_the_first_row=counts["early"],
        amid=counts["amid"],
        ends=len(ends),
        rows=reference.rows,
        events_lost=sum(len(reference.events - each.events) for each in ends),
        charged_twice=sum((each.lines - reference.lines).total() for each in ends),
        other_receipts=sum(each.shop.receipts != reference.shop.receipts for each in ends),
        other_digests=sum(each.digest != reference.digest for each in ends),
        crops_lost=sum(each.crops_lost for each in ends),
    )


class _Ended:
    """A ledger at its end."""

    def __init__(self, folder: Path, state: Path) -> None:
        with Ledger(state / LEDGER_NAME, load_config(folder).store.id) as ledger:
            entries = tuple(ledger.entries())
            self.digest = ledger.digest()
        self.rows = len(entries)
        self.shop: Shop = fold(entries)
        self.events = {e.event.event_id for e in entries if e.kind == "interaction_recorded"}
        self.lines = Counter(
            (e.session_id, e.sku, e.quantity) for e in entries if e.kind == "line_charged"
        )
        crops = [
            crop
            for e in entries
            if e.kind == "interaction_recorded"
            for crop in e.event.evidence.crops
        ]
        self.crops_lost = sum(not (state / EVIDENCE_NAME / crop).is_file() for crop in crops)


def _live(folder: Path, state: Path, for_s: float | None) -> bool:
    """One life; killed after so long, or left to its end.

    Returns:
        Whether it came to its end.
    """
    # Forked from a server that has everything imported, so that lives begin at once.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.edge.shop.killing"])
    process = context.Process(target=_play, args=(folder, state))
    process.start()
    process.join(for_s)
    process.kill()
    process.join()
    ended, code = process.exitcode == 0, process.exitcode
    process.close()
    if code not in (0, -9):
        raise RuntimeError(f"the replay ended with code {code}; see what it wrote")
    return ended


def _play(folder: Path, state: Path) -> None:
    replay(open_premises(load_config(folder), folder), state)


def _rows(ledger: Path) -> int:
    if not ledger.is_file():
        return 0
    with closing(sqlite3.connect(ledger)) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM ledger").fetchone()[0])
