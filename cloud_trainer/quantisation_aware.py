"""Fine-tuning that makes a network bear INT8, where quantising it as it is would cost too much.

The network computes as its INT8 file will: inputs of convolutions and of residual sums are rounded
to 256 levels over the range that real crops span, weights to 255 levels a channel, and gradients
pass the rounding as if it were not there. It learns to say what the network before it says, so it
needs crops and no labels, and centroids and thresholds stay what they are. Owns this; what a
quantised file looks like is ``quantise``'s.

Sources: quantisation-aware training (Jacob et al., 2018), straight-through gradients (Bengio et
al., 2013), distillation of embeddings (Park et al., 2019).
"""

from __future__ import annotations

import copy
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

from models.embedder import Embedder, InvertedResidual, PointwiseConv, SpatialConv

_BATCH: Final = 16
_LEARNING_RATE: Final = 1e-5
_LEVELS: Final = 255
_WEIGHT_LEVELS: Final = 127
_SMALLEST_SCALE: Final = 1e-9


def tuned_for_int8(
    network: Embedder, crops: NDArray[np.uint8], steps: int, seed: int = 0
) -> Embedder:
    """A copy whose weights were fine-tuned under the rounding of INT8.

    Args:
        network: The trained network.
        crops: Prepared crops of the training, shape ``(N, S, S, 3)``, uint8 BGR; also mirrored.
        steps: Optimiser steps.
        seed: Of the choice of crops.

    Returns:
        In evaluation mode, fp32, on the CPU; not rounded to anything.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    teacher = copy.deepcopy(network).eval().requires_grad_(False).to(device)
    student = copy.deepcopy(network).eval().to(device)
    learns = list(student.trunk.requires_grad_(True).parameters())
    student.head.requires_grad_(False)
    roundings = _round_as_int8(student)
    with torch.no_grad():
        for start in range(0, len(crops), _BATCH):
            student(torch.from_numpy(crops[start : start + _BATCH]).to(device))
    for rounding in roundings:
        rounding.observing = False
    optimiser = torch.optim.Adam(learns, lr=_LEARNING_RATE)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    dice = np.random.default_rng(seed)
    for _ in range(steps):
        some = crops[dice.choice(len(crops), min(_BATCH, len(crops)), replace=False)]
        seen = torch.from_numpy(some[:, :, ::-1].copy() if dice.random() < 0.5 else some)
        with torch.no_grad():
            wanted = teacher(seen.to(device))
        loss = (1 - (student(seen.to(device)) * wanted).sum(1)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        decay.step()
    for module in student.trunk.modules():
        if parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=False)
    tuned = copy.deepcopy(network).eval()
    tuned.load_state_dict(student.state_dict())
    return tuned.requires_grad_(False)


class _Rounding:
    """Rounds a tensor to the levels of its range, which it first observes."""

    def __init__(self) -> None:
        self.observing = True
        self._low = self._high = 0.0

    def __call__(self, x: Tensor) -> Tensor:
        if self.observing:
            self._low = min(self._low, float(x.min()))
            self._high = max(self._high, float(x.max()))
            return x
        scale = max((self._high - self._low) / _LEVELS, _SMALLEST_SCALE)
        zero = round(-self._low / scale)
        return torch.fake_quantize_per_tensor_affine(x, scale, zero, 0, _LEVELS)


class _RoundedWeight(nn.Module):
    """Rounds a convolution's weight to the levels of each output channel."""

    def forward(self, weight: Tensor) -> Tensor:
        scale = weight.detach().abs().flatten(1).amax(1) / _WEIGHT_LEVELS
        return torch.fake_quantize_per_channel_affine(
            weight,
            scale.clamp(min=_SMALLEST_SCALE),
            torch.zeros_like(scale, dtype=torch.int32),
            0,
            -_WEIGHT_LEVELS,
            _WEIGHT_LEVELS,
        )


def _round_as_int8(network: Embedder) -> list[_Rounding]:
    """Let a network compute as INT8 does, once its ranges are observed."""
    roundings: list[_Rounding] = []

    def rounding() -> _Rounding:
        roundings.append(_Rounding())
        return roundings[-1]

    def round_input(module: nn.Module) -> None:
        own = rounding()
        module.register_forward_pre_hook(lambda _, given: (own(given[0]),))

    def round_output(module: nn.Module) -> None:
        own = rounding()
        module.register_forward_hook(lambda _, __, result: own(result))

    for module in network.trunk.modules():
        if isinstance(module, (PointwiseConv, SpatialConv)):
            parametrize.register_parametrization(module, "weight", _RoundedWeight())
            round_input(module)
        elif isinstance(module, InvertedResidual) and _has_sum(module):
            round_input(module)
            round_output(module.project)
    return roundings


def _has_sum(block: InvertedResidual) -> bool:
    before = block.depthwise if block.expand is None else block.expand
    channels = before.weight.shape[0 if block.expand is None else 1]
    return block.depthwise.stride == 1 and block.project.weight.shape[0] == channels
