"""An embedder that serves with what is there while something faster is made ready behind it.

Building an engine takes minutes on a device. Until it is built, and has passed the bundle's golden
crops, the stand-in serves; then one assignment puts the new one in its place, between two batches.
If it fails, the stand-in stays, and says so.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.errors import WalkoutEdgeError
from edge.events import EmbedderDescription
from edge.runtime.base import Embedder
from edge.runtime.golden import check_golden
from edge.runtime.tensorrt_build import Tell
from models.bundle import Bundle

_LOGGER: Final = logging.getLogger(__name__)
_TELL_EVERY_PERCENT: Final = 10.0


class StandbyEmbedder(Embedder):
    """Serves with a stand-in until the real one is ready.

    Args:
        bundle: Whose network both run.
        stand_in: Serves at once.
        open_own: Makes the real one; runs in a thread of its own and may take long.
        name: Of the real one, for people.
    """

    def __init__(
        self,
        bundle: Bundle,
        stand_in: Embedder,
        open_own: Callable[[Tell], Embedder],
        name: str,
    ) -> None:
        super().__init__(stand_in.space_id, stand_in.input_size_px, stand_in.embedding_dim)
        self._serving = stand_in
        self._name = name
        self._note = f"{name} is being made ready"
        self._told_percent = -_TELL_EVERY_PERCENT
        self._thread = threading.Thread(
            target=self._make_ready, args=(bundle, open_own), name="engine", daemon=True
        )
        self._thread.start()

    def describe(self) -> EmbedderDescription:
        """Of what serves at this moment, and how the real one gets on."""
        serving = self._serving.describe()
        return replace(serving, why=f"{serving.why}; {self._note}") if self._note else serving

    def settled(self, timeout_s: float | None = None) -> bool:
        """Wait until it is decided what serves; whether it is."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._serving.embed(crops)

    def _make_ready(self, bundle: Bundle, open_own: Callable[[Tell], Embedder]) -> None:
        try:
            own = open_own(self._tell)
            deviation = check_golden(bundle, own)
        except (WalkoutEdgeError, OSError, MemoryError) as err:
            self._note = f"fallback: {self._name} cannot work here: {err}"
            _LOGGER.error("%s", self._note)
            return
        except Exception:
            self._note = f"fallback: {self._name} failed; the log says how"
            _LOGGER.exception("%s", self._note)
            return
        self._serving, self._note = own, ""
        _LOGGER.info(
            "%s serves from now on, golden crops within %.4f", own.describe().backend, deviation
        )

    def _tell(self, phase: str, percent: float) -> None:
        self._note = f"{self._name} is being built: {percent:.0f} % ({phase})"
        if percent >= self._told_percent + _TELL_EVERY_PERCENT:
            self._told_percent = percent
            _LOGGER.info("%s", self._note)
