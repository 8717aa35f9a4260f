"""Scored shops as a JSON document, as tables on a terminal, and as a report in one HTML file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.console import Console
from rich.table import Table

from edge.checkout.receipt import Receipt
from edge.checkout.shop import fold
from edge.score.matchup import match_up
from edge.score.mistakes import Mistake, find_mistakes
from edge.score.scoreboard import InteractionCount, ReceiptCount, Score, events_of, score, together
from edge.score.truth import Truth
from edge.shop.replay import Replayed, RunCost

SCHEMA_VERSION: Final = 1


@dataclass(frozen=True)
class ScoredShop:
    """A shop that was played, and how right it was.

    Attributes:
        name: Of its folder.
        digest: Of its ledger.
        receipts: The latest of every session.
        cost: What it took.
        score: Its figures; ``None`` where the truth is not known.
        mistakes: Its wrong lines.
    """

    name: str
    digest: str
    receipts: tuple[Receipt, ...]
    cost: RunCost
    score: Score | None
    mistakes: tuple[Mistake, ...]


def scored(name: str, replayed: Replayed, truth: Truth | None) -> ScoredShop:
    """Hold what came of a shop against the truth."""
    shop = fold(replayed.entries)
    latest = (shop.latest_receipt(session) for session in shop.baskets)
    receipts = tuple(receipt for receipt in latest if receipt is not None)
    figures: Score | None = None
    mistakes: tuple[Mistake, ...] = ()
    if truth is not None:
        at_s = {each.session_id: each.receipt_at_s for each in replayed.departures}
        figures = score(replayed.entries, truth, at_s)
        matchup = match_up(truth.interactions, events_of(shop))
        mistakes = find_mistakes(shop, truth, matchup)
    return ScoredShop(name, replayed.digest, receipts, replayed.cost, figures, mistakes)


def document(shops: Sequence[ScoredShop]) -> dict[str, Any]:
    """All figures as JSON values; shares are ``null`` where there is nothing to share."""
    whole = together([shop.score for shop in shops if shop.score is not None])
    return {
        "schema_version": SCHEMA_VERSION,
        "all": _score_document(whole),
        "shops": [
            {
                "name": shop.name,
                "ledger": shop.digest,
                "score": None if shop.score is None else _score_document(shop.score),
                "cost": _cost_document(shop.cost),
                "receipts": [receipt.model_dump(mode="json") for receipt in shop.receipts],
                "mistakes": [asdict(mistake) for mistake in shop.mistakes],
            }
            for shop in shops
        ],
    }


def print_scoreboard(shops: Sequence[ScoredShop], console: Console) -> None:
    """The figures as tables, without the wrong lines' pictures."""
    figures = [shop.score for shop in shops if shop.score is not None]
    if figures:
        whole = together(figures)
        console.print(_receipts_table(whole))
        console.print(_interactions_table(whole))
    console.print(_cost_table(shops))
    for shop in shops:
        for mistake in shop.mistakes:
            console.print(
                f"{shop.name} {mistake.session_id}: {mistake.sku} charged {mistake.charged}, "
                f"carried out {mistake.carried_out}: "
                + "; ".join(cause.reason for cause in mistake.causes),
                markup=False,
                highlight=False,
            )


def report_page(
    shops: Sequence[ScoredShop], picture_address: Callable[[str, str], str | None]
) -> str:
    """The report as one HTML file.

    Args:
        shops: The shops.
        picture_address: Address of a crop by the shop's name and its own; ``None`` where there is
            none (any more).
    """
    whole = together([shop.score for shop in shops if shop.score is not None])
    return (
        _environment()
        .get_template("report.html")
        .render(
            shops=shops,
            whole=whole,
            figures=_figures(whole),
            share=_share,
            picture_address=picture_address,
        )
    )


def _score_document(figures: Score) -> dict[str, Any]:
    return {
        "interactions": {k: _interactions_document(v) for k, v in figures.kinds.items()},
        "behaviours": {k: _interactions_document(v) for k, v in figures.behaviours.items()},
        "touches": {"left_alone": figures.touches[0], "true": figures.touches[1]},
        "receipts": _receipts_document(figures.receipts),
        "after_ideal_review": _receipts_document(figures.reviewed),
        "open_reviews": figures.open_reviews,
        "review_share": figures.review_share,
        "exit_to_receipt_s": {
            "p50": figures.exit_quantile_s(0.5),
            "p95": figures.exit_quantile_s(0.95),
        },
    }


def _interactions_document(count: InteractionCount) -> dict[str, Any]:
    return asdict(count) | {"precision": count.precision, "recall": count.recall}


def _receipts_document(count: ReceiptCount) -> dict[str, Any]:
    return asdict(count) | {
        "f1": count.f1,
        "exact_share": count.exact_share,
        "shop_accuracy": count.shop_accuracy,
        "wrong_share": count.wrong_share,
    }


def _cost_document(cost: RunCost) -> dict[str, Any]:
    return {
        "shop_s": cost.shop_s,
        "wall_s": cost.wall_s,
        "real_time_factor": cost.real_time_factor,
        "stages_cpu_s": cost.stages_s,
        "peak_memory_bytes": cost.peak_memory_bytes,
        "cameras": [
            {
                "camera": each.camera,
                "camera_fps": _per_second(each.frames, each.seconds),
                "process_fps": _per_second(each.frames - each.skipped, each.seconds),
                "skipped_fps": _per_second(each.skipped, each.seconds),
            }
            for each in cost.cameras
        ],
    }


def _per_second(frames: int, seconds: float) -> float:
    return round(frames / seconds, 2) if seconds > 0 else 0.0


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _figures(whole: Score) -> list[tuple[str, str, str]]:
    """Rows of the first table: what, as it is, after an ideal review."""
    now, then = whole.receipts, whole.reviewed

    def both(name: str, read: Callable[[ReceiptCount], str]) -> tuple[str, str, str]:
        return name, read(now), read(then)

    return [
        both("item F1", lambda c: _share(c.f1)),
        both("exact receipts", lambda c: f"{c.exact} of {c.receipts} ({_share(c.exact_share)})"),
        both("right shops", lambda c: f"{c.right_shops} of {c.shops} ({_share(c.shop_accuracy)})"),
        both(
            "wrongly charged lines",
            lambda c: f"{c.wrong_lines} of {c.lines} ({_share(c.wrong_share)})",
        ),
        both("missed lines", lambda c: str(c.missed_lines)),
        both("charged to the wrong shopper", lambda c: f"{c.association_errors} pieces"),
        ("lines in review", f"{whole.open_reviews} ({_share(whole.review_share)})", "-"),
        (
            "exit to receipt p50, p95",
            f"{_seconds(whole.exit_quantile_s(0.5))}, {_seconds(whole.exit_quantile_s(0.95))}",
            "-",
        ),
    ]


def _receipts_table(whole: Score) -> Table:
    table = Table(title="Receipts against truth")
    for heading in ("", "as they are", "after an ideal review"):
        table.add_column(heading)
    for row in _figures(whole):
        table.add_row(*row)
    return table


def _interactions_table(whole: Score) -> Table:
    table = Table(title="Interactions")
    table.add_column("")
    for heading in ("true", "recall", "precision", "right", "without asking"):
        table.add_column(heading, justify="right")
    behaviours = {f"  {name}": count for name, count in whole.behaviours.items()}
    for name, count in [*whole.kinds.items(), *behaviours.items()]:
        table.add_row(
            name,
            str(count.true),
            _share(count.recall),
            _share(count.precision),
            str(count.right),
            str(count.unasked),
        )
    quiet, touches = whole.touches
    if touches:
        table.add_row("  touch left alone", str(touches), "", "", str(quiet), "")
    return table


def _cost_table(shops: Sequence[ScoredShop]) -> Table:
    table = Table(title="Cost")
    table.add_column("shop")
    for heading in ("length", "real-time factor", "CPU s by stage", "fps looked at / skipped"):
        table.add_column(heading)
    table.add_column("peak memory", justify="right")
    for shop in shops:
        cost = shop.cost
        cameras = (
            f"{each['camera']} {each['process_fps']} / {each['skipped_fps']}"
            for each in _cost_document(cost)["cameras"]
        )
        table.add_row(
            shop.name,
            f"{cost.shop_s:.1f} s",
            f"{cost.real_time_factor:.2f}",
            ", ".join(f"{name} {spent:.1f}" for name, spent in cost.stages_s.items()),
            "\n".join(cameras),
            f"{cost.peak_memory_bytes / 1e6:.0f} MB",
        )
    return table


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("edge.score"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
