"""Bundles that are whole and may be signed, and yet no good."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.bundle import EMBEDDER_NAME, VECTORS_NAME, Bundle, open_bundle
from tests.simulators.bundles import replace_tensors, reseal, tiny_network


def wrong_dimension(good: Bundle, folder: Path) -> Path:
    """The network gives more numbers than the manifest promises."""
    return _other_network(good, folder, tiny_network(48, 32, 0))


def nan_weights(good: Bundle, folder: Path) -> Path:
    """The network's weights are not numbers."""
    network = _copied(good)
    for tensor in network.graph.initializer:
        if tensor.name == "projection":
            array = numpy_helper.to_array(tensor).copy()
            array[0] = np.nan
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return _other_network(good, folder, network)


def no_network(good: Bundle, folder: Path) -> Path:
    """What should be the network is none."""
    copy = _copy(good, folder)
    (copy / EMBEDDER_NAME).write_bytes(b"not a network")
    reseal(copy)
    return copy


def wrong_vectors(good: Bundle, folder: Path) -> Path:
    """Every product has the centroid of another."""
    copy = _copy(good, folder)
    replace_tensors(copy, VECTORS_NAME, centroids=np.roll(good.vectors.centroids, 1, axis=0))
    return copy


def other_answers(good: Bundle, folder: Path) -> Path:
    """A network that was trained to something else than what the golden crops expect."""
    return _other_network(good, folder, _turned(good))


def mixed_spaces(good: Bundle, folder: Path) -> Path:
    """Another network under the vectors of the first, whose space it claims."""
    copy = _copy(good, folder)
    onnx.save(_turned(good), copy / EMBEDDER_NAME)
    reseal(copy, lambda document: document.update(space_id=good.manifest.space_id))
    return copy


def slower(good: Bundle, folder: Path) -> Path:
    """The same answers after many times the work."""
    network = _copied(good)
    graph, rng = network.graph, np.random.default_rng(0)
    layers, before = [], "planes"
    for layer in range(6):
        width = 3 if layer == 0 else 64
        filters = np.asarray(rng.standard_normal((64, width, 3, 3)) / 30, np.float32)
        graph.initializer.append(numpy_helper.from_array(filters, f"work_{layer}"))
        layers.append(
            helper.make_node("Conv", [before, f"work_{layer}"], [f"done_{layer}"], pads=[1] * 4)
        )
        before = f"done_{layer}"
    graph.initializer.append(numpy_helper.from_array(np.array(1e-20, np.float32), "nothing"))
    layers += [
        helper.make_node("ReduceMean", [before], ["mean_of_work"], keepdims=0),
        helper.make_node("Mul", ["mean_of_work", "nothing"], ["next_to_nothing"]),
        helper.make_node("Add", ["quick", "next_to_nothing"], ["embedding"]),
    ]
    graph.node[-1].output[0] = "quick"
    graph.node.extend(layers)
    graph.value_info.append(helper.make_tensor_value_info("quick", TensorProto.FLOAT, None))
    onnx.checker.check_model(network)
    return _other_network(good, folder, network)


BAD: dict[str, tuple[Callable[[Bundle, Path], Path], str, str]] = {
    # what is wrong: how it is made, the kind of failure, words of the reason
    "wrong dimension": (wrong_dimension, "self_test", "promises"),
    "NaN in the weights": (nan_weights, "self_test", "not finite"),
    "no network": (no_network, "build", "cannot open"),
    "vectors of other products": (wrong_vectors, "self_test", "nearest to their own product"),
    "another network": (other_answers, "self_test", "golden crops"),
    "mixed spaces": (mixed_spaces, "verify", "not the one that its vectors were made with"),
    "slower than the budget": (slower, "self_test", "times as long"),
}


def _copied(good: Bundle) -> onnx.ModelProto:
    return onnx.load(good.path / EMBEDDER_NAME)


def _turned(good: Bundle) -> onnx.ModelProto:
    """The network with its outputs in another order."""
    network = _copied(good)
    for tensor in network.graph.initializer:
        if tensor.name in ("projection", "bias"):
            array = numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array(np.roll(array, 1, axis=0), tensor.name))
    return network


def _copy(good: Bundle, folder: Path) -> Path:
    return Path(shutil.copytree(good.path, folder))


def _other_network(good: Bundle, folder: Path, network: onnx.ModelProto) -> Path:
    copy = _copy(good, folder)
    onnx.save(network, copy / EMBEDDER_NAME)
    reseal(copy)
    return copy


def opened(make: Callable[[Bundle, Path], Path], good: Bundle, folder: Path) -> Bundle:
    """A bad bundle that opens all the same."""
    return open_bundle(make(good, folder))
