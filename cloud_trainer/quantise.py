"""INT8 files: static quantisation with ranges from the category's own photos.

Two kinds, since each runtime refuses or crawls on the other's. ONNX Runtime's is U8S8 QDQ, which
CPUs with VNNI or the like run about twice as fast as fp32. TensorRT's is symmetric S8S8 QDQ with
biases left in fp32, which its strongly typed networks take as it stands.

The inputs of convolutions and of residual sums are quantised, per tensor, and weights per channel.
Quantising a convolution's output before its ReLU6 costs accuracy; leaving out the sums costs the
speed, since the convolutions in front of them then run in fp32.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from cloud_trainer.export import INPUT_NAME

For = Literal["onnxruntime", "tensorrt"]
"""The runtime that a file is for."""

_LEFT_OUT: Final = {"OpTypesToExcludeOutputQuantization": ["Conv"]}
_SCHEMES: Final[dict[For, dict[str, Any]]] = {
    "onnxruntime": {"activation_type": QuantType.QUInt8, "extra_options": _LEFT_OUT},
    "tensorrt": {
        "activation_type": QuantType.QInt8,
        "extra_options": {
            **_LEFT_OUT,
            "ActivationSymmetric": True,
            "WeightSymmetric": True,
            "QuantizeBias": False,
        },
    },
}


class _Crops(CalibrationDataReader):  # type: ignore[misc]
    """Hands crops to the calibration, a few at a time."""

    def __init__(self, crops: NDArray[np.uint8], batch: int = 8) -> None:
        self._batches = iter(
            [crops[start : start + batch] for start in range(0, len(crops), batch)]
        )

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next batch, or ``None`` at the end."""
        batch = next(self._batches, None)
        return None if batch is None else {INPUT_NAME: batch}


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the fp16 weights of convolutions turned into the fp32 that their casts yield.

    The quantiser looks for weights beside convolutions, not behind casts. Other weights stay fp16.
    """
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    by_name = {tensor.name: tensor for tensor in plain.graph.initializer}
    of_convolutions = {
        name for node in plain.graph.node if node.op_type == "Conv" for name in node.input[1:]
    }
    renamed: dict[str, str] = {}
    kept = []
    for node in plain.graph.node:
        tensor = by_name.get(node.input[0]) if node.op_type == "Cast" else None
        if tensor is None or node.output[0] not in of_convolutions:
            kept.append(node)
            continue
        array = onnx.numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
        renamed[node.output[0]] = tensor.name
    for node in kept:
        for place, name in enumerate(node.input):
            node.input[place] = renamed.get(name, name)
    del plain.graph.node[:]
    plain.graph.node.extend(kept)
    return plain


def quantise(
    model: onnx.ModelProto,
    crops: NDArray[np.uint8],
    target: Path,
    runtime: For = "onnxruntime",
) -> None:
    """Write the INT8 version of ``model``.

    Args:
        model: From ``export.onnx_model``, fp32 arithmetic.
        crops: Prepared crops to take activation ranges from, shape ``(N, S, S, 3)``, uint8 BGR,
            at least eight.
        target: File to write.
        runtime: What it is for.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "fp32.onnx"
        onnx.save(folded(model), str(source))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            quantize_static(
                str(source),
                str(target),
                _Crops(crops),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv", "Add"],
                per_channel=True,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                **_SCHEMES[runtime],
            )
