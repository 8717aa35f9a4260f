"""The soak itself: days of visits, faults among them, and the account at the end.

Owns when which fault comes, what is measured, and what is right. Right is: every visit that was
checked in has one receipt; what was charged before anybody was asked is true; whoever no fault
concerned was not asked about; after an ideal review every receipt is exactly the truth; till and
cloud have each of them once; the ledger's chain holds.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from edge.checkout.handoff import trip_id
from edge.checkout.ledger import Ledger
from edge.checkout.shop import Shop, fold
from tests.simulators.disks import disks_are_permitted
from tests.soak.device import Told
from tests.soak.faults import FAULTS, Fault
from tests.soak.scene import STORE, Scene
from tests.soak.visits import DAY_S, OPEN_S, STEP_S, Visit, days

_STEPS_AT_MOST = 40
_SETTLES_S = 5.0
_COUNTS_A_DAY = 6
# Evidence, and what is remembered with it, is kept for a day.
_SETTLED_AFTER_DAYS = 2


@dataclass(frozen=True)
class Plan:
    """What a soak is to do.

    Attributes:
        days: Shop days of twelve open hours.
        visits_a_day: Shoppers a day.
        faults: How many.
        calm_from: Share of the days after which the device's process is ended no more, so that
            its memory can be watched.
        seed: Of everything.
        kinds: Faults; all when left out.
    """

    days: int
    visits_a_day: int
    faults: int
    calm_from: float = 0.5
    seed: int = 9
    kinds: tuple[str, ...] = tuple(FAULTS)


@dataclass(frozen=True)
class Count:
    """The process at a moment of a day."""

    day: int
    life: int
    memory_bytes: int
    files: int
    threads: int
    entries: int


@dataclass
class Account:
    """What came of it.

    Attributes:
        open_hours: Simulated hours in which the shop was open.
        wall_s: How long it took.
        visits: Who was checked in.
        receipts: Visits with a receipt.
        lost: Visits or events without one, wherever: ledger, till, cloud.
        doubled: Charged, told or handed over twice.
        wrong: Receipts that charge what is not true, before or after the review.
        asked_for_nothing: Visits that people were asked about though no fault concerned them.
        in_review: Visits that people were asked about.
        recoveries: By kind of fault, how long each took.
        left_out: Kinds that this machine does not permit.
        counts: The process, day by day.
        complaints: What was not right, in words.
    """

    open_hours: float = 0.0
    wall_s: float = 0.0
    visits: int = 0
    receipts: int = 0
    events: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    asked_for_nothing: int = 0
    in_review: int = 0
    lives: int = 0
    recoveries: dict[str, list[float]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    counts: list[Count] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        """How many there were."""
        return sum(len(each) for each in self.recoveries.values())

    @property
    def last_life(self) -> list[Count]:
        """What was counted in the last life, after as long as it takes to begin to forget."""
        own = [each for each in self.counts if each.life == self.counts[-1].life]
        settled = [each for each in own if each.day >= own[0].day + _SETTLED_AFTER_DAYS]
        return settled or own

    @property
    def memory_growth(self) -> float:
        """Share by which memory grew from the first to the last third of the last life's days.

        The median of each third: what a day ends with depends on what was in hand just then.
        """
        own = [each.memory_bytes for each in self.last_life]
        part = max(1, len(own) // 3)
        return median(own[-part:]) / median(own[:part]) - 1

    @property
    def files_growth(self) -> int:
        """File descriptors that were added from the first to the last third of that time."""
        own = [each.files for each in self.last_life]
        part = max(1, len(own) // 3)
        return round(median(own[-part:]) - median(own[:part]))


def soak(folder: Path, plan: Plan, tell: Callable[[str], None] = lambda text: None) -> Account:
    """Play the days.

    Args:
        folder: An empty folder.
        plan: What is to be done.
        tell: Told how it goes.

    Raises:
        DiedError: The device ended by itself, or did not recover.
    """
    began_s = time.monotonic()
    with_disk = disks_are_permitted()
    kinds = [name for name in plan.kinds if with_disk or not FAULTS[name].needs_disk]
    account = Account(left_out=tuple(sorted(set(plan.kinds) - set(kinds))))
    with_updates = bool({"corrupt download", "poison model"} & set(kinds))
    with Scene(folder, with_disk=with_disk, with_updates=with_updates) as scene:
        run = _Run(scene, plan, kinds, account, tell)
        run.play()
        run.end()
        account.wall_s = time.monotonic() - began_s
        account.lives = scene.lives
    return account


class _Run:
    def __init__(
        self,
        scene: Scene,
        plan: Plan,
        kinds: list[str],
        account: Account,
        tell: Callable[[str], None],
    ) -> None:
        self._scene, self._plan, self._account, self._tell = scene, plan, account, tell
        self._chance = random.Random(plan.seed + 1)
        self._due = self._drawn(kinds)

    def _drawn(self, kinds: list[str]) -> dict[int, list[str]]:
        """Which faults come into which visit: each kind as often, those that kill early."""
        plan, chance = self._plan, self._chance
        visits = plan.days * plan.visits_a_day
        calm = int(visits * plan.calm_from)
        due: dict[int, list[str]] = {}
        # Each once before any comes again.
        rounds = [[each for each in kinds if FAULTS[each].often > n] for n in range(3)]
        turns = [each for one in rounds for each in one]
        for number in range(plan.faults):
            kind = turns[number % len(turns)]
            visit = chance.randrange(calm if FAULTS[kind].ends_a_life else visits)
            due.setdefault(visit, []).append(kind)
        return due

    def play(self) -> None:
        scene, plan = self._scene, self._plan
        number = 0
        for day, visits in enumerate(days(plan.days, plan.visits_a_day, scene.places, plan.seed)):
            scene.renew_signatures()
            self._jump_to(day * DAY_S)
            for visit in visits:
                self._visit(visit, self._due.get(number, []))
                number += 1
                if number % max(1, plan.visits_a_day // _COUNTS_A_DAY) == 0:
                    self._count(day)
            while scene.inside:
                scene.advance()
            self._jump_to(day * DAY_S + OPEN_S)
            self._account.open_hours += OPEN_S / 3600
            told = self._count(day)
            self._tell(
                f"day {day + 1} of {plan.days}: {self._account.faults} faults, "
                f"{told.memory_bytes / 2**20:.1f} MiB, {told.files} files, {told.threads} threads, "
                f"{told.entries} remembered, {len(told.open_reviews)} reviews open"
            )

    def _count(self, day: int) -> Told:
        told = self._scene.advance(count=True)
        self._account.counts.append(
            Count(day, self._scene.lives, told.memory_bytes, told.files, told.threads, told.entries)
        )
        return told

    def end(self) -> None:
        """Wait for the last receipts, and see what everybody has."""
        scene = self._scene
        for _ in range(4):
            scene.advance(1000.0)
            for _ in range(8):
                scene.advance()
        scene.until(
            lambda told: (
                not told.open_baskets and not told.open_reviews and not any(told.waiting.values())
            ),
            "the last receipts",
            2.0,
        )
        scene.kill()
        with Ledger(scene.ledger, STORE) as ledger:
            judge(self._account, scene, fold(ledger.entries()))

    def _jump_to(self, moment_s: float) -> None:
        """Nobody is there: the clock goes on at once, a few steps around the jump."""
        scene = self._scene
        while scene.inside and scene.now_s < moment_s:
            scene.advance()
        if scene.now_s < moment_s - 3:
            scene.advance(moment_s - 1.5 - scene.now_s)
            for _ in range(2):
                scene.advance()

    def _visit(self, visit: Visit, faults: list[str]) -> None:
        scene = self._scene
        self._jump_to(visit.comes_s)
        scene.comes(visit)
        for kind in faults:
            for _ in range(self._chance.randrange(_STEPS_AT_MOST)):
                scene.advance()
            self._befall(kind, FAULTS[kind])
        for _ in range(4):
            scene.advance()

    def _befall(self, kind: str, fault: Fault) -> None:
        scene = self._scene
        scene.touching = kind if fault.may_ask else None
        with fault.make(scene, self._chance):
            for _ in range(round(fault.lasts_s / STEP_S)):
                scene.advance()
            ended_s = time.monotonic()
        if not fault.is_over(scene, scene.advance()):
            scene.until(lambda told: fault.is_over(scene, told), f"the end of: {kind}")
        self._account.recoveries.setdefault(kind, []).append(time.monotonic() - ended_s)
        if fault.may_ask:
            for _ in range(round(_SETTLES_S / STEP_S)):
                scene.advance()
        scene.touching = None


def judge(account: Account, scene: Scene, shop: Shop) -> None:
    """Compare what ledger, till and cloud say with the truth."""
    visits = [each for each in scene.visits.values() if each.checked_in]
    account.visits, account.events = len(visits), sum(len(each.given) for each in visits)
    for visit in visits:
        for complaint, what in _of_visit(visit, shop):
            setattr(account, what, getattr(account, what) + 1)
            account.complaints.append(f"{visit.name}: {complaint}")
        account.receipts += visit.name in shop.receipts
        account.in_review += any(each in shop.reviews for each in visit.given)
    charged = Counter(line.event.event_id for b in shop.baskets.values() for line in b.lines)
    for name, times in charged.items():
        if times > 1:
            account.doubled += 1
            account.complaints.append(f"{name} was charged {times} times")
    for what, complaint in (*_of_till(scene, shop), *_of_cloud(scene, shop)):
        setattr(account, what, getattr(account, what) + 1)
        account.complaints.append(complaint)


def _of_visit(visit: Visit, shop: Shop) -> Iterator[tuple[str, str]]:
    versions = shop.receipts.get(visit.name, ())
    if not versions:
        yield "no receipt", "lost"
        return
    for event in sorted(visit.given - shop.interactions.keys()):
        yield f"{event} is not in the ledger", "lost"
    if versions[-1].pending:
        yield "its last receipt still waits for a person", "wrong"
    if versions[-1].quantities() != visit.truth():
        yield f"{versions[-1].quantities()} instead of {visit.truth()}", "wrong"
    takes: Counter[str] = Counter()
    for act in visit.acts:
        if act.kind == "take":
            takes[act.place.sku] += act.quantity
    first = versions[0].quantities()
    if not visit.touched and first != visit.truth():
        yield f"at first {first} instead of {visit.truth()}", "wrong"
    if any(count > takes[sku] for sku, count in first.items()):
        yield f"charged {first}, though only {dict(takes)} was taken", "wrong"
    asked = [each for each in visit.given if each in shop.reviews]
    if asked and not visit.touched:
        why = shop.reviews[asked[0]].reason
        yield f"people were asked about {asked[0]}: {why}", "asked_for_nothing"


def _of_till(scene: Scene, shop: Shop) -> Iterator[tuple[str, str]]:
    trips: dict[str, set[str]] = {}
    for bodies in scene.till.by_request().values():
        if any(body != bodies[0] for body in bodies):
            yield "wrong", f"the till was told two things as one: {bodies[0]}"
        if "idempotentShoppingTripId" in bodies[0]:
            name = bodies[0]["idempotentShoppingTripId"]
            trips.setdefault(name, set()).add(str(bodies[0]["requestId"]))
    for name in shop.receipts:
        told = trips.get(trip_id(STORE, name), set())
        if len(told) != 1:
            yield ("lost" if not told else "doubled"), f"the till has {len(told)} trips of {name}"


def _of_cloud(scene: Scene, shop: Shop) -> Iterator[tuple[str, str]]:
    kept = scene.kept.bodies(f"walkout/{STORE}", "receipt")
    issued = {f"receipt.{r.receipt_id}" for versions in shop.receipts.values() for r in versions}
    for name in sorted(issued - kept.keys()):
        yield "lost", f"the cloud lacks {name}"
    for name in sorted(kept.keys() - issued):
        yield "wrong", f"the cloud has {name}, which nobody issued"


def document(account: Account) -> dict[str, Any]:
    """All figures, for machines."""
    return {
        "open_hours": account.open_hours,
        "faults": account.faults,
        "wall_s": round(account.wall_s, 1),
        "lives": account.lives,
        "visits": account.visits,
        "receipts": account.receipts,
        "events": account.events,
        "lost": account.lost,
        "doubled": account.doubled,
        "wrong": account.wrong,
        "asked_for_nothing": account.asked_for_nothing,
        "in_review": account.in_review,
        "memory_growth": round(account.memory_growth, 4),
        "files_growth": account.files_growth,
        "left_out": account.left_out,
        "recovery_s": {
            name: {
                "times": len(times),
                "median": round(sorted(times)[len(times) // 2], 2),
                "longest": round(max(times), 2),
            }
            for name, times in sorted(account.recoveries.items())
        },
        "days": [vars(each) for each in account.counts],
        "complaints": account.complaints,
    }
