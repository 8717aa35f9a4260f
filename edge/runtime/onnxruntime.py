"""ONNX Runtime behind the ``Embedder`` seam: the backend every device has.

Owns session options, the choice between fp32 and INT8, and the check that the providers asked for
are the ones in use: ONNX Runtime falls back to the CPU without an error when a GPU provider cannot
start, which in a shop would look like a device that is merely slow.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from edge.errors import EmbedderError, RuntimeUnavailableError
from edge.events import EmbedderDescription
from edge.runtime.base import Embedder
from models.bundle import Bundle

Precision = Literal["auto", "fp32", "fp16", "int8"]
ChosenPrecision = Literal["fp32", "fp16", "int8"]

CPU_PROVIDER: Final = "CPUExecutionProvider"
INPUT_NAME: Final = "crops"
OUTPUT_NAME: Final = "embedding"
_LARGEST_BATCH: Final = 32
_PACKAGE_OF_PROVIDER: Final = {
    "CUDAExecutionProvider": "onnxruntime-gpu",
    "TensorrtExecutionProvider": "onnxruntime-gpu",
    "OpenVINOExecutionProvider": "onnxruntime-openvino",
}
# ONNX Runtime's exceptions share no base class of their own.
ORT_ERRORS: Final = (
    ort_state.EPFail,
    ort_state.Fail,
    ort_state.InvalidArgument,
    ort_state.InvalidGraph,
    ort_state.InvalidProtobuf,
    ort_state.NoSuchFile,
    ort_state.NotImplemented,
    ort_state.RuntimeException,
    RuntimeError,
    ValueError,
)


def session_options(threads: int | None = None) -> onnxruntime.SessionOptions:
    """The options every Walkout network runs with on the device.

    Args:
        threads: Threads inside one operator; ``None`` leaves it to ONNX Runtime (all cores).
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 3
    # x86 without VNNI multiplies INT8 with sums that overflow unless it is told not to.
    options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def require_providers(asked: Sequence[str], in_use: Sequence[str]) -> None:
    """Refuse a session that does not use what was asked for.

    Args:
        asked: Providers asked for, first choice first.
        in_use: What the session reports; ONNX Runtime appends the CPU provider by itself.

    Raises:
        RuntimeUnavailableError: The session fell back to something else.
    """
    if tuple(in_use[: len(asked)]) != tuple(asked):
        raise RuntimeUnavailableError(
            f"ONNX Runtime was asked for {', '.join(asked)} and silently took "
            f"{', '.join(in_use)}; check the driver and its libraries, or ask for {CPU_PROVIDER}"
        )


def require_installed(asked: Sequence[str]) -> None:
    """Refuse providers that this build of ONNX Runtime does not have.

    Raises:
        RuntimeUnavailableError: One is missing; the message names the package that brings it.
    """
    available = onnxruntime.get_available_providers()
    for provider in asked:
        if provider not in available:
            package = _PACKAGE_OF_PROVIDER.get(provider)
            remedy = f"pip install {package}" if package else f"use one of {', '.join(available)}"
            raise RuntimeUnavailableError(
                f"this ONNX Runtime {onnxruntime.__version__} has no {provider}: {remedy}"
            )


def choose_precision(
    precision: Precision, ships_int8: bool, providers: Sequence[str]
) -> tuple[ChosenPrecision, str]:
    """Which network to run, and why in words.

    Args:
        precision: What was asked for.
        ships_int8: Whether the bundle has an INT8 network; it ships one only when that cost at
            most one point of accuracy.
        providers: Execution providers, first choice first.

    Raises:
        EmbedderError: INT8 was asked for and the bundle has none, or fp16 on the CPU.
    """
    if precision == "fp16" and providers[0] == CPU_PROVIDER:
        raise EmbedderError(
            "the CPU does not gain from fp16: use precision auto, int8 or fp32, or a GPU"
        )
    if precision == "int8" and not ships_int8:
        raise EmbedderError(
            "the bundle ships no INT8 network (it lost more than a point, or was left out): "
            "use --precision fp32 or auto"
        )
    if precision != "auto":
        return precision, f"{precision} was asked for"
    if not ships_int8:
        return "fp32", "the bundle ships no INT8 network"
    if providers[0] != CPU_PROVIDER:
        return "fp32", f"the INT8 network is made for the CPU, not for {providers[0]}"
    return "int8", "the bundle ships an INT8 network for the CPU within a point of fp32"


class OnnxRuntimeEmbedder(Embedder):
    """A bundle's network in an ONNX Runtime session."""

    def __init__(
        self,
        network: Path,
        *,
        space_id: str,
        input_size_px: int,
        embedding_dim: int,
        precision: ChosenPrecision,
        why: str,
        providers: Sequence[str] = (CPU_PROVIDER,),
        threads: int | None = None,
    ) -> None:
        super().__init__(space_id, input_size_px, embedding_dim)
        require_installed(providers)
        try:
            self._session = onnxruntime.InferenceSession(
                str(network), session_options(threads), providers=list(providers)
            )
        except ORT_ERRORS as err:
            raise EmbedderError(
                f"ONNX Runtime cannot open {network}: {first_line(err)}; fetch the bundle again"
            ) from err
        require_providers(providers, self._session.get_providers())
        self._require_interface(network)
        self._description = EmbedderDescription(
            backend=f"onnxruntime {onnxruntime.__version__}",
            providers=tuple(self._session.get_providers()),
            precision=precision,
            threads=threads or 0,
            why=why,
        )

    @classmethod
    def from_bundle(
        cls,
        bundle: Bundle,
        precision: Precision = "auto",
        providers: Sequence[str] = (CPU_PROVIDER,),
        threads: int | None = None,
        why: str = "",
    ) -> OnnxRuntimeEmbedder:
        """Open the network of a verified bundle.

        Args:
            bundle: An opened bundle.
            precision: ``auto`` takes INT8 where the bundle ships it and the CPU computes.
            providers: Execution providers, first choice first; nothing else is accepted.
            threads: Threads inside one operator; ``None`` takes every core.
            why: Why this backend, in words.

        Raises:
            RuntimeUnavailableError: A provider is not installed or was silently not used.
            EmbedderError: The network cannot be opened or is not what the manifest says.
        """
        manifest = bundle.manifest
        chosen, reason = choose_precision(precision, manifest.quantisation.int8_shipped, providers)
        return cls(
            bundle.network_path("trt" if chosen == "fp16" else chosen),
            space_id=manifest.space_id,
            input_size_px=manifest.preprocessing.input_size_px,
            embedding_dim=manifest.embedding_dim,
            precision=chosen,
            why=f"{why}; {reason}" if why else reason,
            providers=providers,
            threads=threads,
        )

    def describe(self) -> EmbedderDescription:
        """ONNX Runtime's version, the providers in use, the precision and why."""
        return self._description

    def _require_interface(self, network: Path) -> None:
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        found = [(i.name, i.type) for i in inputs] + [(o.name, o.type) for o in outputs]
        expected = [(INPUT_NAME, "tensor(uint8)"), (OUTPUT_NAME, "tensor(float)")]
        if found != expected:
            raise EmbedderError(
                f"{network} is no Walkout network: it has {found} where {expected} is expected"
            )

    def _run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            parts = [
                cast(
                    "NDArray[np.float32]",
                    self._session.run([OUTPUT_NAME], {INPUT_NAME: crops[at : at + _LARGEST_BATCH]})[
                        0
                    ],
                )
                for at in range(0, len(crops), _LARGEST_BATCH)
            ]
        except ORT_ERRORS as err:
            raise EmbedderError(
                f"ONNX Runtime failed on {len(crops)} crops: {first_line(err)}"
            ) from err
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def first_line(err: Exception) -> str:
    """What an exception of ONNX Runtime says first; the rest is its own call stack."""
    return (str(err).strip().splitlines() or [type(err).__name__])[0]
