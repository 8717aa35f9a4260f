"""What ``acceptance`` finds in the shop afterwards: its frames, and who decided what."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.checkout.ledger import Ledger
from edge.checkout.shop import fold
from edge.score.scoreboard import events_of
from edge.shop.replay import LEDGER_NAME

# An event is decided when nothing moves any more, a little after it.
_DECIDED_WITHIN_S: Final = 8.0


@dataclass(frozen=True)
class Span:
    """What became of the frames of all cameras within some time.

    Attributes:
        grabbed: Frames that came.
        lost: Of those, never looked at.
    """

    grabbed: int
    lost: int

    def __str__(self) -> str:
        return f"{self.lost} of {self.grabbed} frames lost"


@dataclass(frozen=True)
class Frames:
    """A run's frames.

    Attributes:
        second_zero_s: Wall time of the recording's beginning.
        samples: Wall time, frames grabbed and frames lost so far, of all cameras together.
    """

    second_zero_s: float
    samples: tuple[tuple[float, int, int], ...]

    def between(self, begin_s: float, end_s: float) -> Span:
        """What became of frames between two seconds of the recording."""
        first, last = (self._at(at_s + self.second_zero_s) for at_s in (begin_s, end_s))
        return Span(last[1] - first[1], last[2] - first[2])

    def _at(self, wall_time_s: float) -> tuple[float, int, int]:
        before = [each for each in self.samples if each[0] <= wall_time_s]
        return before[-1] if before else self.samples[0]


def frames_of(counts: Path) -> Frames:
    """Read what ``counted_run`` has written."""
    samples = []
    for line in counts.read_text("utf-8").splitlines():
        said = json.loads(line)
        cameras = said["cameras"].values()
        grabbed, lost = (sum(each[name] for each in cameras) for name in ("grabbed", "lost"))
        samples.append((float(said["at_s"]), grabbed, lost))
    zero_s = float((counts.parent / "second_zero").read_text())
    return Frames(zero_s, tuple(samples))


@dataclass(frozen=True)
class Decided:
    """Something that was taken or put back, and what its crops were decided by.

    Attributes:
        what: The event and its product.
        receipt: The latest receipt with a line that rests on it; ``None`` for none.
        at_s: Second of the recording.
        version: Version of the bundle that its line names, or the event where there is no line;
            ``None`` where the shelf alone told what it was.
        served: Versions that served when it was decided.
    """

    what: str
    receipt: str | None
    at_s: float
    version: str | None
    served: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        """Whether the version named is one that served then."""
        return self.version is None or self.version in self.served


def decided(
    state: Path, store_id: str, second_zero_s: float, versions: list[tuple[str, float]]
) -> list[Decided]:
    """Everything that happened at the shelves, in order.

    Args:
        state: Folder of the ledger.
        store_id: Id of the shop.
        second_zero_s: Wall time of the recording's beginning.
        versions: Versions and when each began to serve, wall time, in order.
    """
    with Ledger(state / LEDGER_NAME, store_id) as ledger:
        shop = fold(ledger.entries())
    named: dict[str, tuple[str, str | None]] = {}
    for session in shop.baskets:
        receipt = shop.latest_receipt(session)
        for line in receipt.lines if receipt else ():
            for proof in line.proofs:
                version = proof.numbers.bundle_version if proof.numbers else None
                named[proof.event_id] = (receipt.receipt_id if receipt else "", version)
    ends = [at_s for _, at_s in versions[1:]] + [float("inf")]
    found = []
    for event in sorted(events_of(shop), key=lambda event: event.ended_at_s):
        recognition = event.evidence.recognition
        own = recognition.bundle_version if recognition else None
        receipt_id, version = named.get(event.event_id, (None, own))
        wall_s = event.ended_at_s + second_zero_s
        served = tuple(
            each
            for (each, begin_s), end_s in zip(versions, ends, strict=True)
            if begin_s <= wall_s + _DECIDED_WITHIN_S and end_s >= wall_s
        )
        what = f"{event.kind} of {event.sku}, {event.outcome}"
        found.append(Decided(what, receipt_id, event.ended_at_s, version, served))
    return found
