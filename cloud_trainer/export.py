"""From a trained torch network to the ONNX files of a bundle, each checked against the other.

The graph is written node by node rather than traced: the network is a dozen kinds of layer, and so
its input stays uint8 NHWC BGR, its names are ours, and ``embedder.onnx`` (fp32 arithmetic) and
``embedder.trt.onnx`` (fp16 types throughout, which is how TensorRT's strongly typed networks take
their precision) can share one file of fp16 weights, ``weights.bin``.

Weights are rounded to fp16 once, before anything is measured: every figure and every centroid of a
bundle belongs to the rounded network.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from cloud_trainer.errors import WalkoutTrainerError
from models.embedder import Embedder, InvertedResidual, PointwiseConv, SpatialConv

OPSET: Final = 17
INPUT_NAME: Final = "crops"
OUTPUT_NAME: Final = "embedding"
WEIGHTS_FILE: Final = "weights.bin"
PARITY_TOLERANCE: Final = 1e-3


@dataclass(frozen=True)
class ExportedNetworks:
    """Files of one exported network.

    Attributes:
        fp32: ``embedder.onnx``.
        tensorrt: ``embedder.trt.onnx``, fp16 types.
        weights: ``weights.bin``, which both refer to.
    """

    fp32: Path
    tensorrt: Path
    weights: Path


def rounded_to_fp16(network: Embedder) -> Embedder:
    """A copy whose weights are the nearest fp16 numbers, held as fp32.

    Raises:
        WalkoutTrainerError: A weight is beyond fp16's range.
    """
    rounded = copy.deepcopy(network)
    for name, parameter in rounded.named_parameters():
        half = parameter.data.half()
        if not bool(torch.isfinite(half).all()):
            raise WalkoutTrainerError(f"weight {name} is beyond fp16's range: training diverged")
        parameter.data = half.float()
    return rounded


class _Graph:
    """An ONNX graph under construction, in one floating-point type."""

    def __init__(self, network: Embedder, elem_type: int) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []
        self._elem_type = elem_type
        self._dtype = np.float16 if elem_type == TensorProto.FLOAT16 else np.float32
        self._size_px = network.shape.input_size_px
        self._count = 0
        x = self.add("Cast", INPUT_NAME, to=elem_type)
        x = self.add("Transpose", x, perm=[0, 3, 1, 2])
        x = self.add("Sub", x, self.constant("pixel_mean", 127.0))
        x = self.add("Mul", x, self.constant("pixel_scale", 1 / 128))
        self._zero, self._six = self.constant("zero", 0.0), self.constant("six", 6.0)
        x = self.relu6(self.spatial("stem", network.trunk.stem, x))
        for index, block in enumerate(network.trunk.blocks):
            assert isinstance(block, InvertedResidual)
            x = self.block(f"block{index}", block, x)
        x = self.relu6(self.pointwise("features", network.trunk.head, x))
        x = self.add("GlobalAveragePool", x)
        x = self.add("Flatten", x)
        if elem_type != TensorProto.FLOAT:
            x = self.add("Cast", x, to=TensorProto.FLOAT)
        parts = [
            self._unit("head", network.head, x),
            self._unit("whitening", network.whitening, self.add("Sqrt", x)),
        ]
        weighted = [
            self.add("Mul", part, self.constant(f"part_weight_{index}", weight, np.float32))
            for index, (part, weight) in enumerate(
                zip(parts, network.shape.part_weights, strict=True)
            )
        ]
        self.nodes.append(
            helper.make_node("Concat", weighted, [OUTPUT_NAME], name="concat", axis=1)
        )

    def _unit(self, name: str, linear: torch.nn.Linear, x: str) -> str:
        """A linear layer in fp32 whose output is brought to unit length."""
        weight = self.cast_weight(f"{name}.weight", linear.weight)
        bias = self.cast_weight(f"{name}.bias", linear.bias)
        y = self.add("Gemm", x, weight, bias, transB=1)
        norm = self.add("ReduceL2", y, axes=[1], keepdims=1)
        floor = self.constant(f"{name}.floor", 1e-12, np.float32)
        return self.add("Div", y, self.add("Max", norm, floor))

    def add(self, op: str, *inputs: str, **attributes: int | Sequence[int]) -> str:
        """Append a node; returns the name of its output."""
        self._count += 1
        output = f"{op.lower()}_{self._count}"
        node = helper.make_node(op, list(inputs), [output], name=output)
        node.attribute.extend(
            helper.make_attribute(key, value) for key, value in attributes.items()
        )
        self.nodes.append(node)
        return output

    def constant(self, name: str, value: float, dtype: type[np.floating] | None = None) -> str:
        """A scalar, in the graph's own type unless another is named."""
        array = np.asarray(value, dtype=dtype or self._dtype)
        self.initialisers.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, name: str, tensor: torch.Tensor) -> str:
        """An fp16 initialiser, brought to fp32 by a cast that runtimes fold away at start."""
        if self._elem_type == TensorProto.FLOAT:
            return self.cast_weight(name, tensor)
        return self._stored(name, tensor)

    def cast_weight(self, name: str, tensor: torch.Tensor) -> str:
        """An fp16 initialiser used as fp32."""
        return self.add("Cast", self._stored(name, tensor), to=TensorProto.FLOAT)

    def _stored(self, name: str, tensor: torch.Tensor) -> str:
        array = tensor.detach().cpu().numpy().astype(np.float16)
        self.initialisers.append(numpy_helper.from_array(array, name))
        return name

    def relu6(self, x: str) -> str:
        """Clip to [0, 6]."""
        return self.add("Clip", x, self._zero, self._six)

    def spatial(self, name: str, conv: SpatialConv, x: str) -> str:
        """A k x k convolution with TensorFlow's SAME padding for the current extent."""
        kernel_px = conv.weight.shape[-1]
        extent = self._size_px
        self._size_px = -(-extent // conv.stride)
        total = max((self._size_px - 1) * conv.stride + kernel_px - extent, 0)
        before, after = total // 2, total - total // 2
        return self.add(
            "Conv",
            x,
            self.weight(f"{name}.weight", conv.weight),
            self.weight(f"{name}.bias", conv.bias),
            kernel_shape=[kernel_px, kernel_px],
            strides=[conv.stride, conv.stride],
            pads=[before, before, after, after],
            group=conv.groups,
        )

    def pointwise(self, name: str, conv: PointwiseConv, x: str) -> str:
        """A 1x1 convolution."""
        return self.add(
            "Conv",
            x,
            self.weight(f"{name}.weight", conv.weight[:, :, None, None]),
            self.weight(f"{name}.bias", conv.bias),
            kernel_shape=[1, 1],
        )

    def block(self, name: str, block: InvertedResidual, x: str) -> str:
        """An inverted residual block."""
        y = x
        if block.expand is not None:
            y = self.relu6(self.pointwise(f"{name}.expand", block.expand, y))
        y = self.relu6(self.spatial(f"{name}.depthwise", block.depthwise, y))
        y = self.pointwise(f"{name}.project", block.project, y)
        same_shape = block.depthwise.stride == 1 and block.project.weight.shape[
            0
        ] == _input_channels(block)
        return self.add("Add", x, y) if same_shape else y


def _input_channels(block: InvertedResidual) -> int:
    first = block.depthwise.weight.shape[0]
    return first if block.expand is None else int(block.expand.weight.shape[1])


def onnx_model(network: Embedder, elem_type: int = TensorProto.FLOAT) -> onnx.ModelProto:
    """The network as one ONNX model with its fp16 weights inside.

    Args:
        network: As returned by ``rounded_to_fp16``.
        elem_type: Type of the arithmetic, ``TensorProto.FLOAT`` or ``FLOAT16``.

    Returns:
        Input ``crops`` uint8 ``(B, S, S, 3)`` BGR, output ``embedding`` float ``(B, D)``.
    """
    graph = _Graph(network, elem_type)
    size_px, dim = network.shape.input_size_px, network.shape.embedding_dim
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "walkout-embedder",
            [
                helper.make_tensor_value_info(
                    INPUT_NAME, TensorProto.UINT8, ["batch", size_px, size_px, 3]
                )
            ],
            [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, ["batch", dim])],
            graph.initialisers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=9,
        producer_name="walkout",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _large(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT16 and len(tensor.raw_data) > 1024:
            yield tensor


def _share_weights(models: Sequence[onnx.ModelProto], path: Path) -> None:
    """Move the models' large initialisers, equal under equal names, into one file."""
    places: dict[str, tuple[int, int]] = {}
    content = bytearray()
    for model in models:
        for tensor in _large(model):
            if tensor.name not in places:
                places[tensor.name] = (len(content), len(tensor.raw_data))
                content += tensor.raw_data
            offset, length = places[tensor.name]
            if content[offset : offset + length] != tensor.raw_data:
                raise WalkoutTrainerError(f"weight {tensor.name} differs between the exports")
            tensor.ClearField("raw_data")
            del tensor.external_data[:]
            for key, value in (("location", path.name), ("offset", offset), ("length", length)):
                tensor.external_data.add(key=key, value=str(value))
            tensor.data_location = TensorProto.EXTERNAL
    path.write_bytes(content)


def export_networks(network: Embedder, folder: Path) -> ExportedNetworks:
    """Write ``embedder.onnx``, ``embedder.trt.onnx`` and the ``weights.bin`` they share.

    Args:
        network: As returned by ``rounded_to_fp16``.
        folder: Existing folder to write into.
    """
    full, half = onnx_model(network), onnx_model(network, TensorProto.FLOAT16)
    weights = folder / WEIGHTS_FILE
    _share_weights([full, half], weights)
    files = ExportedNetworks(folder / "embedder.onnx", folder / "embedder.trt.onnx", weights)
    files.fp32.write_bytes(full.SerializeToString())
    files.tensorrt.write_bytes(half.SerializeToString())
    return files


def torch_embeddings(network: Embedder, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Embeddings by torch in fp32, shape ``(B, D)``: the reference of every parity check."""
    with torch.no_grad():
        embeddings: NDArray[np.float32] = network(torch.from_numpy(crops)).numpy()
    return embeddings


def assert_parity(
    reference: NDArray[np.float32], measured: NDArray[np.float32], name: str, tolerance: float
) -> float:
    """Largest cosine distance between two networks' embeddings of the same crops.

    Args:
        reference: Unit embeddings, shape ``(B, D)``.
        measured: Those of the network under test.
        name: What the network under test is called in the error.
        tolerance: Largest distance allowed.

    Raises:
        WalkoutTrainerError: They are further apart than ``tolerance``.
    """
    worst = float((1 - (reference * measured).sum(1)).max())
    if not worst <= tolerance:
        raise WalkoutTrainerError(
            f"{name} strays from the trained network: cosine distance {worst:.2g}, "
            f"allowed {tolerance:.2g}"
        )
    return max(worst, 0.0)
