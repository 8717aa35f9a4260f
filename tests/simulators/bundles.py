"""Small bundles that are real: a tiny ONNX network, and vectors that it made of drawn photos.

Owns no rule of its own; whatever opens a trained bundle opens these. The network tells drawn
cartons apart well enough for decisions of every kind to occur.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession, SessionOptions
from safetensors.numpy import load, save

from models.bundle import (
    EMBEDDER_NAME,
    INT8_NAME,
    MANIFEST_NAME,
    WEIGHTS_NAME,
    Bundle,
    BundleProduct,
    FileRecord,
    Golden,
    Provenance,
    Quantisation,
    Vectors,
    write_bundle,
)
from models.bundle.folder import record_of
from models.bundle.manifest import canonical_checksum, space_id_of
from models.decision import ThresholdPair, Thresholds, pool
from models.preprocess import Preprocessing, photo_region, prepare_batch
from tests.simulators.photos import draw_photo, sku_of

PHOTOS_PER_PRODUCT = 4
_PHOTO_PX = 96
_FITTED_PRODUCTS = 40
_FITTED_PHOTOS = 6
_SHRINKAGE = 0.2


def make_bundle(
    path: Path,
    products: int = 4,
    dim: int = 32,
    input_size_px: int = 32,
    seed: int = 0,
    category: str = "all",
    *,
    external_weights: bool = False,
    int8: onnx.ModelProto | None = None,
) -> Bundle:
    """Write a small valid bundle to ``path`` and return it opened.

    It recognises ``carton-00`` ... as drawn by ``tests.simulators.photos`` with the same ``seed``.

    Args:
        path: The bundle's folder; must not exist.
        products: Number of products.
        dim: Length of an embedding.
        input_size_px: Side of the network input.
        seed: Another seed, other products and another network, thus another space.
        category: Its category.
        external_weights: Whether the network keeps its weights in ``weights.bin``.
        int8: Shipped as the INT8 network; ``None`` ships none.
    """
    preprocessing = Preprocessing(input_size_px=input_size_px)
    crops = crops_of(range(products), range(PHOTOS_PER_PRODUCT), preprocessing, seed)
    network = tiny_network(dim, input_size_px, seed)
    embeddings = run_network(network, crops).reshape(products, PHOTOS_PER_PRODUCT, dim)
    stranger = run_network(network, crops_of([products], [0], preprocessing, seed))
    shown = min(products, 4)
    with TemporaryDirectory() as folder:
        networks = _save(network, Path(folder), external_weights)
        if int8 is not None:
            networks[INT8_NAME] = Path(folder) / INT8_NAME
            onnx.save(int8, str(networks[INT8_NAME]))
        return write_bundle(
            path,
            category=category,
            version="1",
            preprocessing=preprocessing,
            thresholds=plausible_thresholds(),
            products=[
                BundleProduct(
                    sku=sku_of(product),
                    name=f"Carton {product}",
                    category=category,
                    photos=PHOTOS_PER_PRODUCT,
                    enrolled=False,
                )
                for product in range(products)
            ],
            provenance=Provenance(
                backbone="tiny-random",
                seed=seed,
                steps=0,
                trained_at_size_px=input_size_px,
                photos=products * PHOTOS_PER_PRODUCT,
                products=products,
                catalogue_sha256="0" * 64,
                walkout_version="0",
                torch_version="none",
                licence="Apache-2.0",
            ),
            evaluation={"centroid_accuracy": 1.0, "split": "drawn"},
            quantisation=Quantisation(int8_shipped=int8 is not None, parity_max_abs=0.0),
            networks=networks,
            vectors=Vectors(
                centroids=np.stack([pool(of_product) for of_product in embeddings]),
                anchors=embeddings.reshape(-1, dim),
                anchor_products=np.repeat(np.arange(products), PHOTOS_PER_PRODUCT).astype(np.int32),
                negatives=stranger,
                negative_products=np.zeros(1, np.int32),
            ),
            golden=Golden(
                crops=crops[: shown * PHOTOS_PER_PRODUCT : PHOTOS_PER_PRODUCT],
                embeddings=embeddings[:shown, 0],
                skus=tuple(sku_of(product) for product in range(shown)),
            ),
            created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
        )


def plausible_thresholds() -> Thresholds:
    """Thresholds that accept most photos of the drawn cartons and reject most strangers."""
    return Thresholds(
        pairs=tuple(
            ThresholdPair(
                pool=crops,
                tl=tl,
                tl_full=tl + 0.05,
                th=th,
                accepted_share=0.8,
                accepted_error_bound=0.01,
                rejected_error_bound=0.01,
                fitted_on=200,
            )
            for crops, tl, th in ((1, 0.02, 0.55), (3, 0.05, 0.5), (5, 0.05, 0.45))
        )
    )


def crops_of(
    products: range | list[int],
    photos: range | list[int],
    preprocessing: Preprocessing,
    seed: int = 0,
) -> NDArray[np.uint8]:
    """Network inputs, shape ``(len(products) * len(photos), S, S, 3)``, photos running fastest."""
    regions = [
        photo_region(draw_photo(product, photo, seed, _PHOTO_PX), preprocessing)
        for product in products
        for photo in photos
    ]
    return prepare_batch(regions, preprocessing.input_size_px)


def run_network(network: onnx.ModelProto, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Outputs of a network, shape ``(B, D)``, by ONNX Runtime on one thread."""
    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = InferenceSession(
        network.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, {"crops": crops})[0], np.float32)


@cache
def tiny_network(dim: int, input_size_px: int, seed: int) -> onnx.ModelProto:
    """A network of random convolutions under a projection fitted to drawn cartons.

    The projection is the closed form of metric learning: directions in which photos of one product
    differ are shrunk, directions in which products differ are kept.
    """
    crops = crops_of(
        range(_FITTED_PRODUCTS),
        range(_FITTED_PHOTOS),
        Preprocessing(input_size_px=input_size_px),
        seed,
    )
    features = run_network(_network(input_size_px, seed), crops)
    by_product = features.reshape(_FITTED_PRODUCTS, _FITTED_PHOTOS, -1)
    means = by_product.mean(axis=1)
    within = (by_product - means[:, None]).reshape(len(features), -1)
    scatter = within.T @ within / len(within)
    scatter += _SHRINKAGE * np.trace(scatter) / len(scatter) * np.eye(len(scatter))
    spread, axes = np.linalg.eigh(scatter)
    whitening = axes / np.sqrt(spread)
    directions = np.linalg.svd((means - means.mean(axis=0)) @ whitening)[2]
    kept = min(dim, _FITTED_PRODUCTS - 1)
    turn = np.linalg.qr(np.random.default_rng((seed, 6)).standard_normal((dim, kept)))[0]
    projection = turn @ directions[:kept] @ whitening.T
    return _network(
        input_size_px,
        seed,
        projection.astype(np.float32),
        (-projection @ means.mean(axis=0)).astype(np.float32),
    )


def _network(
    input_size_px: int,
    seed: int,
    projection: NDArray[np.float32] | None = None,
    bias: NDArray[np.float32] | None = None,
) -> onnx.ModelProto:
    """The graph; without a projection it ends with the features."""
    rng = np.random.default_rng((seed, 5))

    def random(*shape: int) -> NDArray[np.float32]:
        fan_in = int(np.prod(shape[1:]))
        return np.asarray(rng.standard_normal(shape) / np.sqrt(fan_in), np.float32)

    weights = {
        "mean": np.float32(127),
        "scale": np.float32(128),
        "filters_1": random(24, 3, 3, 3),
        "filters_2": random(48, 24, 3, 3),
    }
    node = helper.make_node
    cell_px = [input_size_px // 8] * 2
    nodes = [
        node("Cast", ["crops"], ["floats"], to=TensorProto.FLOAT),
        node("Sub", ["floats", "mean"], ["centred"]),
        node("Div", ["centred", "scale"], ["scaled"]),
        node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
        node("Conv", ["planes", "filters_1"], ["conv_1"], strides=[2, 2], pads=[1] * 4),
        node("Relu", ["conv_1"], ["relu_1"]),
        node("Conv", ["relu_1", "filters_2"], ["conv_2"], strides=[2, 2], pads=[1] * 4),
        node("Relu", ["conv_2"], ["relu_2"]),
        node("AveragePool", ["relu_2"], ["cells"], kernel_shape=cell_px, strides=cell_px),
        node("Flatten", ["cells"], ["features"]),
    ]
    output, length = "features", 48 * 4
    if projection is not None and bias is not None:
        weights |= {"projection": projection, "bias": bias, "axes": np.array([1], np.int64)}
        nodes += [
            node("Gemm", ["features", "projection", "bias"], ["projected"], transB=1),
            node("ReduceL2", ["projected", "axes"], ["length"], keepdims=1),
            node("Div", ["projected", "length"], ["embedding"]),
        ]
        output, length = "embedding", len(bias)
    crops = helper.make_tensor_value_info(
        "crops", TensorProto.UINT8, ["B", input_size_px, input_size_px, 3]
    )
    graph = helper.make_graph(
        nodes,
        "tiny",
        [crops],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["B", length])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def _save(network: onnx.ModelProto, folder: Path, external_weights: bool) -> dict[str, Path]:
    path = folder / EMBEDDER_NAME
    if not external_weights:
        onnx.save(network, path)
        return {EMBEDDER_NAME: path}
    onnx.save(
        onnx.ModelProto.FromString(network.SerializeToString()),  # saving outside changes the model
        path,
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=WEIGHTS_NAME,
        size_threshold=128,
    )
    return {EMBEDDER_NAME: path, WEIGHTS_NAME: folder / WEIGHTS_NAME}


def reseal(root: Path, edit: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
    """Edit a bundle's manifest, and make all checksums fit what is on the disk again.

    What is wrong afterwards is wrong although every checksum is right.

    Args:
        root: The bundle's folder.
        edit: Changes the parsed manifest in place, after file records and the space id were
            refreshed, and before the manifest's own checksum is.
    """
    manifest = root / MANIFEST_NAME
    document = json.loads(manifest.read_text("utf-8"))
    for name in document["files"]:
        if (root / name).is_file():
            document["files"][name] = record_of(root, name).model_dump()
    document["space_id"] = space_id_of(
        {name: FileRecord(**record) for name, record in document["files"].items()}
    )
    edit(document)
    document["checksum"] = canonical_checksum(document)
    manifest.write_text(json.dumps(document, indent=2), "utf-8")


def replace_tensors(root: Path, name: str, **arrays: NDArray[np.generic] | None) -> None:
    """Replace arrays of a safetensors file (``None`` removes one), and reseal the bundle."""
    tensors = load((root / name).read_bytes()) | arrays
    (root / name).write_bytes(save({key: a for key, a in tensors.items() if a is not None}))
    reseal(root)
