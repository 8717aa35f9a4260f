"""OpenVINO behind the ``Embedder`` seam: the faster backend on x86 processors, an optional extra.

Owns its settings. bf16 is taken for what the network leaves in floating point only where the
processor has it and the precision asked for allows it: ``fp32`` means fp32.
"""

from __future__ import annotations

import importlib
import threading
from types import ModuleType
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from edge.errors import EmbedderError, RuntimeUnavailableError
from edge.events import EmbedderDescription
from edge.runtime.base import Embedder
from edge.runtime.onnxruntime import INPUT_NAME, OUTPUT_NAME, first_line
from models.bundle import Bundle

OpenVinoPrecision = Literal["fp32", "bf16", "int8"]

_LARGEST_BATCH: Final = 32
_DEVICE: Final = "CPU"


class OpenVinoEmbedder(Embedder):
    """A bundle's network in OpenVINO on the CPU.

    Args:
        bundle: A verified bundle.
        precision: Of the network; ``int8`` needs the bundle's INT8 file.
        why: Why this backend and precision, in words.
        threads: Threads of the network; ``None`` takes every core.

    Raises:
        RuntimeUnavailableError: OpenVINO is not installed, or the processor lacks the precision.
        EmbedderError: The network cannot be opened or is not what the manifest says.
    """

    def __init__(
        self,
        bundle: Bundle,
        precision: OpenVinoPrecision,
        why: str,
        threads: int | None = None,
    ) -> None:
        manifest = bundle.manifest
        super().__init__(
            manifest.space_id, manifest.preprocessing.input_size_px, manifest.embedding_dim
        )
        openvino = import_openvino()
        network = bundle.network_path("int8" if precision == "int8" else "fp32")
        core = openvino.Core()
        halves = "BF16" in core.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES")
        if precision == "bf16" and not halves:
            raise RuntimeUnavailableError(
                "this processor does not compute in bf16: use precision auto, int8 or fp32"
            )
        options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32" if precision == "fp32" or not halves else "bf16",
        }
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        try:
            model = core.read_model(network)
            _require_interface(model, self.input_size_px, self.embedding_dim, str(network))
            self._request = core.compile_model(model, _DEVICE, options).create_infer_request()
        except RuntimeError as err:
            raise EmbedderError(
                f"OpenVINO cannot open {network}: {first_line(err)}; fetch the bundle again, or "
                "use backend onnxruntime"
            ) from err
        self._lock = threading.Lock()
        self._description = EmbedderDescription(
            backend=f"openvino {openvino.__version__.split('-')[0]}",
            providers=(str(core.get_property(_DEVICE, "FULL_DEVICE_NAME")).strip(),),
            precision=precision,
            threads=threads or 0,
            why=why,
        )

    def describe(self) -> EmbedderDescription:
        """OpenVINO's version, the processor, the precision and why."""
        return self._description

    def _run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        parts = []
        try:
            # A request works on one batch at a time.
            with self._lock:
                for at in range(0, len(crops), _LARGEST_BATCH):
                    some = {INPUT_NAME: crops[at : at + _LARGEST_BATCH]}
                    found = self._request.infer(some, share_inputs=True)
                    parts.append(np.array(found[OUTPUT_NAME], np.float32))
        except RuntimeError as err:
            raise EmbedderError(
                f"OpenVINO failed on {len(crops)} crops: {first_line(err)}"
            ) from err
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def import_openvino() -> ModuleType:
    """OpenVINO's module.

    Raises:
        RuntimeUnavailableError: It is not installed.
    """
    try:
        return importlib.import_module("openvino")
    except (ImportError, OSError) as err:
        raise RuntimeUnavailableError(
            f"OpenVINO cannot be imported here ({err}): pip install 'walkout[openvino]'"
        ) from err


def _require_interface(model: Any, side: int, dim: int, name: str) -> None:  # noqa: ANN401
    # OpenVINO takes whatever shape it is given and may crash on one that does not fit.
    ports = [*model.inputs, *model.outputs]
    found = [
        (port.any_name, port.element_type.get_type_name(), str(port.partial_shape))
        for port in ports
    ]
    expected = [
        (INPUT_NAME, "u8", f"[?,{side},{side},3]"),
        (OUTPUT_NAME, "f32", f"[?,{dim}]"),
    ]
    if found != expected:
        raise EmbedderError(
            f"{name} is no Walkout network: it has {found} where {expected} is expected"
        )
