"""OpenVINO behind the ``Embedder`` seam: the faster backend on x86 processors, an optional extra.

Owns its settings. Batches are of fixed size, because OpenVINO takes a sixth to a third longer where
the batch is left open: four crops at a time, the rest three or one, so nothing is filled up.
bf16 is computed in only where it was asked for; an INT8 network gains nothing from it. Threads are
not pinned: by default each process would put its network on the first core, beside the decoders.
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

_BATCHES: Final = (4, 3, 1)
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
        if precision == "bf16" and "BF16" not in _capabilities(core):
            raise RuntimeUnavailableError(
                "this processor does not compute in bf16: use precision auto, int8 or fp32"
            )
        options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        }
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        self._requests: dict[int, Any] = {}
        try:
            for batch in _BATCHES:
                model = core.read_model(network)
                _require_interface(model, self.input_size_px, self.embedding_dim, str(network))
                model.reshape({INPUT_NAME: [batch, self.input_size_px, self.input_size_px, 3]})
                compiled = core.compile_model(model, _DEVICE, options)
                self._requests[batch] = compiled.create_infer_request()
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
        embeddings = np.empty((len(crops), self.embedding_dim), np.float32)
        at = 0
        try:
            # A request works on one batch at a time.
            with self._lock:
                while at < len(crops):
                    batch = next(each for each in _BATCHES if each <= len(crops) - at)
                    some = {INPUT_NAME: crops[at : at + batch]}
                    found = self._requests[batch].infer(some, share_inputs=True)
                    embeddings[at : at + batch] = found[OUTPUT_NAME]
                    at += batch
        except RuntimeError as err:
            raise EmbedderError(
                f"OpenVINO failed on {len(crops)} crops: {first_line(err)}"
            ) from err
        return embeddings


def _capabilities(core: Any) -> list[str]:  # noqa: ANN401 -- OpenVINO's own
    return list(core.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES"))


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
