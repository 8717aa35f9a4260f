"""What an exchange of networks costs whoever recognises: ``python -m tests.benchmarks.hot_swap``.

Crops come at a steady pace, as frames do. Meanwhile two networks of full precision take turns: the
other one is opened and swapped in, again and again, by the very code that a running device does it
with. Seconds count from when a batch was due to its answer; a batch that falls due while the one
before it is still at work is lost, as a frame would be. The pace must leave room: where the longest
batches last as long as the pace without any exchange, batches are lost either way.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.matching.recogniser import Recogniser
from edge.runtime.base import Embedder
from edge.runtime.opening import open_embedder
from edge.runtime.settings import RuntimeSettings
from edge.updates.live import LiveRecogniser
from models.bundle import Bundle, open_bundle
from tests.simulators.editions import write_edition
from tests.simulators.photos import draw_photo

DEFAULT_BUNDLE: Final = Path(__file__).parents[2] / "models" / "pretrained" / "groceries"
_CROP_PX: Final = 160
_SETTLES_S: Final = 1.0  # after an exchange, before the next one


@dataclass(frozen=True)
class Pace:
    """Batches at a pace.

    Attributes:
        batches: That were answered.
        lost: That fell due while another one was at work.
        median_ms: From when a batch was due to its answer.
        p99_ms: Likewise.
    """

    batches: int
    lost: int
    median_ms: float
    p99_ms: float


class Recognising:
    """A thread that recognises a batch whenever one is due, until it is left."""

    def __init__(self, live: LiveRecogniser, crops: int, pace_hz: float) -> None:
        self._live = live
        self._items = [[draw_photo(number, 0, size_px=_CROP_PX)] for number in range(crops)]
        self._period_s = 1.0 / pace_hz
        self._stop = threading.Event()
        self._took_ms: list[float] = []
        self._lost = 0
        self._thread = threading.Thread(target=self._run, name="recognising")

    def __enter__(self) -> Recognising:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stop.set()
        self._thread.join()

    def told(self) -> Pace:
        """What came of it, afterwards."""
        took_ms: NDArray[np.float64] = np.array(self._took_ms)
        return Pace(
            len(took_ms), self._lost, float(np.median(took_ms)), float(np.percentile(took_ms, 99))
        )

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._stop.wait(max(0.0, due_s - time.monotonic())):
            self._live.recognise_many(self._items)
            late_s = time.monotonic() - due_s
            self._took_ms.append(1000 * late_s)
            self._lost += int(late_s // self._period_s)
            due_s += self._period_s * (1 + late_s // self._period_s)


def measure(
    bundles: tuple[Bundle, Bundle],
    settings: RuntimeSettings,
    crops: int,
    pace_hz: float,
    swaps: int,
) -> tuple[Pace, Pace]:
    """Recognise at a pace, first alone, then for as long while networks are exchanged.

    Args:
        bundles: Two of one category, each with a network of its own.
        settings: What runs them, on one thread.
        crops: In a batch.
        pace_hz: Batches a second.
        swaps: How often they take turns.
    """

    def opened(each: Bundle) -> Embedder:
        return open_embedder(each, settings, threads=1)

    live = LiveRecogniser(Recogniser(bundles[:1], [opened(bundles[0])]), opened)
    live.recognise_many([[draw_photo(0, 0, size_px=_CROP_PX)]])
    began_s = time.monotonic()
    with Recognising(live, crops, pace_hz) as exchanged:
        for number in range(swaps):
            live.serve(bundles[(number + 1) % 2])
            time.sleep(_SETTLES_S)
    with Recognising(live, crops, pace_hz) as alone:
        time.sleep(time.monotonic() - began_s)
    return alone.told(), exchanged.told()


def main() -> int:
    """Measure and print; 1 where frames were lost by it or the tail is more than twice as long."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE)
    parser.add_argument("--backend", nargs="*", default=["onnxruntime", "openvino"])
    parser.add_argument("--crops", type=int, default=2, help="in a batch")
    parser.add_argument("--pace", type=float, default=5.0, help="batches a second")
    parser.add_argument("--swaps", type=int, default=10)
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="walkout-swap-") as name:
        base, folder = open_bundle(asked.bundle), Path(name)
        bundles = (
            write_edition(base, folder / "one", "one"),
            write_edition(base, folder / "other", "other", another_network=True),
        )
        return max(_told(backend, bundles, asked) for backend in asked.backend)


def _told(backend: str, bundles: tuple[Bundle, Bundle], asked: argparse.Namespace) -> int:
    settings = RuntimeSettings.for_a_person(backend=backend, precision="fp32")
    alone, exchanged = measure(bundles, settings, asked.crops, asked.pace, asked.swaps)
    ratio = exchanged.p99_ms / alone.p99_ms
    told = {
        "backend": backend,
        "swaps": asked.swaps,
        "alone": asdict(alone),
        "exchanged": asdict(exchanged),
        "p99_ratio": round(ratio, 2),
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(told), flush=True)
    return int(ratio > 2 or exchanged.lost > alone.lost)


if __name__ == "__main__":
    sys.exit(main())
