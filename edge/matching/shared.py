"""One network that several threads use: their crops go together, and none is embedded twice.

Cameras, searches and rehearsals ask at their own moments. While a batch is at work the crops that
come meanwhile gather, and go as one batch after it; with a latency budget the first crop of a batch
also waits that long for others, which pays where a batch costs little more than a crop (a GPU). The
thread that finds the network free works for everybody who waits: there is no thread more, and
whoever asks alone is served at once.

A crop that is equal to one seen before, byte for byte, has the same embedding: of a camera that
looks at a shelf where nothing moves, compression makes many crops equal. Owns this memory and the
queue; knows no inference runtime.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.errors import EmbedderError, WalkoutEdgeError
from edge.matching.embedding import CropEmbedder

_SAMPLED_EVERY_PX: Final = 16


@dataclass(frozen=True)
class Sharing:
    """How a network is shared.

    Attributes:
        gather_ms: How long the first crop of a batch may wait for others.
        most_crops: A batch takes no further caller's crops when it would exceed this.
        remembered_crops: How many crops are remembered with their embeddings; 0 remembers none.
    """

    gather_ms: float = 0.0
    most_crops: int = 16
    remembered_crops: int = 0


class SharedNetwork:
    """A network behind a queue and a memory; safe to use from several threads.

    Args:
        network: Computes embeddings; called by one thread at a time.
        sharing: How long to wait, how much to remember.
    """

    def __init__(self, network: CropEmbedder, sharing: Sharing) -> None:
        self.network = network
        self._sharing = sharing
        self._seen = _Seen(sharing.remembered_crops)
        self._changed = threading.Condition()
        self._waiting: deque[_Request] = deque()
        self._at_work = False

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unit embeddings ``(B, D)`` of prepared BGR crops ``(B, S, S, 3)``.

        Raises:
            EmbedderError: The network failed, on these crops or on those that went with them.
        """
        if not self._sharing.remembered_crops:
            return self._gathered(crops)
        known = [self._seen.recall(crop) for crop in crops]
        new = [row for row, embedding in enumerate(known) if embedding is None]
        if new:
            fresh = self._gathered(crops[new] if len(new) < len(crops) else crops)
            for row, embedding in zip(new, fresh, strict=True):
                self._seen.keep(crops[row], embedding)
                known[row] = embedding
        found = [embedding for embedding in known if embedding is not None]
        return np.stack(found) if found else self.network.embed(crops)

    def _gathered(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        request = _Request(crops, time.monotonic() + self._sharing.gather_ms / 1000)
        with self._changed:
            self._waiting.append(request)
            self._changed.notify_all()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: request.answered or not self._at_work)
                if request.answered:
                    return request.answer()
                self._at_work = True
                self._changed.wait_for(self._enough, max(0.0, request.until_s - time.monotonic()))
                batch = self._taken()
            try:
                self._work(batch)
            finally:
                with self._changed:
                    self._at_work = False
                    self._changed.notify_all()

    def _enough(self) -> bool:
        return sum(len(each.crops) for each in self._waiting) >= self._sharing.most_crops

    def _taken(self) -> list[_Request]:
        batch = [self._waiting.popleft()]
        crops = len(batch[0].crops)
        while self._waiting and crops + len(self._waiting[0].crops) <= self._sharing.most_crops:
            batch.append(self._waiting.popleft())
            crops += len(batch[-1].crops)
        return batch

    def _work(self, batch: Sequence[_Request]) -> None:
        """Embed the crops of several requests; whatever happens, each of them is answered."""
        failure = EmbedderError("the network broke down on crops that went in one batch with these")
        try:
            alone = len(batch) == 1
            together = batch[0].crops if alone else np.concatenate([each.crops for each in batch])
            embeddings = self.network.embed(together)
            at = 0
            for each in batch:
                each.embeddings = embeddings[at : at + len(each.crops)]
                at += len(each.crops)
        except WalkoutEdgeError as err:
            failure = EmbedderError(str(err))
            failure.__cause__ = err
        finally:
            for each in batch:
                if each.embeddings is None:
                    each.failure = failure


@dataclass(eq=False)
class _Request:
    """Crops of one caller.

    Attributes:
        crops: Shape ``(B, S, S, 3)``.
        until_s: When it will not wait for others any more, on the monotonic clock.
        embeddings: Shape ``(B, D)``, once they are there.
        failure: Why there are none.
    """

    crops: NDArray[np.uint8]
    until_s: float
    embeddings: NDArray[np.float32] | None = None
    failure: EmbedderError | None = None

    @property
    def answered(self) -> bool:
        return self.embeddings is not None or self.failure is not None

    def answer(self) -> NDArray[np.float32]:
        if self.failure is not None:
            raise self.failure
        assert self.embeddings is not None
        return self.embeddings


class _Seen:
    """The crops seen last, with their embeddings. Found by some pixels, trusted by all of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._by_pixels: OrderedDict[bytes, tuple[NDArray[np.uint8], NDArray[np.float32]]] = (
            OrderedDict()
        )

    def recall(self, crop: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        pixels = _some_pixels(crop)
        with self._lock:
            seen = self._by_pixels.get(pixels)
            if seen is None:
                return None
            self._by_pixels.move_to_end(pixels)
        kept, embedding = seen
        return embedding if np.array_equal(kept, crop) else None

    def keep(self, crop: NDArray[np.uint8], embedding: NDArray[np.float32]) -> None:
        entry = (crop.copy(), embedding.copy())
        with self._lock:
            self._by_pixels[_some_pixels(crop)] = entry
            while len(self._by_pixels) > self._most:
                self._by_pixels.popitem(last=False)


def _some_pixels(crop: NDArray[np.uint8]) -> bytes:
    return crop[::_SAMPLED_EVERY_PX, ::_SAMPLED_EVERY_PX].tobytes()
