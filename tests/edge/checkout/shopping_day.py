"""A scripted day at the checkout, and a process that lives through it and may be killed.

The driver is at-least-once, like everything upstream of the checkout: after a start it gives again
what came shortly before the last step that the ledger knows.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from edge.checkout.basket import Attribution
from edge.checkout.correcting import Verdict
from edge.checkout.delivering import Backoff, Delivery
from edge.checkout.desk import Desk
from edge.checkout.outbox import Outbox
from edge.checkout.till import TillAddress, TillCourier
from tests.edge.checkout.shopping import (
    OPENED_AT_S,
    PRODUCTS,
    check_in,
    event,
    moment,
    open_desk,
    open_ledger,
)

_GIVEN_AGAIN = 6
DONE = -1


@dataclass(frozen=True)
class Step:
    """One thing that happens; taking it twice is taking it once."""

    name: str
    take: Callable[[Desk], object]
    is_taken: Callable[[Desk], bool]


def script(seed: int, shoppers: int) -> list[Step]:
    """A day: shoppers come, take, put back and leave; reviews are settled, pieces refunded."""
    chance = random.Random(seed)
    steps: list[Step] = []
    inside: list[str] = []
    asked: list[str] = []
    coming = [f"s{n}" for n in range(shoppers)]
    while coming or inside:
        at_s = 5.0 + len(steps)
        if coming and (not inside or (len(inside) < 4 and chance.random() < 0.25)):
            name = coming.pop(0)
            inside.append(name)
            steps.append(_coming(name, at_s))
        elif chance.random() < 0.15:
            steps.append(_leaving(inside.pop(chance.randrange(len(inside))), at_s))
        else:
            steps.append(_interaction(chance, inside, f"e{len(steps)}", at_s, asked))
        if asked and chance.random() < 0.3:
            steps.append(_settling(chance, asked.pop(0), 5.0 + len(steps)))
    steps += [_settling(chance, review, 5.0 + len(steps)) for review in asked]
    return steps


def _coming(name: str, at_s: float) -> Step:
    return Step(
        name,
        lambda desk: check_in(desk, name, at_s=at_s),
        lambda desk: name in desk.shop.baskets,
    )


def _leaving(name: str, at_s: float) -> Step:
    return Step(
        f"{name} leaves",
        lambda desk: desk.leave(name, at=moment(at_s)),
        lambda desk: name in desk.shop.receipts,
    )


def _interaction(
    chance: random.Random, inside: list[str], name: str, at_s: float, asked: list[str]
) -> Step:
    who = chance.sample(inside, 2 if len(inside) > 1 and chance.random() < 0.15 else 1)
    seen = event(
        name,
        "put_back" if chance.random() < 0.2 else "take",
        chance.choice(PRODUCTS).sku,
        at_s=at_s,
        quantity=chance.choice([1, 1, 1, 2]),
        outcome="review" if chance.random() < 0.15 else "accept",
    )
    if seen.kind == "take" and (len(who) > 1 or seen.outcome == "review"):
        asked.append(name)
    by = Attribution(tuple(who), "scripted")
    return Step(
        name,
        lambda desk: desk.record(seen, by, wall_time_s=OPENED_AT_S + at_s),
        lambda desk: name in desk.shop.interactions,
    )


def _settling(chance: random.Random, review_id: str, at_s: float) -> Step:
    sku = chance.choice(PRODUCTS).sku if chance.random() < 0.7 else None

    def settle(desk: Desk) -> None:
        review = desk.shop.review(review_id)
        # A put-back may have ended it before the person did.
        if review.settlement is None:
            session = review.sessions[0] if sku else None
            verdict = Verdict("maria", sku, session, 1 if sku else 0)
            desk.settle_review(review_id, verdict, at=moment(at_s))

    # That a review has ended does not say how far the day is: a put-back may have ended it.
    return Step(f"{review_id} settled", settle, lambda desk: False)


def live_through(folder: Path, seed: int, shoppers: int, till_url: str, told: Connection) -> None:
    """Take up the day where the ledger ends, deliver meanwhile, and tell of every step.

    Sends the number of each step that was taken, and ``DONE`` when the outbox is empty.
    """
    steps = script(seed, shoppers)
    stop = threading.Event()
    with open_ledger(folder) as ledger:
        desk, outbox = open_desk(ledger, ["till"]), Outbox(ledger.file)
        delivery = Delivery(
            outbox,
            "till",
            TillCourier(TillAddress(till_url, timeout_s=2.0)),
            monotonic_s=time.monotonic,
            wall_time_s=time.time,
            jitter=random.Random(seed).random,
            backoff=Backoff(first_s=0.005, longest_s=0.02),
        )
        sender = threading.Thread(target=delivery.run, args=(stop,))
        sender.start()
        try:
            taken = [number for number, step in enumerate(steps) if step.is_taken(desk)]
            for number in range(max(0, max(taken, default=0) - _GIVEN_AGAIN), len(steps)):
                steps[number].take(desk)
                told.send(number)
            while outbox.counts("till").waiting:
                time.sleep(0.005)
        finally:
            stop.set()
            sender.join()
    told.send(DONE)
