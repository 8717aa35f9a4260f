"""How right a shop's receipts are: ledger entries and the truth in, figures out. Pure.

Owns what every figure means:

- an interaction is *found* when an event shows it, and *right* when product and pieces agree too;
- pieces on receipts are compared by SKU: what both have is right, what the receipt has beyond is
  *wrongly charged*, what it lacks is *missed*; F1 is over pieces;
- a piece that one group was charged and another one truly carried out is an *association error*;
- a receipt is *exact* when it charges every product as often as it was carried out, with whatever
  is still in review not charged; a shop is right when all of its receipts are;
- the *review share* is open reviews over open reviews and charged lines;
- *after an ideal review* every open review is settled by the truth, as somebody would who looked at
  the pictures and saw what really happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from edge.checkout.basket import Review
from edge.checkout.entries import Entry
from edge.checkout.shop import Shop, fold
from edge.events import InteractionEvent
from edge.score.matchup import Matchup, direction, match_up
from edge.score.truth import Truth

Baskets = Mapping[str, Counter[str]]


@dataclass(frozen=True)
class InteractionCount:
    """How interactions of one kind or behaviour were seen.

    Attributes:
        true: How many there were.
        found: Of those, how many an event shows.
        right: Of those, with the right product and pieces.
        unasked: Of those, without a person having to look.
        events: Events of the kind; ``None`` for a behaviour, which an event does not tell.
        real: Of those, how many show an interaction.
    """

    true: int = 0
    found: int = 0
    right: int = 0
    unasked: int = 0
    events: int | None = None
    real: int = 0

    @property
    def recall(self) -> float | None:
        """Share that was found; ``None`` when there were none."""
        return self.found / self.true if self.true else None

    @property
    def precision(self) -> float | None:
        """Share of events that show something real; ``None`` without events."""
        return self.real / self.events if self.events else None

    def plus(self, other: InteractionCount) -> InteractionCount:
        """Both together."""
        events = (
            None
            if self.events is None and other.events is None
            else ((self.events or 0) + (other.events or 0))
        )
        return InteractionCount(
            self.true + other.true,
            self.found + other.found,
            self.right + other.right,
            self.unasked + other.unasked,
            events,
            self.real + other.real,
        )


@dataclass(frozen=True)
class ReceiptCount:
    """How right receipts are.

    Attributes:
        receipts: Groups that should have one.
        exact: Receipts that charge what was carried out and nothing else.
        shops: Shops.
        right_shops: Shops whose receipts are all exact.
        true_pieces: Pieces that were carried out.
        charged_pieces: Pieces that were charged.
        right_pieces: Pieces that are in both.
        lines: Charged lines, one a product and receipt.
        wrong_lines: Of those, with too many pieces.
        missed_lines: Products that a receipt has too few of.
        association_errors: Pieces charged to one group that another carried out.
    """

    receipts: int = 0
    exact: int = 0
    shops: int = 0
    right_shops: int = 0
    true_pieces: int = 0
    charged_pieces: int = 0
    right_pieces: int = 0
    lines: int = 0
    wrong_lines: int = 0
    missed_lines: int = 0
    association_errors: int = 0

    @property
    def f1(self) -> float | None:
        """Over pieces; ``None`` when nothing was carried out or charged."""
        both = self.true_pieces + self.charged_pieces
        return 2 * self.right_pieces / both if both else None

    @property
    def exact_share(self) -> float | None:
        """Share of exact receipts."""
        return self.exact / self.receipts if self.receipts else None

    @property
    def shop_accuracy(self) -> float | None:
        """Share of shops whose receipts are all exact."""
        return self.right_shops / self.shops if self.shops else None

    @property
    def wrong_share(self) -> float | None:
        """Share of charged lines that charge too much."""
        return self.wrong_lines / self.lines if self.lines else None

    def plus(self, other: ReceiptCount) -> ReceiptCount:
        """Both together."""
        names = self.__dataclass_fields__
        return ReceiptCount(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(frozen=True)
class Score:
    """The figures of one shop, or of several together.

    Attributes:
        kinds: By ``take`` and ``put_back``.
        behaviours: By behaviour of the simulator or of whoever wrote the truth down.
        touches: Touches that were rightly not taken for anything, and how many there were.
        receipts: As they are.
        reviewed: As they are after an ideal review.
        open_reviews: Reviews that wait for a person.
        exit_to_receipt_s: Seconds of shop time, ascending, one a receipt.
    """

    kinds: Mapping[str, InteractionCount] = field(default_factory=dict)
    behaviours: Mapping[str, InteractionCount] = field(default_factory=dict)
    touches: tuple[int, int] = (0, 0)
    receipts: ReceiptCount = ReceiptCount()
    reviewed: ReceiptCount = ReceiptCount()
    open_reviews: int = 0
    exit_to_receipt_s: tuple[float, ...] = ()

    @property
    def review_share(self) -> float | None:
        """Open reviews over open reviews and charged lines."""
        lines = self.open_reviews + self.receipts.lines
        return self.open_reviews / lines if lines else None

    def exit_quantile_s(self, share: float) -> float | None:
        """Time from exit to receipt that this share of receipts does not exceed."""
        times = self.exit_to_receipt_s
        return times[min(len(times) - 1, int(share * len(times)))] if times else None


def score(
    entries: Iterable[Entry], truth: Truth, receipt_at_s: Mapping[str, float] | None = None
) -> Score:
    """The figures of one shop.

    Args:
        entries: Its whole ledger.
        truth: What really happened.
        receipt_at_s: When the first receipt of each session was issued, on the shop's clock.
    """
    shop = fold(entries)
    matchup = match_up(truth.interactions, events_of(shop))
    charged, owed = charged_baskets(shop, truth), truth.receipts()
    left = truth.left_at_s()
    times = (at_s - left[name] for name, at_s in (receipt_at_s or {}).items() if name in left)
    return Score(
        kinds=_by_kind(matchup),
        behaviours=_by_behaviour(matchup),
        touches=_touches(truth, matchup),
        receipts=count_receipts(charged, owed),
        reviewed=count_receipts(after_ideal_review(shop, truth, matchup), owed),
        open_reviews=len(shop.open_reviews()),
        exit_to_receipt_s=tuple(sorted(times)),
    )


def together(scores: Sequence[Score]) -> Score:
    """The figures of several shops as one."""
    return Score(
        kinds=_summed([each.kinds for each in scores]),
        behaviours=_summed([each.behaviours for each in scores]),
        touches=(sum(s.touches[0] for s in scores), sum(s.touches[1] for s in scores)),
        receipts=_plus([each.receipts for each in scores]),
        reviewed=_plus([each.reviewed for each in scores]),
        open_reviews=sum(each.open_reviews for each in scores),
        exit_to_receipt_s=tuple(sorted(t for each in scores for t in each.exit_to_receipt_s)),
    )


def events_of(shop: Shop) -> list[InteractionEvent]:
    """All recorded events."""
    return [recorded.event for recorded in shop.interactions.values()]


def charged_baskets(shop: Shop, truth: Truth) -> dict[str, Counter[str]]:
    """What the latest receipt of every paying group charges; empty where there is none."""
    charged: dict[str, Counter[str]] = {name: Counter() for name in truth.receipts()}
    for session in shop.baskets:
        receipt = shop.latest_receipt(session)
        if receipt is not None and shop.baskets[session].role == "shopper":
            charged[session] = Counter(receipt.quantities())
    return charged


def count_receipts(charged: Baskets, owed: Baskets) -> ReceiptCount:
    """Compare the receipts of one shop with what was carried out.

    Args:
        charged: Pieces by SKU of every session.
        owed: The same as it should be.
    """
    names = sorted(charged.keys() | owed.keys())
    extra = {name: charged.get(name, Counter()) - owed.get(name, Counter()) for name in names}
    lacking = {name: owed.get(name, Counter()) - charged.get(name, Counter()) for name in names}
    right = sum((charged.get(n, Counter()) & owed.get(n, Counter())).total() for n in names)
    exact = sum(not extra[name] and not lacking[name] for name in owed)
    return ReceiptCount(
        receipts=len(owed),
        exact=exact,
        shops=1,
        right_shops=int(not any(extra.values()) and not any(lacking.values())),
        true_pieces=sum(basket.total() for basket in owed.values()),
        charged_pieces=sum((+basket).total() for basket in charged.values()),
        right_pieces=right,
        lines=sum(len(+basket) for basket in charged.values()),
        wrong_lines=sum(len(basket) for basket in extra.values()),
        missed_lines=sum(len(basket) for basket in lacking.values()),
        # A piece too many here and too few there; within one receipt the two exclude each other.
        association_errors=(_sum(extra.values()) & _sum(lacking.values())).total(),
    )


def after_ideal_review(shop: Shop, truth: Truth, matchup: Matchup) -> dict[str, Counter[str]]:
    """What receipts would charge if the truth settled every open review."""
    charged = _held_baskets(shop, truth)
    for review in shop.open_reviews():
        settled = _taken_off(charged, review, shop)
        true = matchup.of_event(review.event.event_id)
        group = truth.group_of(true.shopper) if true is not None else None
        if true is None or true.sku is None or group is None or group not in charged:
            continue
        # What a person sees in the pictures, less what was settled without them.
        pieces = max(0, true.quantity - settled)
        if review.event.kind == "take":
            charged[group][true.sku] += pieces
        else:
            charged[group][true.sku] = max(0, charged[group][true.sku] - pieces)
    return charged


def _taken_off(charged: dict[str, Counter[str]], review: Review, shop: Shop) -> int:
    """Take off what was charged for a take in review; how many pieces stay settled without it."""
    if review.event.kind == "put_back":
        return review.event.quantity - review.quantity
    back = 0
    for line in (each for name in review.sessions for each in shop.baskets[name].lines):
        if line.event.event_id == review.event.event_id and line.session_id in charged:
            charged[line.session_id][line.sku] -= line.pieces
            back += line.quantity - line.pieces
    return back


def _held_baskets(shop: Shop, truth: Truth) -> dict[str, Counter[str]]:
    """What every paying group holds, with what waits for a person whether it was put back."""
    held: dict[str, Counter[str]] = {name: Counter() for name in truth.receipts()}
    for session, basket in shop.baskets.items():
        if basket.role == "shopper" and shop.latest_receipt(session) is not None:
            held[session] = Counter()
            for line in basket.lines:
                held[session][line.sku] += line.pieces
    return held


def _by_kind(matchup: Matchup) -> dict[str, InteractionCount]:
    counts = {}
    for kind in ("take", "put_back"):
        rows = [i for i, each in enumerate(matchup.interactions) if direction(each) == kind]
        columns = [i for i, event in enumerate(matchup.events) if event.kind == kind]
        seen = _plus_counts([_seen(matchup, row) for row in rows])
        counts[kind] = InteractionCount(
            seen.true,
            seen.found,
            seen.right,
            seen.unasked,
            events=len(columns),
            real=sum(matchup.interaction_of[column] is not None for column in columns),
        )
    return counts


def _by_behaviour(matchup: Matchup) -> dict[str, InteractionCount]:
    counts: dict[str, InteractionCount] = {}
    for row, true in enumerate(matchup.interactions):
        before = counts.get(true.behaviour, InteractionCount())
        counts[true.behaviour] = before.plus(_seen(matchup, row))
    return dict(sorted(counts.items()))


def _seen(matchup: Matchup, row: int) -> InteractionCount:
    true = matchup.interactions[row]
    events = [matchup.events[column] for column in matchup.events_of[row]]
    pieces = sum(event.quantity for event in events)
    right = bool(events) and all(e.sku == true.sku for e in events) and pieces == true.quantity
    asked = any(event.outcome == "review" for event in events)
    return InteractionCount(1, int(bool(events)), int(right), int(right and not asked))


def _touches(truth: Truth, matchup: Matchup) -> tuple[int, int]:
    touches = [each for each in truth.interactions if each.kind == "touch"]
    stray = [
        event
        for event, row in zip(matchup.events, matchup.interaction_of, strict=True)
        if row is None
    ]
    quiet = sum(
        not any(
            event.facing == touch.facing
            and event.started_at_s <= touch.ended_at_s
            and touch.started_at_s <= event.ended_at_s
            for event in stray
        )
        for touch in touches
    )
    return quiet, len(touches)


def _sum(baskets: Iterable[Counter[str]]) -> Counter[str]:
    return sum(baskets, start=Counter())


def _plus(counts: Sequence[ReceiptCount]) -> ReceiptCount:
    whole = ReceiptCount()
    for each in counts:
        whole = whole.plus(each)
    return whole


def _plus_counts(counts: Sequence[InteractionCount]) -> InteractionCount:
    whole = InteractionCount()
    for each in counts:
        whole = whole.plus(each)
    return whole


def _summed(parts: Sequence[Mapping[str, InteractionCount]]) -> dict[str, InteractionCount]:
    names = sorted({name for part in parts for name in part})
    return {name: _plus_counts([part[name] for part in parts if name in part]) for name in names}
