"""Writes an evaluation as one HTML file that needs nothing else: no network, no fonts, no scripts.

Owns what the report shows and in which order; the look is ``templates/evaluation.html``, charts are
``charts``'. Everything that comes from a catalogue (names, paths, notes) is hostile input and is
escaped by the template engine.
"""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from cloud_trainer.charts import Cut, Dot, Series, curve, histogram, interval_bar, scatter
from cloud_trainer.embedding_map import embedding_map
from cloud_trainer.evaluation import Confusion, Evaluation, Figures, Query, Share, figures
from cloud_trainer.thresholds import NEVER_ACCEPT, NEVER_REJECT
from models.photos import PhotoError, read_photo

_THUMBNAIL_PX = 176
_CONFUSIONS_SHOWN = 12
_PHOTOS_SHOWN = 3
_MAPPED_QUERIES = 900
_LABELLED_PRODUCTS = 40
_GOLDEN_ANGLE_DEG = 137.508  # spreads hues so that neighbours in the list differ


@dataclass(frozen=True)
class _Card:
    """One headline figure."""

    name: str
    meaning: str
    value: str
    counts: str
    interval: str
    bar: Markup


@dataclass(frozen=True)
class _Picture:
    """A photo inside the page."""

    source: str
    caption: str
    title: str


@dataclass(frozen=True)
class _Pair:
    """A confusion with photos of both sides."""

    name: str
    sku: str
    taken_for_name: str
    taken_for: str
    count: int
    queries: tuple[_Picture, ...]
    references: tuple[_Picture, ...]


@dataclass(frozen=True)
class _ProductRow:
    """A line of the product table."""

    name: str
    sku: str
    category: str
    enrolled: bool
    figures: Figures
    bar: Markup
    confused_with: str


def write_report(evaluation: Evaluation, path: Path) -> None:
    """Write the report, replacing a file that is there.

    Args:
        evaluation: What was measured.
        path: The HTML file.

    Raises:
        OSError: It cannot be written there; an older report is then left as it was.
    """
    content = render_report(evaluation).encode("utf-8")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def render_report(evaluation: Evaluation) -> str:
    """The report as HTML."""
    environment = Environment(
        loader=PackageLoader("cloud_trainer"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = _percent
    environment.filters["interval"] = _interval
    origins = [
        ("Trained products", figures(q for q in evaluation.known if q.origin == "trained")),
        (
            "Enrolled without training",
            figures(q for q in evaluation.known if q.origin == "enrolled"),
        ),
        ("All known products", figures(evaluation.known)),
    ]
    if evaluation.pool > 1:
        origins.append(("All, windows sliding by one photo", evaluation.sliding))
    return environment.get_template("evaluation.html").render(
        evaluation=evaluation,
        manifest=evaluation.bundle.manifest,
        thresholds=evaluation.bundle.manifest.thresholds,
        applied=evaluation.bundle.manifest.thresholds.for_pool(evaluation.pool),
        never_accept=NEVER_ACCEPT,
        never_reject=NEVER_REJECT,
        cards=_cards(evaluation),
        groups=[(name, of) for name, of in origins if of.queries],
        categories=evaluation.per_category,
        charts=_charts(evaluation),
        pairs=_pairs(evaluation),
        confusions=len(evaluation.confusions),
        products=_products(evaluation),
        map=_map(evaluation),
    )


def _percent(share: Share) -> str:
    return "–" if share.value is None else f"{share.value:.1%}"


def _interval(share: Share) -> str:
    if share.interval is None:
        return ""
    low, high = share.interval
    return f"{100 * low:.1f} – {100 * high:.1f} %"


def _bar(share: Share) -> Markup:
    if share.value is None or share.interval is None:
        return Markup("")
    return interval_bar(share.value, *share.interval)


def _cards(evaluation: Evaluation) -> list[_Card]:
    of = figures(evaluation.known)
    shares = [
        ("Nearest centroid", "the nearest product is the right one", of.centroid_accuracy),
        ("Among the five nearest", "the right product is one of them", of.top5_accuracy),
        ("Settled rightly", "right among all settled without a person", of.decision_accuracy),
        ("Accepted at once", "known products within TL", of.accepted),
        ("Wrong among those", "error among accepted at once", of.accepted_error),
        ("Left to a person", "neither accepted nor rejected", of.review),
        ("False rejects", "known products beyond TH", evaluation.false_reject_rate),
        ("False accepts", "unknown products accepted", evaluation.false_accept_rate),
    ]
    return [
        _Card(
            name,
            meaning,
            _percent(share),
            f"{share.count} of {share.of}" if share.of else "not measured",
            _interval(share),
            _bar(share),
        )
        for name, meaning, share in shares
    ]


def _charts(evaluation: Evaluation) -> dict[str, Markup]:
    queries = evaluation.queries
    pair = evaluation.bundle.manifest.thresholds.for_pool(evaluation.pool)
    gated = _series(queries, [query.decision.gated for query in queries])
    plain = _series(queries, [query.decision.distance for query in queries])
    tl = [] if pair.tl == NEVER_ACCEPT else [Cut("TL", pair.tl)]
    if pair.tl_full > pair.tl:
        tl.append(Cut("TL full check", pair.tl_full))
    th = [] if pair.th == NEVER_REJECT else [Cut("TH", pair.th)]
    return {
        "gated": histogram(gated, tl, "gated distance", "Distribution of gated distances"),
        "plain": histogram(plain, th, "distance to the nearest centroid", "Distances"),
        "risk": _risk_coverage(evaluation),
        "roc": _roc(evaluation),
    }


def _series(queries: Sequence[Query], values: Sequence[float]) -> list[Series]:
    kinds = np.array(
        ["unknown" if q.origin == "unknown" else "right" if q.correct else "wrong" for q in queries]
    )
    numbers = np.array(values, np.float64)
    return [Series(kind, numbers[kinds == kind]) for kind in ("unknown", "right", "wrong")]


def _risk_coverage(evaluation: Evaluation) -> Markup:
    """Error among the accepted against how many are, were TL moved from strict to loose."""
    known = sorted(evaluation.known, key=lambda query: query.decision.gated)
    if not known:
        return Markup("")
    wrong = np.cumsum([not query.correct for query in known])
    counts = np.arange(1, len(known) + 1)
    of, budget = figures(known), evaluation.bundle.manifest.thresholds.budget
    share, error = of.accepted.value, of.accepted_error.value
    risk = wrong / counts
    # The first few queries swing between 0 and 100 %; they say nothing and would set the scale.
    start = min(max(len(known) // 50, 1), len(known)) - 1
    return curve(
        counts[start:] / len(known),
        risk[start:],
        title="Error among accepted queries against coverage",
        x_label="coverage: share of known queries accepted",
        y_label="wrong among them",
        y_high=max(1.2 * float(risk[start:].max()), 3 * budget.accepted_error),
        level=Cut(f"budget {budget.accepted_error:.1%}", budget.accepted_error),
        mark=(share, error, "TL") if share and error is not None else None,
    )


def _roc(evaluation: Evaluation) -> Markup:
    """Known queries kept against unknown ones let through, as TH moves."""
    known = np.sort([query.decision.distance for query in evaluation.known])
    unknown = np.sort([query.decision.distance for query in evaluation.unknown])
    if not len(known) or not len(unknown):
        return Markup("")
    cuts = np.concatenate([[-1.0], np.unique(np.concatenate([known, unknown]))])
    through = np.searchsorted(unknown, cuts, side="right") / len(unknown)
    kept = np.searchsorted(known, cuts, side="right") / len(known)
    th = evaluation.bundle.manifest.thresholds.for_pool(evaluation.pool).th
    at_th = (float((unknown < th).mean()), float((known < th).mean()))
    return curve(
        through,
        kept,
        title="Known products kept against unknown products let through",
        x_label="unknown queries nearer than the cut",
        y_label="known queries nearer than the cut",
        diagonal=True,
        mark=None if th == NEVER_REJECT else (*at_th, "TH"),
    )


def _map(evaluation: Evaluation) -> Markup:
    queries = evaluation.queries
    rows = np.unique(
        np.linspace(0, len(queries) - 1, min(len(queries), _MAPPED_QUERIES)).astype(int)
    )
    shown = [queries[row] for row in rows]
    places = embedding_map(np.stack([query.embedding for query in shown]))
    names = _names(evaluation)
    order = {sku: index for index, sku in enumerate(evaluation.bundle.skus)}
    dots = [
        Dot(
            float(x),
            float(y),
            None if query.origin == "unknown" else order[query.sku] * _GOLDEN_ANGLE_DEG % 360,
            query.origin != "unknown" and not query.correct,
            _dot_title(query, names),
        )
        for query, (x, y) in zip(shown, places, strict=True)
    ]
    return scatter(dots, _labels(evaluation, shown, places), "Map of the embeddings")


def _labels(
    evaluation: Evaluation, shown: Sequence[Query], places: NDArray[np.float64]
) -> list[tuple[float, float, str]]:
    """A name at the dot in the middle of each product, while there are few enough to read."""
    names = _names(evaluation)
    rows_of = {
        sku: [i for i, query in enumerate(shown) if query.origin != "unknown" and query.sku == sku]
        for sku in evaluation.products
    }
    largest = sorted((sku for sku, rows in rows_of.items() if rows), key=lambda s: -len(rows_of[s]))
    labels = []
    for sku in largest[:_LABELLED_PRODUCTS]:
        own = places[rows_of[sku]]
        x, y = own[np.abs(own - np.median(own, axis=0)).sum(axis=1).argmin()]
        labels.append((float(x), float(y), _short(names[sku])))
    return labels


def _dot_title(query: Query, names: dict[str, str]) -> str:
    nearest = names[query.nearest]
    if query.origin == "unknown":
        return f"unknown: {query.photos[0].path.name}, nearest {nearest}"
    if query.correct:
        return f"{names[query.sku]} ({query.decision.outcome})"
    return f"{names[query.sku]}, taken for {nearest} ({query.decision.outcome})"


def _pairs(evaluation: Evaluation) -> list[_Pair]:
    names = _names(evaluation)
    return [
        _Pair(
            name=names[confusion.sku],
            sku=confusion.sku,
            taken_for_name=names[confusion.taken_for],
            taken_for=confusion.taken_for,
            count=len(confusion.queries),
            queries=_confused_photos(confusion),
            references=_reference_photos(evaluation, confusion.taken_for),
        )
        for confusion in evaluation.confusions[:_CONFUSIONS_SHOWN]
    ]


def _confused_photos(confusion: Confusion) -> tuple[_Picture, ...]:
    return tuple(
        _Picture(
            _thumbnail(query.photos[0].path),
            f"{query.decision.outcome}, {_signed(query.decision.gated)}",
            str(query.photos[0].path),
        )
        for query in confusion.queries[:_PHOTOS_SHOWN]
    )


def _reference_photos(evaluation: Evaluation, sku: str) -> tuple[_Picture, ...]:
    """Photos of a product among the evaluated ones, rightly recognised ones first."""
    own = sorted(
        (query for query in evaluation.known if query.sku == sku),
        key=lambda query: (not query.correct, query.decision.distance),
    )
    return tuple(
        _Picture(
            _thumbnail(query.photos[0].path),
            _signed(query.decision.distance),
            str(query.photos[0].path),
        )
        for query in own[:_PHOTOS_SHOWN]
    )


def _products(evaluation: Evaluation) -> list[_ProductRow]:
    by_sku = {product.sku: product for product in evaluation.bundle.manifest.products}
    names = _names(evaluation)
    mistaken: dict[str, list[str]] = {}
    for confusion in evaluation.confusions:
        mistaken.setdefault(confusion.sku, []).append(
            f"{names[confusion.taken_for]} ({len(confusion.queries)})"
        )
    rows = [
        _ProductRow(
            names[sku],
            sku,
            by_sku[sku].category,
            by_sku[sku].enrolled,
            of,
            _bar(of.centroid_accuracy),
            ", ".join(mistaken.get(sku, [])),
        )
        for sku, of in evaluation.per_product.items()
    ]
    return sorted(rows, key=lambda row: (row.figures.centroid_accuracy.value or 0.0, row.name))


def _names(evaluation: Evaluation) -> dict[str, str]:
    return {product.sku: product.name for product in evaluation.bundle.manifest.products}


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def _short(name: str, length: int = 22) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"


def _thumbnail(path: Path) -> str:
    """A photo as a data URI, cut to its central square; empty when it has gone since."""
    try:
        photo = read_photo(path)
    except PhotoError:
        return ""
    side_px = min(photo.shape[:2])
    top, left = (photo.shape[0] - side_px) // 2, (photo.shape[1] - side_px) // 2
    small = cv2.resize(
        photo[top : top + side_px, left : left + side_px],
        (_THUMBNAIL_PX, _THUMBNAIL_PX),
        interpolation=cv2.INTER_AREA,
    )
    encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 82])[1]
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
