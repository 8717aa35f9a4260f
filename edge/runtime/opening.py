"""The one door to inference: a bundle in, an embedder out, whatever this device runs it with.

Owns that a backend which cannot work is replaced aloud or not at all. What is chosen, and why, is
``edge.runtime.choice``'s; how it runs is each backend's.

Example::

    settings = RuntimeSettings().within(state_folder)
    recogniser = Recogniser(bundles, open_embedders(bundles, settings, threads=1))
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import cache
from typing import Final

from edge.errors import EmbedderError, RuntimeUnavailableError
from edge.runtime.base import Embedder
from edge.runtime.choice import LAST_RESORT, PROVIDERS, Choice, choose_backend, fallback_choice
from edge.runtime.golden import TOLERANCE, golden_deviation
from edge.runtime.machine import Machine, look_around
from edge.runtime.onnxruntime import OnnxRuntimeEmbedder
from edge.runtime.openvino import OpenVinoEmbedder, OpenVinoPrecision
from edge.runtime.settings import RuntimeSettings
from edge.runtime.standby import StandbyEmbedder
from edge.runtime.tensorrt import kept_tensorrt, open_tensorrt
from edge.runtime.tensorrt_build import Tell, TensorRtName
from models.bundle import Bundle

_LOGGER: Final = logging.getLogger(__name__)

this_machine = cache(look_around)
"""What this machine has, looked at once."""


def open_embedder(
    bundle: Bundle,
    settings: RuntimeSettings | None = None,
    threads: int | None = None,
    *,
    tell: Tell | None = None,
    wait: bool = True,
    machine: Machine | None = None,
) -> Embedder:
    """Open a bundle's network with the best that this device has.

    Args:
        bundle: A verified bundle.
        settings: How networks run here; the defaults when left out.
        threads: Threads of the network on a CPU; ``None`` takes every core.
        tell: Told the phase and the percentage while an engine is built; logged when left out.
        wait: Whether to wait for an engine that has to be built first; otherwise the CPU serves
            until it is.
        machine: What there is; this machine when left out.

    Raises:
        RuntimeUnavailableError: What the settings ask for cannot work, and they allow no fallback.
        EmbedderError: The network cannot be opened at all, or not in the precision asked for.
    """
    settings = settings or RuntimeSettings()
    choice = choose_backend(machine or this_machine(), settings)
    for warning in choice.warnings:
        _LOGGER.error("%s", warning) if choice.fell_back else _LOGGER.warning("%s", warning)
    if choice.fell_back:
        return _on_cpu(bundle, choice, threads)
    try:
        return _open(bundle, choice, settings, threads, tell or _log_progress, wait)
    except (RuntimeUnavailableError, EmbedderError) as err:
        if choice.backend == LAST_RESORT or not settings.fallback:
            raise
        instead = fallback_choice(choice.backend, str(err))
        _LOGGER.error("%s", instead.why)
        return _on_cpu(bundle, instead, threads)


def open_embedders(
    bundles: Iterable[Bundle],
    settings: RuntimeSettings | None = None,
    threads: int | None = None,
    *,
    wait: bool = True,
) -> list[Embedder]:
    """One network for each embedding space among bundles; see ``open_embedder``."""
    first_of_space = {bundle.manifest.space_id: bundle for bundle in reversed(list(bundles))}
    return [
        open_embedder(bundle, settings, threads, wait=wait) for bundle in first_of_space.values()
    ]


def _open(
    bundle: Bundle,
    choice: Choice,
    settings: RuntimeSettings,
    threads: int | None,
    tell: Tell,
    wait: bool,
) -> Embedder:
    backend, why = choice.backend, choice.why
    if backend == "tensorrt" or backend == "tensorrt_rtx":
        return _on_tensorrt(bundle, backend, choice, settings, threads, tell, wait)
    if backend == "openvino":
        precision, reason = _openvino_precision(bundle, settings)
        embedder = OpenVinoEmbedder(bundle, precision, f"{why}; {reason}", threads)
        if settings.precision == "auto" and precision == "int8":
            return _unless_it_overflows(bundle, embedder, why, threads)
        return embedder
    if settings.precision == "bf16":
        raise EmbedderError(f"{backend} does not compute in bf16: use precision auto, fp32 or int8")
    return OnnxRuntimeEmbedder.from_bundle(
        bundle, settings.precision, PROVIDERS[backend], threads, why
    )


def _on_tensorrt(
    bundle: Bundle,
    runtime: TensorRtName,
    choice: Choice,
    settings: RuntimeSettings,
    threads: int | None,
    tell: Tell,
    wait: bool,
) -> Embedder:
    if wait:
        return open_tensorrt(bundle, runtime, settings, choice.why, tell)
    kept = kept_tensorrt(bundle, runtime, settings, choice.why)
    if kept is not None:
        return kept
    stand_in = OnnxRuntimeEmbedder.from_bundle(
        bundle, threads=threads, why="stands in while an engine is built"
    )

    def open_own(progress: Tell) -> Embedder:
        return open_tensorrt(bundle, runtime, settings, choice.why, progress)

    return StandbyEmbedder(bundle, stand_in, open_own, runtime)


def _on_cpu(bundle: Bundle, choice: Choice, threads: int | None) -> Embedder:
    return OnnxRuntimeEmbedder.from_bundle(bundle, threads=threads, why=choice.why)


def _openvino_precision(bundle: Bundle, settings: RuntimeSettings) -> tuple[OpenVinoPrecision, str]:
    wanted, ships_int8 = settings.precision, bundle.manifest.quantisation.int8_shipped
    if wanted == "auto":
        if ships_int8:
            return "int8", "the bundle ships an INT8 network within a point of fp32"
        return "fp32", "the bundle ships no INT8 network"
    if wanted == "fp16":
        raise EmbedderError("OpenVINO on a CPU does not compute in fp16: use bf16, int8 or auto")
    if wanted == "int8" and not ships_int8:
        raise EmbedderError("the bundle ships no INT8 network: use precision auto, bf16 or fp32")
    return wanted, f"{wanted} was asked for"


def _unless_it_overflows(bundle: Bundle, int8: Embedder, why: str, threads: int | None) -> Embedder:
    """The INT8 network where it gives what the bundle expects, or the fp32 one.

    On x86 without VNNI OpenVINO's INT8 sums may overflow: for most networks that is harmless, and
    some come out as something else.
    """
    deviation = golden_deviation(bundle, int8)
    if deviation <= TOLERANCE["int8"]:
        return int8
    reason = (
        f"the INT8 network's golden crops come out {deviation:.2f} away on this processor (at most "
        f"{TOLERANCE['int8']:.2f}), so fp32"
    )
    _LOGGER.warning("%s: %s", bundle.manifest.category, reason)
    return OpenVinoEmbedder(bundle, "fp32", f"{why}; {reason}", threads)


def _log_progress(phase: str, percent: float) -> None:
    _LOGGER.info("building an engine: %.0f %% (%s)", percent, phase)
