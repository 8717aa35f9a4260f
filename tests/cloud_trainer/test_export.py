"""One network, four files, the same embeddings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.export import (
    ExportedNetworks,
    assert_parity,
    export_networks,
    onnx_model,
    rounded_to_fp16,
    torch_embeddings,
)
from cloud_trainer.quantise import quantise
from models.embedder import Embedder
from tests.cloud_trainer.networks import small_network
from tests.simulators.photos import draw_photo

SIZE_PX = 64


@pytest.fixture(scope="module")
def crops() -> NDArray[np.uint8]:
    return np.stack([draw_photo(p, n, size_px=SIZE_PX) for p in range(8) for n in range(6)])


@pytest.fixture(scope="module")
def network(crops: NDArray[np.uint8]) -> Embedder:
    return rounded_to_fp16(small_network(crops))


@pytest.fixture(scope="module")
def files(network: Embedder, tmp_path_factory: pytest.TempPathFactory) -> ExportedNetworks:
    return export_networks(network, tmp_path_factory.mktemp("networks"))


def _run(path: Path, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(ort.InferenceSession(path).run(None, {"crops": crops})[0])


@pytest.mark.parametrize(("which", "tolerance"), [("fp32", 1e-5), ("tensorrt", 1e-2)])
def test_exported_networks_embed_as_torch_does(
    files: ExportedNetworks,
    network: Embedder,
    crops: NDArray[np.uint8],
    which: str,
    tolerance: float,
) -> None:
    measured = _run(getattr(files, which), crops)
    assert_parity(torch_embeddings(network, crops), measured, which, tolerance)


def test_any_batch_size_gives_the_same_embeddings(
    files: ExportedNetworks, crops: NDArray[np.uint8]
) -> None:
    whole = _run(files.fp32, crops[:5])
    single = np.concatenate([_run(files.fp32, crops[at : at + 1]) for at in range(5)])
    assert np.allclose(whole, single, atol=1e-4)


def test_both_precisions_share_one_file_of_weights(files: ExportedNetworks) -> None:
    assert files.fp32.stat().st_size + files.tensorrt.stat().st_size < 200_000
    for path in (files.fp32, files.tensorrt):
        model = onnx.load(str(path), load_external_data=False)
        places = {
            entry.value
            for tensor in model.graph.initializer
            for entry in tensor.external_data
            if entry.key == "location"
        }
        assert places == {"weights.bin"}


def test_the_tensorrt_file_computes_in_fp16(files: ExportedNetworks) -> None:
    model = onnx.shape_inference.infer_shapes(onnx.load(str(files.tensorrt)))
    types = {v.name: v.type.tensor_type.elem_type for v in model.graph.value_info}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert len(convolutions) > 30
    assert {types[node.output[0]] for node in convolutions} == {onnx.TensorProto.FLOAT16}


def test_int8_stays_close_to_the_network_it_stands_for(
    network: Embedder, crops: NDArray[np.uint8], tmp_path: Path
) -> None:
    quantise(onnx_model(network), crops[::2], tmp_path / "int8.onnx")
    reference, measured = torch_embeddings(network, crops), _run(tmp_path / "int8.onnx", crops)
    assert float((reference * measured).sum(1).mean()) > 0.9
    model = onnx.load(str(tmp_path / "int8.onnx"))
    assert sum(node.op_type == "QuantizeLinear" for node in model.graph.node) > 30


def test_a_network_that_strays_is_refused_with_the_distance() -> None:
    right, wrong = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)[::-1]
    with pytest.raises(WalkoutTrainerError, match="ONNX fp32 strays .* cosine distance 1"):
        assert_parity(right, wrong, "ONNX fp32", 1e-3)
    with pytest.raises(WalkoutTrainerError):
        assert_parity(right, np.full((3, 3), np.nan, np.float32), "ONNX fp32", 1e-3)


def test_weights_beyond_fp16_are_refused(network: Embedder) -> None:
    broken = rounded_to_fp16(network)
    broken.head.bias.data[0] = 1e6
    with pytest.raises(WalkoutTrainerError, match=r"head\.bias is beyond fp16"):
        rounded_to_fp16(broken)
