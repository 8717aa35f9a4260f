"""``python -m tests.edge.interaction.score FOLDER...``: events of recorded shops against truth.

Runs a ``ShelfWatch`` over every shelf camera of each shop, all cameras side by side in time as a
device would, and prints precision and recall by behaviour, and every miss with its time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import Fixture, read_calibration
from calibration.planogram import read_planogram
from edge.events import Frame, InteractionEvent
from edge.interaction.shelf import Seen, SharedShelves, ShelfWatch
from edge.matching.recogniser import Recogniser
from edge.runtime.onnxruntime import OnnxRuntimeEmbedder
from models.bundle import open_bundle

_SLACK_S = 1.5


@dataclass(frozen=True)
class Happened:
    """An interaction as it was."""

    at_s: float
    started_at_s: float
    ended_at_s: float
    kind: str
    behaviour: str
    facing: str
    sku: str | None
    quantity: int
    camera: str
    shopper: str
    fixture: str


@dataclass
class Tally:
    """Counts over shops."""

    true: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    accepted_right: Counter[str] = field(default_factory=Counter)
    events: int = 0
    false: int = 0
    reviews: int = 0
    wrong_accepts: int = 0
    late_s: list[float] = field(default_factory=list)
    contact_off_s: list[float] = field(default_factory=list)
    floor_off_m: list[float] = field(default_factory=list)
    floor_off_sds: list[float] = field(default_factory=list)
    active_ms: list[float] = field(default_factory=list)
    idle_ms: list[float] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Score recorded shops."""
    parser = argparse.ArgumentParser(prog="python -m tests.edge.interaction.score")
    parser.add_argument("shops", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--crops", type=Path, help="folder to write the pictures of each event to")
    parser.add_argument("--without-bundle", action="store_true", help="no recogniser")
    asked = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    tally = Tally()
    for shop in asked.shops:
        score_shop(shop, tally, asked.crops, with_bundle=not asked.without_bundle)
    print_tally(tally)
    return 0


def score_shop(shop: Path, tally: Tally, crops: Path | None, *, with_bundle: bool) -> None:
    """Run one shop and add to the tally."""
    print(f"== {shop}")
    document = json.loads((shop / "truth.json").read_text())
    names = Happened.__dataclass_fields__
    truth = [Happened(**{key: each[key] for key in names}) for each in document["interactions"]]
    seen: list[tuple[float, Seen]] = []
    filmed: set[str] = set()
    for at_s, each in run(shop, tally, filmed, with_bundle=with_bundle):
        seen.append((at_s, each))
        if crops is not None:
            folder = crops / shop.name
            folder.mkdir(parents=True, exist_ok=True)
            for crop in each.crops:
                cv2.imwrite(str((folder / crop.name).with_suffix(".png")), crop.image)
    happened = [each for each in truth if each.camera in filmed]
    compare(happened, seen, Where.of(shop, document), tally)


def run(
    shop: Path, tally: Tally, filmed: set[str], *, with_bundle: bool
) -> Iterator[tuple[float, Seen]]:
    """Events of a shop's shelf cameras in the order in which they are settled, with that time."""
    calibration = read_calibration(shop / "calibration.json")
    planogram = read_planogram(shop / "planogram.json")
    shelves = SharedShelves(planogram)
    recogniser = _recogniser(shop) if with_bundle else None
    watches = {
        name: ShelfWatch(name, calibration, planogram, recogniser, shelves=shelves)
        for name, camera in calibration.cameras.items()
        if camera.role == "shelf" and (shop / f"{name}.mp4").is_file()
    }
    captures = {name: cv2.VideoCapture(str(shop / f"{name}.mp4")) for name in watches}
    captures = {name: each for name, each in captures.items() if each.isOpened()}
    filmed.update(captures)
    index = 0
    while captures:
        for name, capture in list(captures.items()):
            decoded, image = capture.read()
            if not decoded:
                del captures[name]
                continue
            at_s = index / capture.get(cv2.CAP_PROP_FPS)
            frame = Frame(name, index, at_s, at_s, np.asarray(image, np.uint8))
            began = time.process_time()
            found = watches[name].watch(frame)
            took_ms = (time.process_time() - began) * 1000
            (tally.active_ms if watches[name].active else tally.idle_ms).append(took_ms)
            for each in found:
                yield at_s, each
        index += 1


def _recogniser(shop: Path) -> Recogniser | None:
    folder = shop / "bundles" / "groceries"
    if not folder.is_dir():
        print(f"   no bundle in {folder}: python -m tests.simulators.shop_bundle {shop}")
        return None
    bundle = open_bundle(folder)
    return Recogniser([bundle], [OnnxRuntimeEmbedder.from_bundle(bundle, threads=1)])


@dataclass(frozen=True)
class Where:
    """Where everybody truly was."""

    paths: dict[str, NDArray[np.float64]]
    fixtures: dict[str, Fixture]

    @classmethod
    def of(cls, shop: Path, document: Mapping[str, Any]) -> Where:
        """Read it."""
        paths = {each["shopper"]: np.array(each["path"]) for each in document["shoppers"]}
        return cls(paths, read_calibration(shop / "calibration.json").fixtures)

    def floor_off_m(self, each: Happened, event: InteractionEvent) -> float:
        """How far along the front the event is from where they stood."""
        path = self.paths[each.shopper]
        stood = [np.interp(each.at_s, path[:, 0], path[:, axis]) for axis in (1, 2)]
        along = np.array(self.fixtures[each.fixture].right[:2])
        return float((np.array(event.floor_m) - stood) @ along)


def compare(
    truth: list[Happened], seen: list[tuple[float, Seen]], where: Where, tally: Tally
) -> None:
    """Match events with what truly happened, each with at most one, and count."""
    open_events = list(seen)
    for each in truth:
        if each.kind == "touch":
            tally.true["touch"] += 1
            continue
        tally.true[each.behaviour] += 1
        match = _match(each, [event for _, event in open_events])
        line = (
            f"{each.behaviour} {each.facing} {each.sku} x{each.quantity} "
            f"{each.started_at_s:.1f}-{each.ended_at_s:.1f}"
        )
        if match is None:
            print(f"   MISSED {line}")
            continue
        at_s = next(at_s for at_s, event in open_events if event is match)
        open_events = [pair for pair in open_events if pair[1] is not match]
        event = match.event
        tally.found[each.behaviour] += 1
        tally.late_s.append(at_s - each.ended_at_s)
        if event.contact_at_s is not None:
            tally.contact_off_s.append(event.contact_at_s - each.at_s)
        tally.floor_off_m.append(where.floor_off_m(each, event))
        if event.floor_sd_m is not None:
            tally.floor_off_sds.append(tally.floor_off_m[-1] / event.floor_sd_m)
        tally.reviews += event.outcome == "review"
        right = (event.sku, event.quantity) == (each.sku, each.quantity)
        tally.right[each.behaviour] += right
        tally.accepted_right[each.behaviour] += right and event.outcome != "review"
        tally.wrong_accepts += not right and event.outcome == "accept"
        if not right or event.outcome == "review":
            print(f"   {'right' if right else 'WRONG'} {line}\n      {_said(event)}")
    tally.events += len(seen)
    for _, extra in open_events:
        tally.false += 1
        tally.reviews += extra.event.outcome == "review"
        tally.wrong_accepts += extra.event.outcome == "accept"
        touched = any(
            each.kind == "touch"
            and each.facing == extra.event.facing
            and _overlaps(each, extra.event)
            for each in truth
        )
        print(f"   FALSE {'(touched) ' if touched else ''}{_said(extra.event)}")


def _said(event: InteractionEvent) -> str:
    recognition = event.evidence.recognition
    recognised = ""
    if recognition is not None:
        decision = recognition.decision
        near = ", ".join(f"{c.sku} {c.distance:.2f}" for c in decision.candidates[:3])
        recognised = f" [{decision.outcome}: {near}]"
    return (
        f"{event.event_id} {event.kind} {event.facing} {event.sku} x{event.quantity} "
        f"{event.outcome} {event.started_at_s:.1f}-{event.ended_at_s:.1f}: "
        f"{event.evidence.reason}{recognised}"
    )


def _overlaps(each: Happened, event: InteractionEvent) -> bool:
    return (
        event.started_at_s - _SLACK_S <= each.ended_at_s
        and each.started_at_s <= event.ended_at_s + _SLACK_S
    )


def _match(each: Happened, events: list[Seen]) -> Seen | None:
    kind = "take" if each.kind == "take" else "put_back"
    fitting = [
        seen
        for seen in events
        if seen.event.kind == kind
        and seen.event.facing == each.facing
        and _overlaps(each, seen.event)
    ]
    return min(fitting, key=lambda seen: abs(seen.event.ended_at_s - each.ended_at_s), default=None)


def print_tally(tally: Tally) -> None:
    """Print what came of all shops."""
    print(f"\n{'behaviour':16} {'true':>5} {'found':>6} {'right':>6} {'unasked':>8}")
    totals: dict[str, int] = defaultdict(int)
    for name in sorted(tally.true):
        if name == "touch":
            continue
        row = tally.true[name], tally.found[name], tally.right[name], tally.accepted_right[name]
        for key, value in zip(("true", "found", "right", "unasked"), row, strict=True):
            totals[key] += value
        print(f"{name:16} {row[0]:5} {row[1]:6} {row[2]:6} {row[3]:8}")
    true, found = max(1, totals["true"]), totals["found"]
    print(f"{'all':16} {true:5} {found:6} {totals['right']:6} {totals['unasked']:8}")
    print(
        f"recall {found / true:.3f}  precision {found / max(1, tally.events):.3f}  "
        f"right {totals['right'] / true:.3f}  false {tally.false}  "
        f"wrong accepts {tally.wrong_accepts}  reviews {tally.reviews} of {tally.events}"
    )
    late = sorted(tally.late_s)
    if late:
        print(
            f"settled after the hand had gone: p50 {late[len(late) // 2]:.1f} s, "
            f"p95 {late[int(len(late) * 0.95)]:.1f} s"
        )
    for name, values in (
        ("contact off by, s", tally.contact_off_s),
        ("floor point off along the front by, m", tally.floor_off_m),
        ("the same in its standard deviations", tally.floor_off_sds),
    ):
        off = sorted(abs(each) for each in values)
        if off:
            print(
                f"{name}: {len(off)} of {found} known, median {off[len(off) // 2]:.2f}, "
                f"p90 {off[int(len(off) * 0.9)]:.2f}, most {off[-1]:.2f}"
            )
    for name, spent in (("idle", tally.idle_ms), ("active", tally.active_ms)):
        if spent:
            print(f"{name}: {len(spent)} frames, mean {sum(spent) / len(spent):.2f} ms of CPU")


if __name__ == "__main__":
    sys.exit(main())
