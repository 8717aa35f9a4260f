"""How many pieces shelves count of takes from rendered shops, of as many as one likes.

``python -m tests.benchmarks.takes --seeds 240-259 [--out FOLDER] [--json FILE]`` films only the
moments (``tests.simulators.shop.moments``): seconds a take instead of minutes a shop. Of facings
with several pieces one behind the other: all takes that empty a column, and all takes of several.
Films stay in ``--out``, and what has been filmed there is not filmed again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.progress import track

from edge.events import InteractionEvent
from tests.simulators.shop.acts import Interaction
from tests.simulators.shop.moments import film, held_before, watched
from tests.simulators.shop.recording import Plan, Staged, stage

_CLOSE_S = 1.5


@dataclass(frozen=True)
class Told:
    """What a shelf told of one take.

    Attributes:
        seed: Of the shop.
        at_s: When.
        facing: Where.
        taken: Pieces, truly.
        told: Pieces; 0: nothing was told while it was filmed.
        asked: Whether a person is asked.
        why: In words.
    """

    seed: int
    at_s: float
    facing: str
    taken: int
    told: int
    asked: bool
    why: str

    @property
    def outcome(self) -> str:
        """``right``, ``wrong``, ``asked`` or ``untold``."""
        if not self.told:
            return "untold"
        if self.asked:
            return "asked"
        return "right" if self.told == self.taken else "wrong"


def takes(staged: Staged) -> Iterator[Interaction]:
    """The takes of a shop that are counted here."""
    for take in staged.story.interactions:
        facing = staged.shop.planogram.facings[take.facing]
        if take.kind != "take" or facing.capacity == (facing.columns or 1):
            continue
        held = held_before(staged, take)
        if held is not None and (take.quantity == held or take.quantity > 1):
            yield take


def told(staged: Staged, take: Interaction, folder: Path) -> Told:
    """Film a take unless that has been done, and let the shelf tell what it was."""
    path = folder / f"{staged.plan.seed}-{staged.plan.shoppers}-{take.at_s:07.2f}.mp4"
    if not path.exists():
        fresh = path.with_suffix(".new.mp4")
        film(staged, take, fresh)
        fresh.replace(path)
    events = [each for each in watched(staged, take, path) if _is_of(each, take)]
    seen = events[0] if events else None
    return Told(
        staged.plan.seed,
        round(take.at_s, 2),
        take.facing,
        take.quantity,
        seen.quantity if seen else 0,
        seen is not None and seen.outcome != "accept",
        seen.evidence.reason if seen else "",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Film, count and print; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.takes", description=__doc__)
    parser.add_argument("--seeds", required=True, help="such as 240-259 or 7,9")
    parser.add_argument("--shoppers", type=int, default=6)
    parser.add_argument("--out", type=Path, help="folder for the films (default: none are kept)")
    parser.add_argument("--json", type=Path, help="file for every take")
    asked = parser.parse_args(arguments)
    with TemporaryDirectory() as passing:
        folder = asked.out or Path(passing)
        folder.mkdir(parents=True, exist_ok=True)
        found: list[Told] = []
        for seed in track(_seeds(asked.seeds), "filming", disable=not sys.stderr.isatty()):
            staged = stage(Plan(seed=seed, shoppers=asked.shoppers))
            found += [told(staged, take, folder) for take in takes(staged)]
    if asked.json is not None:
        asked.json.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n")
    for each in found:
        if each.outcome in ("wrong", "asked"):
            print(f"{each.seed} {each.at_s:7.2f} s {each.facing}: {each.taken} taken, "
                  f"{each.told} told, {each.outcome}: {each.why}")  # fmt: skip
    for pieces in sorted({each.taken for each in found}):
        counts = Counter(each.outcome for each in found if each.taken == pieces)
        shares = ", ".join(
            f"{counts[each]} {each}" for each in ("right", "asked", "wrong", "untold")
        )
        print(f"takes of {pieces}: {shares}")
    return 0


def _is_of(event: InteractionEvent, take: Interaction) -> bool:
    at_s = event.contact_at_s if event.contact_at_s is not None else take.at_s
    close = abs(at_s - take.at_s) < _CLOSE_S
    return event.kind == "take" and event.facing == take.facing and close


def _seeds(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


if __name__ == "__main__":
    sys.exit(main())
