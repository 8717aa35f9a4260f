"""Frames that carry their number, clocks that a test turns, and threads that end with the test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from edge.cameras.newest import NewestFrame
from tests.edge.videos import Image, write_clip

BITS = 8
BIT_PX = 24
HEIGHT_PX = 48


def numbered(number: int) -> Image:
    """A picture of a number: eight blocks, black or white, that survive compression."""
    bits = [number >> bit & 1 for bit in range(BITS)]
    row = np.repeat(np.array(bits, np.uint8) * 200 + 25, BIT_PX)
    return np.repeat(np.tile(row, (HEIGHT_PX, 1))[:, :, None], 3, axis=2)


def number_in(image: Image) -> int:
    """The number that ``numbered`` drew."""
    blocks = image.reshape(HEIGHT_PX, BITS, BIT_PX, 3).mean(axis=(0, 2, 3))
    return sum(1 << bit for bit, grey in enumerate(blocks) if grey > 125)


def write_numbered(path: Path, frames: int, fps: float = 15, first: int = 0) -> Path:
    """A video whose frame ``i`` shows ``first + i``."""
    return write_clip(path, (numbered(first + number) for number in range(frames)), fps)


class HandClock:
    """A clock that stands still until somebody sleeps on it or turns it."""

    def __init__(self, now_s: float = 100.0, wall_s: float = 1_000_000.0) -> None:
        self.now_s = now_s
        self._wall_ahead_s = wall_s - now_s
        self.slept_s: list[float] = []

    def monotonic_s(self) -> float:
        """The hand's position."""
        return self.now_s

    def wall_time_s(self) -> float:
        """Runs along."""
        return self.now_s + self._wall_ahead_s

    def sleep(self, seconds: float) -> None:
        """Turn the hand."""
        if seconds > 0:
            self.slept_s.append(seconds)
            self.now_s += seconds


@contextmanager
def running(reader: NewestFrame) -> Iterator[NewestFrame]:
    """Run a reader in its thread until the test is done with it."""
    stop = threading.Event()
    thread = threading.Thread(target=reader.run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield reader
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive(), "the reader did not end"


def wait_until(holds: Callable[[], bool], what: str, within_s: float = 20.0) -> None:
    """Wait for something that other threads or processes bring about."""
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until, f"not within {within_s} s: {what}"
        time.sleep(0.01)
