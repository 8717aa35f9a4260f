"""Categories, runs, bundles and their comparison, as operators and developers see them."""

from __future__ import annotations

from typing import Literal

from web.shape import Shape


class ShownCategory(Shape):
    """A category.

    Attributes:
        category: Its name.
        products: Products arranged in it that are not withdrawn.
        live: Of them, those that the published release knows.
        waiting: Of them, those that wait for an operator.
        enrolled_share: Share of the served products that no training has seen.
        release: Newest published release; ``None`` before the first.
        version: Of its bundle.
        published_at: When; seconds since 1970.
        error_percent: Measured on what people verified in shops; ``None`` without any.
        verified: Events behind that figure.
    """

    category: str
    products: int
    live: int
    waiting: int
    enrolled_share: float | None
    release: int | None
    version: str | None
    published_at: float | None
    error_percent: float | None = None
    verified: int = 0


class SuggestedPlace(Shape):
    """One product in a proposal of categories.

    Attributes:
        sku: The product.
        name: Its name.
        photo_url: Its most typical photo.
        category: Where it would go.
        now: Where it is.
        x: Place on the map of looks, 0 to 1: near means alike.
        y: Place on the map.
    """

    sku: str
    name: str
    photo_url: str | None
    category: str
    now: str
    x: float
    y: float


class Suggestion(Shape):
    """What the clustering proposes.

    Attributes:
        status: ``none`` when nobody asked yet, ``working`` while it is made.
        made_at: When it was.
        silhouette: -1 to 1: how well the groups stand apart.
        places: All products, in the order of their looks.
        reason: Why there is none, in words.
    """

    status: Literal["none", "working", "made", "failed"]
    made_at: float | None = None
    silhouette: float | None = None
    places: tuple[SuggestedPlace, ...] = ()
    reason: str = ""


class Point(Shape):
    """A point of a curve."""

    x: float
    y: float


class Curve(Shape):
    """How a figure went during a run.

    Attributes:
        name: What it is: ``loss``, ``accuracy``, ``share of active triplets``.
        unit: Of ``y``; empty for a share.
        points: By ``x``, the step or epoch.
    """

    name: str
    unit: str
    points: tuple[Point, ...]


class RunBrief(Shape):
    """A run: a training, an enrolment, an evaluation.

    Attributes:
        run_id: By which it is asked for.
        category: What for.
        kind: What was done.
        status: How it stands.
        began_at: Seconds since 1970.
        ended_at: ``None`` while it runs.
        reason: Why it was begun, or how it ended, in words.
        version: Of the bundle it made.
        figures: Of its evaluation, by name.
    """

    run_id: str
    category: str
    kind: str
    status: Literal["running", "done", "failed", "stopped"]
    began_at: float
    ended_at: float | None
    reason: str
    version: str | None
    figures: dict[str, float]


class Download(Shape):
    """A file to be had.

    Attributes:
        name: What it is.
        url: Where.
        size_bytes: How long.
    """

    name: str
    url: str
    size_bytes: int


class ShownRun(RunBrief):
    """A run with its curves.

    Attributes:
        curves: What it told on its way.
        settings: What it was begun with, by name.
        files: What it left: report, log.
        log: Its last lines.
    """

    curves: tuple[Curve, ...]
    settings: dict[str, str]
    files: tuple[Download, ...]
    log: tuple[str, ...]


class ErrorBudgetShown(Shape):
    """What errors the thresholds may make, and the thresholds.

    Attributes:
        tl: At or below it a match is accepted.
        th: Above it a match is rejected.
        margin_weight: Of the distance to the second candidate.
        budget: The budget's fields by name.
    """

    tl: float
    th: float
    margin_weight: float
    budget: dict[str, float | str]


class ShownBundle(Shape):
    """A published bundle.

    Attributes:
        bundle_id: ``category/release``.
        category: Its category.
        release: Its number.
        version: Of the bundle.
        created_at: Seconds since 1970.
        products: Products that it knows.
        enrolled: Of them, those that no training has seen.
        embedding_dim: Length of an embedding.
        space_id: Of its embedding space: same network, same space.
        size_bytes: All files.
        travel_bytes: What a device that has the network fetches.
        thresholds: With their budget.
        figures: Of its evaluation.
        remarks: Of its evaluation and provenance, in words.
        standing: Whether it serves everywhere, some, or nobody.
        files: To be had.
    """

    bundle_id: str
    category: str
    release: int
    version: str
    created_at: float
    products: int
    enrolled: int
    embedding_dim: int
    space_id: str
    size_bytes: int
    travel_bytes: int
    thresholds: ErrorBudgetShown
    figures: dict[str, float]
    remarks: dict[str, str]
    standing: Literal["stable", "candidate", "withdrawn", "earlier"]
    files: tuple[Download, ...]


class Outcomes(Shape):
    """What a bundle made of photos.

    Attributes:
        photos: Photos decided.
        accepted: Accepted rightly.
        wrong: Accepted wrongly.
        review: Sent to a person.
        rejected: Rejected.
        unknown: Photos of products that it does not know.
    """

    photos: int
    accepted: int
    wrong: int
    review: int
    rejected: int
    unknown: int


class Difference(Shape):
    """A photo on which two bundles differ.

    Attributes:
        sku: What it shows.
        photo_url: The photo.
        first: What the first made of it: ``accept oat-milk``.
        second: What the second did.
    """

    sku: str
    photo_url: str
    first: str
    second: str


class Comparison(Shape):
    """Two bundles on the same photos.

    Attributes:
        status: ``working`` until all photos are decided; ask again.
        done: Photos decided so far.
        photos: Photos to be decided.
        first: The first bundle.
        second: The second.
        first_outcomes: Its outcomes.
        second_outcomes: Its outcomes.
        differences: Photos on which they differ, at most 200.
        reason: Why it failed.
    """

    status: Literal["working", "made", "failed"]
    done: int
    photos: int
    first: ShownBundle
    second: ShownBundle
    first_outcomes: Outcomes
    second_outcomes: Outcomes
    differences: tuple[Difference, ...]
    reason: str = ""
