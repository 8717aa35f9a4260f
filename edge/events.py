"""Frozen values that travel between the device's parts. No behaviour, no IO, pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.decision import Decision, Outcome

InteractionKind = Literal["take", "put_back"]


@dataclass(frozen=True)
class EmbedderDescription:
    """What computes the embeddings and why it was chosen.

    Attributes:
        backend: Inference library with its version, for example ``onnxruntime 1.32.0``.
        providers: Execution providers in use, first choice first.
        precision: ``fp32`` or ``int8``.
        threads: Threads inside one operator; 0 leaves it to the library.
        why: The choice of precision and provider in words.
    """

    backend: str
    providers: tuple[str, ...]
    precision: str
    threads: int
    why: str


@dataclass(frozen=True)
class Recognition:
    """What one item was recognised as, and what said so.

    Attributes:
        decision: Accept, reject or review, with every number behind it.
        category: Category of the bundle that decided.
        bundle_version: Version of that bundle.
        space_id: Embedding space of that bundle.
        precision: Precision of the network that embedded the crops.
        product_name: Name of ``decision.sku`` for people; ``None`` when there is no product.
        crops_given: Crops of the item.
        crops_agreed: How many of them agreed and were pooled; ``decision.crops`` of those differ.
        routing: Why this category decided, in words; empty with one bundle.
    """

    decision: Decision
    category: str
    bundle_version: str
    space_id: str
    precision: str
    product_name: str | None
    crops_given: int
    crops_agreed: int
    routing: str


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of one camera.

    Attributes:
        camera: Name of the camera.
        index: Number of the frame at the camera; a gap means that frames were skipped.
        captured_at_s: When it was taken, on the device's monotonic clock; in a recorded shop,
            seconds since the recording began.
        wall_time_s: The same moment as seconds since 1970, for people; nothing is ordered by it.
        image: uint8 BGR, shape ``(H, W, 3)``, not written to by anybody.
    """

    camera: str
    index: int
    captured_at_s: float
    wall_time_s: float
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class Candidate:
    """A product that an interaction event may have been about.

    Attributes:
        sku: The product.
        distance: Cosine distance of the pooled crops to its centroid; ``None`` where only the
            planogram speaks for it.
        share: How likely it is among the candidates, 0 to 1.
    """

    sku: str
    distance: float | None
    share: float


@dataclass(frozen=True)
class Evidence:
    """What a line of a receipt rests on.

    Attributes:
        crops: Names of the stored crops, below the device's evidence folder.
        clip: Camera and span of its video in seconds, for example ``shelf-1 12.40-15.10``.
        recognition: What the crops were recognised as; ``None`` when there were none to look at.
        reason: Why it was decided so, in words.
    """

    crops: tuple[str, ...]
    clip: str | None
    recognition: Recognition | None
    reason: str


@dataclass(frozen=True)
class InteractionEvent:
    """Somebody took something from a fixture or put something there.

    Attributes:
        event_id: The same for the same event of the same recording, whenever it is replayed.
        kind: Taken or put back.
        camera: Shelf camera that saw it.
        fixture: Name of the fixture.
        facing: Name of the facing; ``None`` when it happened between facings.
        started_at_s: When the hand came, on the clock of ``Frame.captured_at_s``.
        ended_at_s: When the hand had gone.
        floor_m: Where on the floor the reach came from, shop metres.
        sku: The product; ``None`` when unknown.
        quantity: Pieces, at least 1.
        outcome: ``accept`` charges without a person, ``review`` asks one, ``reject`` is an object
            that the shop does not sell.
        candidates: Products it may have been, likeliest first.
        evidence: What it rests on.
        contact_at_s: When the hand was at the piece, which is much narrower than the span from
            ``started_at_s`` to ``ended_at_s``; ``None`` where that was not seen.
        floor_sd_m: Standard deviation of ``floor_m`` along the fixture's front; ``None`` where
            nothing is known about it.
        certain: Pieces of the product that were taken for certain though a person is asked how
            many it were; 0 where nothing is.
    """

    event_id: str
    kind: InteractionKind
    camera: str
    fixture: str
    facing: str | None
    started_at_s: float
    ended_at_s: float
    floor_m: tuple[float, float]
    sku: str | None
    quantity: int
    outcome: Outcome
    candidates: tuple[Candidate, ...]
    evidence: Evidence
    contact_at_s: float | None = None
    floor_sd_m: float | None = None
    certain: int = 0
