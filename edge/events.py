"""Frozen values that travel between the device's parts. No behaviour, no IO, pure."""

from __future__ import annotations

from dataclasses import dataclass

from models.decision import Decision


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
