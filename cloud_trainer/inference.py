"""Embeds photos with an exported network on the trainer's side, through ONNX Runtime on the CPU.

Owns running a bundle's network outside the device: evaluation, enrolment and clustering all see
exactly the file that a device will run. Does not own preprocessing (``models.preprocess``), reading
photos (``models.photos``), or the device's runtimes (``edge.runtime``).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from cloud_trainer.errors import WalkoutTrainerError
from models.bundle import Bundle
from models.catalogue import Photo
from models.photos import PhotoError, read_photo
from models.preprocess import Preprocessing, photo_region, prepare

BATCH = 16  # photos a network call; larger batches only cost memory on a CPU


@dataclass(frozen=True)
class SetAside:
    """A photo that could not be used, and why.

    Attributes:
        photo: The photo.
        reason: What is wrong with it, in words.
    """

    photo: Photo
    reason: str


class NetworkSession:
    """A network file, loaded once and ready to embed crops.

    Attributes:
        path: The ONNX file.
        input_size_px: Side of the square input, ``None`` when the network leaves it open.
        embedding_dim: Length of an embedding, ``None`` when the network does not state it.
    """

    def __init__(self, network: Path | Bundle, threads: int | None = None) -> None:
        """Load a network.

        Args:
            network: An ONNX file, a bundle's folder, or an opened bundle; of a bundle, the fp32
                network is taken. For another precision pass ``bundle.network_path("int8")``.
            threads: Threads for one call; ``None`` uses every core of this process.

        Raises:
            WalkoutTrainerError: The file is missing or is no network that ONNX Runtime can run.
        """
        if isinstance(network, Bundle):
            network = network.network_path("fp32")
        self.path = network / "embedder.onnx" if network.is_dir() else network
        if not self.path.is_file():
            raise WalkoutTrainerError(f"{self.path}: no network there; name an ONNX file or bundle")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or 0  # 0: ONNX Runtime takes every core
        # The same INT8 figures on every machine: without VNNI sums would overflow.
        options.add_session_config_entry("session.x64quantprecision", "1")
        try:
            self._session = ort.InferenceSession(
                str(self.path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as err:  # ONNX Runtime's exceptions share no public base class
            raise WalkoutTrainerError(
                f"{self.path}: ONNX Runtime cannot load this network ({_first_line(err)}); "
                "export it again"
            ) from err
        entry, result = self._session.get_inputs()[0], self._session.get_outputs()[0]
        if entry.type != "tensor(uint8)" or len(entry.shape) != 4:
            raise WalkoutTrainerError(
                f"{self.path}: takes {entry.type} of shape {entry.shape}, not uint8 (B, S, S, 3); "
                "this is not a Walkout embedder"
            )
        self._input_name, self._output_name = entry.name, result.name
        self.input_size_px: int | None = entry.shape[1] if _is_size(entry.shape[1]) else None
        self.embedding_dim: int | None = result.shape[-1] if _is_size(result.shape[-1]) else None

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed prepared crops, however many, in batches.

        Args:
            crops: Prepared crops, BGR, uint8, shape ``(N, S, S, 3)``.

        Returns:
            Unit embeddings, float32, shape ``(N, D)``.

        Raises:
            WalkoutTrainerError: The network refuses this input, for example its size.
        """
        if len(crops) == 0:
            return np.zeros((0, self.embedding_dim or 0), np.float32)
        try:
            parts = [
                self._session.run(
                    [self._output_name], {self._input_name: crops[start : start + BATCH]}
                )[0]
                for start in range(0, len(crops), BATCH)
            ]
        except Exception as err:  # ONNX Runtime's exceptions share no public base class
            raise WalkoutTrainerError(
                f"{self.path}: cannot embed crops of shape {crops.shape} ({_first_line(err)}); "
                "check the input size in the bundle's preprocessing"
            ) from err
        return np.concatenate(parts).astype(np.float32, copy=False)


def embed_photos(
    session: NetworkSession,
    photos: Sequence[Photo],
    preprocessing: Preprocessing,
    progress: Callable[[int], None] | None = None,
) -> tuple[NDArray[np.float32], tuple[SetAside, ...]]:
    """Read, prepare and embed photos; decoding runs in threads beside the network.

    Args:
        session: The network.
        photos: Photos in the order in which the embeddings are wanted.
        preprocessing: How photos become network inputs.
        progress: Called with the number of photos just finished, good or bad.

    Returns:
        The embeddings of the good photos in their order, float32, shape ``(N, D)``, and the photos
        that were set aside with their reasons; ``usable(photos, set_aside)`` pairs up with the
        rows.

    Raises:
        WalkoutTrainerError: The network refuses the prepared photos.
    """
    rows: list[NDArray[np.float32]] = []
    set_aside: list[SetAside] = []
    batch: list[NDArray[np.uint8]] = []
    for photo, prepared in zip(photos, _prepared(photos, preprocessing), strict=True):
        if isinstance(prepared, PhotoError):
            set_aside.append(SetAside(photo, str(prepared)))
            if progress is not None:
                progress(1)
            continue
        batch.append(prepared)
        if len(batch) == BATCH:
            rows.append(_embed_batch(session, batch, progress))
            batch = []
    rows.append(_embed_batch(session, batch, progress))
    return np.concatenate([part for part in rows if len(part)] or rows), tuple(set_aside)


def usable(photos: Sequence[Photo], set_aside: Sequence[SetAside]) -> tuple[Photo, ...]:
    """The photos that were embedded, in their order: one for each row of the embeddings."""
    bad = {entry.photo for entry in set_aside}
    return tuple(photo for photo in photos if photo not in bad)


def prepare_photo(path: Path, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Read one photo and prepare it as the network wants it.

    Returns:
        BGR, uint8, shape ``(S, S, 3)``.

    Raises:
        PhotoError: The photo cannot be used.
    """
    size_px = preprocessing.input_size_px
    prepared = np.empty((size_px, size_px, 3), np.uint8)
    prepare(photo_region(read_photo(path), preprocessing), prepared, preprocessing.pad_value)
    return prepared


def _prepared(
    photos: Sequence[Photo], preprocessing: Preprocessing
) -> Iterator[NDArray[np.uint8] | PhotoError]:
    """Prepared photos in order, read a bounded number ahead so that memory stays flat."""

    def attempt(photo: Photo) -> NDArray[np.uint8] | PhotoError:
        try:
            return prepare_photo(photo.path, preprocessing)
        except PhotoError as err:
            return err

    waiting: deque[Future[NDArray[np.uint8] | PhotoError]] = deque()
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for photo in photos:
            waiting.append(pool.submit(attempt, photo))
            if len(waiting) > 2 * BATCH:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _embed_batch(
    session: NetworkSession,
    batch: list[NDArray[np.uint8]],
    progress: Callable[[int], None] | None,
) -> NDArray[np.float32]:
    if not batch:
        return np.zeros((0, session.embedding_dim or 0), np.float32)
    embeddings = session.embed(np.stack(batch))
    if progress is not None:
        progress(len(batch))
    return embeddings


def _is_size(value: object) -> bool:
    return isinstance(value, int) and value > 0


def _first_line(err: Exception) -> str:
    return (str(err).strip().splitlines() or [type(err).__name__])[0]
