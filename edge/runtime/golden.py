"""The self-test of a serving network: does it embed the bundle's golden crops as expected?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edge.errors import GoldenCropsError
from edge.runtime.base import Embedder
from models.bundle import GOLDEN_TOLERANCE, Bundle

# Half precision is a device's own choice, so no publisher states it.
TOLERANCE: Final[Mapping[str, float]] = {"fp16": 0.002, "bf16": 0.005, **GOLDEN_TOLERANCE}


def golden_deviation(bundle: Bundle, embedder: Embedder) -> float:
    """Largest cosine distance between the golden crops' embeddings and the expected ones.

    Args:
        bundle: The bundle whose golden crops are embedded; it has at least one.
        embedder: A backend that serves the bundle's network.

    Returns:
        ``1 - cos``, in [0, 2]; 0 when there are no golden crops.
    """
    golden = bundle.golden
    if not len(golden.crops):
        return 0.0
    embeddings = embedder.embed(golden.crops)
    return max(0.0, float(1.0 - (embeddings * golden.embeddings).sum(axis=1).min()))


def check_golden(bundle: Bundle, embedder: Embedder, tolerance: float | None = None) -> float:
    """Embed the golden crops and refuse a network that gives something else.

    Args:
        bundle: The bundle.
        embedder: A backend that serves its network.
        tolerance: Largest cosine distance allowed; ``None`` takes the precision's usual one
            (``TOLERANCE``).

    Returns:
        The largest cosine distance found.

    Raises:
        GoldenCropsError: It is larger than the tolerance.
    """
    deviation = golden_deviation(bundle, embedder)
    description = embedder.describe()
    allowed = TOLERANCE[description.precision] if tolerance is None else tolerance
    if deviation > allowed:
        raise GoldenCropsError(
            f"golden crops of {bundle.manifest.category} {bundle.manifest.version} come out "
            f"{deviation:.4f} away from what the bundle expects (at most {allowed:.4f}) with "
            f"{description.backend} {description.precision}; do not serve with this runtime: "
            "try --precision fp32, and fetch the bundle again if that fails too"
        )
    return deviation
