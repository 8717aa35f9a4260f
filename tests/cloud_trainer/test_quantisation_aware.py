"""Fine-tuning under the rounding of INT8: a network that quantises badly learns to bear it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray

from cloud_trainer.export import onnx_model, rounded_to_fp16, torch_embeddings
from cloud_trainer.quantisation_aware import tuned_for_int8
from cloud_trainer.quantise import quantise
from models.embedder import Embedder, InvertedResidual
from tests.cloud_trainer.networks import small_network
from tests.simulators.photos import draw_photo

SIZE_PX = 32
_STRETCHED = 60.0


@pytest.fixture(scope="module")
def crops() -> NDArray[np.uint8]:
    return np.stack([draw_photo(p, n, size_px=SIZE_PX) for p in range(8) for n in range(20)])


@pytest.fixture(scope="module")
def hard(crops: NDArray[np.uint8]) -> Embedder:
    """Computes what the ImageNet network does, over one channel that is sixty times too wide."""
    network = small_network(crops)
    before, after = network.trunk.blocks[0], network.trunk.blocks[1]
    assert isinstance(before, InvertedResidual)
    assert isinstance(after, InvertedResidual)
    assert after.expand is not None
    before.project.weight[3] *= _STRETCHED
    before.project.bias[3] *= _STRETCHED
    after.expand.weight[:, 3] /= _STRETCHED
    return rounded_to_fp16(network)


def _as_int8(network: Embedder, crops: NDArray[np.uint8], target: Path) -> NDArray[np.float32]:
    quantise(onnx_model(network), crops[::2], target)
    return np.asarray(ort.InferenceSession(target).run(None, {"crops": crops})[0])


def _agreement(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    return float((left * right).sum(1).mean())


def test_a_network_that_int8_would_spoil_is_made_to_bear_it(
    hard: Embedder, crops: NDArray[np.uint8], tmp_path: Path
) -> None:
    learned_from, unseen = crops[:128], crops[128:]
    wanted = torch_embeddings(hard, unseen)
    spoilt = _agreement(wanted, _as_int8(hard, crops, tmp_path / "as-it-is.onnx")[128:])
    tuned = rounded_to_fp16(tuned_for_int8(hard, learned_from, steps=40))
    borne = _agreement(wanted, _as_int8(tuned, crops, tmp_path / "tuned.onnx")[128:])
    assert 1 - borne < 0.85 * (1 - spoilt)


def test_the_tuned_network_is_an_ordinary_one_and_the_given_one_stays(
    hard: Embedder, crops: NDArray[np.uint8]
) -> None:
    before = {name: value.clone() for name, value in hard.state_dict().items()}
    tuned = tuned_for_int8(hard, crops[:8], steps=2)
    assert all(torch.equal(before[name], value) for name, value in hard.state_dict().items())
    assert tuned.state_dict().keys() == before.keys()
    assert torch.equal(tuned.head.weight, hard.head.weight)
    again = tuned_for_int8(hard, crops[:8], steps=2)
    assert np.allclose(torch_embeddings(tuned, crops[:4]), torch_embeddings(again, crops[:4]))
