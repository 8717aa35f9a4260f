"""What a device would refuse is not published.

A bundle that opens is whole; here its networks have to run as well, give the embeddings that the
bundle promises for its golden crops, and recognise most of them. Devices test the same and more on
the hardware that they have.
"""

from __future__ import annotations

import numpy as np

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.inference import NetworkSession
from cloud_trainer.publishing.errors import ReleaseRefusedError
from models.bundle import GOLDEN_TOLERANCE, INT8_NAME, Bundle, NetworkKind

# What devices demand by default. Golden crops are photos of the catalogue: easier than a camera's.
MIN_GOLDEN_RECALL = 0.75


def judge_bundle(bundle: Bundle) -> None:
    """Refuse a bundle that a device would refuse.

    Raises:
        ReleaseRefusedError: Its networks do not give what it promises.
    """
    kinds: tuple[NetworkKind, ...] = (
        ("fp32", "int8") if INT8_NAME in bundle.manifest.files else ("fp32",)
    )
    for kind in kinds:
        _judge_network(bundle, kind)
    nearest = (bundle.golden.embeddings @ bundle.vectors.centroids.T).argmax(axis=1)
    right = [bundle.skus[row] == sku for row, sku in zip(nearest, bundle.golden.skus, strict=True)]
    if (recall := float(np.mean(right))) < MIN_GOLDEN_RECALL:
        raise ReleaseRefusedError(
            f"{bundle.path} recognises only {recall:.0%} of its own golden crops (at least "
            f"{MIN_GOLDEN_RECALL:.0%}): its vectors are not those of its products; export it again"
        )


def _judge_network(bundle: Bundle, kind: NetworkKind) -> None:
    golden = bundle.golden
    try:
        embeddings = NetworkSession(bundle.network_path(kind), threads=1).embed(golden.crops)
    except WalkoutTrainerError as err:
        raise ReleaseRefusedError(f"the {kind} network does not run: {err}") from err
    if embeddings.shape != golden.embeddings.shape:
        raise ReleaseRefusedError(
            f"the {kind} network gives embeddings of shape {embeddings.shape}, not "
            f"{golden.embeddings.shape}; export the bundle again"
        )
    if not np.isfinite(embeddings).all():
        raise ReleaseRefusedError(
            f"the {kind} network gives something else than numbers for golden crops; train again"
        )
    cosines = (embeddings * golden.embeddings).sum(axis=1)
    lengths = np.maximum(np.linalg.norm(embeddings, axis=1), 1e-12)
    deviation = float((1 - cosines / lengths).max())
    if deviation > GOLDEN_TOLERANCE[kind] or float(np.abs(lengths - 1).max()) > 0.01:
        raise ReleaseRefusedError(
            f"golden crops come out {deviation:.4f} away from what the bundle expects with the "
            f"{kind} network (at most {GOLDEN_TOLERANCE[kind]}); export the bundle again"
        )
