"""Editions of one bundle: the same goods, one product more, or the same seen by another network.

What a trainer would need minutes for is made by arithmetic: the other network is the first one with
all its weights changed a little and its embedding turned, so it is another file and another space
in which everything lies as far apart as before.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from cloud_trainer.inference import NetworkSession
from models.bundle import (
    EMBEDDER_NAME,
    TRT_NAME,
    WEIGHTS_NAME,
    Bundle,
    BundleProduct,
    Golden,
    Quantisation,
    Vectors,
    open_bundle,
    write_bundle,
)
from models.bundle.folder import record_of
from models.decision import pool
from tests.simulators.bundles import crops_of, reseal
from tests.simulators.photos import sku_of

_PHOTOS = 4
_NOISE = 1e-6


def write_edition(
    base: Bundle, out: Path, version: str, *, more: int = 0, another_network: bool = False
) -> Bundle:
    """Write an edition of a bundle, with the network of full precision alone.

    Args:
        base: What it is an edition of.
        out: Its folder; must not exist.
        version: Its version.
        more: How many drawn products it knows beside those of ``base``.
        another_network: Whether its network is another one.
    """
    manifest, vectors, golden = base.manifest, base.vectors, base.golden
    known = len(manifest.products)
    products = [*manifest.products, *(_drawn(number, manifest.category) for number in range(more))]
    embeddings = _embeddings(base, more)
    centroids = [vectors.centroids, *(pool(each)[None] for each in embeddings)]
    rows = np.repeat(np.arange(known, known + more, dtype=np.int32), _PHOTOS)
    turn = _turn(manifest.embedding_dim) if another_network else None
    with TemporaryDirectory() as folder:
        return write_bundle(
            out,
            category=manifest.category,
            version=version,
            preprocessing=manifest.preprocessing,
            thresholds=manifest.thresholds,
            products=products,
            provenance=manifest.provenance,
            evaluation=manifest.evaluation,
            quantisation=Quantisation(int8_shipped=False, parity_max_abs=0.0),
            networks=_networks(base, Path(folder), turn),
            vectors=Vectors(
                centroids=_turned(np.concatenate(centroids), turn),
                anchors=_turned(np.concatenate([vectors.anchors, *embeddings]), turn),
                anchor_products=np.concatenate([vectors.anchor_products, rows]),
                negatives=_turned(vectors.negatives, turn),
                negative_products=vectors.negative_products,
            ),
            golden=Golden(golden.crops, _turned(golden.embeddings, turn), golden.skus),
        )


def network_of(bundle: Bundle) -> onnx.ModelProto:
    """A bundle's network of full precision, with its weights inside."""
    with TemporaryDirectory() as folder:
        # Copied: onnx reads no weights from a file that has another name as well.
        for name in (EMBEDDER_NAME, WEIGHTS_NAME):
            if name in bundle.manifest.files:
                shutil.copyfile(bundle.path / name, Path(folder) / name)
        return onnx.load(Path(folder) / EMBEDDER_NAME)


def with_typed_network(base: Bundle, out: Path, network: Path) -> Bundle:
    """Write a bundle again with another file for TensorRT.

    Args:
        base: The bundle.
        out: Folder of the other one; must not exist.
        network: The file for TensorRT.
    """
    shutil.copytree(base.path, out)
    shutil.copyfile(network, out / TRT_NAME)
    record = record_of(out, TRT_NAME).model_dump()
    reseal(out, lambda document: document["files"].update({TRT_NAME: record}))
    return open_bundle(out)


def _drawn(number: int, category: str) -> BundleProduct:
    return BundleProduct(
        sku=f"new-{sku_of(number)}",
        name=f"New carton {number}",
        category=category,
        photos=_PHOTOS,
        enrolled=True,
    )


def _embeddings(base: Bundle, more: int) -> list[NDArray[np.float32]]:
    """Embeddings ``(_PHOTOS, D)`` of each drawn product."""
    if not more:
        return []
    session = NetworkSession(base.path / EMBEDDER_NAME, threads=1)
    crops = crops_of(range(more), range(_PHOTOS), base.manifest.preprocessing)
    return list(session.embed(crops).reshape(more, _PHOTOS, -1))


def _turn(dim: int) -> NDArray[np.float32]:
    random = np.random.default_rng(dim).standard_normal((dim, dim))
    return np.asarray(np.linalg.qr(random)[0], np.float32)


def _turned(vectors: NDArray[np.float32], turn: NDArray[np.float32] | None) -> NDArray[np.float32]:
    if turn is None or not len(vectors):
        return vectors
    turned = vectors @ turn
    return np.asarray(turned / np.linalg.norm(turned, axis=1, keepdims=True), np.float32)


def _networks(base: Bundle, folder: Path, turn: NDArray[np.float32] | None) -> dict[str, Path]:
    names = [name for name in (EMBEDDER_NAME, WEIGHTS_NAME) if name in base.manifest.files]
    if turn is None:
        return {name: base.path / name for name in names}
    network = network_of(base)
    rng = np.random.default_rng(0)
    for tensor in network.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            array = numpy_helper.to_array(tensor)
            noise = 1 + _NOISE * rng.standard_normal(array.shape)
            changed = np.asarray(array * noise, np.float32)
            tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))
    (output,) = network.graph.output
    for node in network.graph.node:
        for place, name in enumerate(node.output):
            if name == output.name:
                node.output[place] = "before_the_turn"
    network.graph.initializer.append(numpy_helper.from_array(turn, "turn"))
    network.graph.node.append(
        helper.make_node("MatMul", ["before_the_turn", "turn"], [output.name])
    )
    apart = WEIGHTS_NAME in names
    onnx.save(
        network,
        folder / EMBEDDER_NAME,
        save_as_external_data=apart,
        location=WEIGHTS_NAME if apart else None,
    )
    return {name: folder / name for name in names}
