"""Several threads share a network: crops go together, none twice, and nobody is forgotten."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.errors import EmbedderError
from edge.events import EmbedderDescription
from edge.matching.shared import SharedNetwork, Sharing

SIDE, DIM = 32, 8
PATIENCE_S = 20.0


class Network:
    """Embeds a crop by the colours of its corner, and remembers what it was given at once."""

    space_id = "space"
    input_size_px = SIDE
    embedding_dim = DIM

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.may_go = threading.Event()
        self.may_go.set()
        self.at_work = threading.Event()
        self.breaks_on: int | None = None
        self._alone = threading.Lock()

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert self._alone.acquire(blocking=False), "two threads were in the network at once"
        try:
            self.batches.append(len(crops))
            self.at_work.set()
            assert self.may_go.wait(PATIENCE_S)
            if self.breaks_on is not None and (crops[:, 0, 0, 0] == self.breaks_on).any():
                raise EmbedderError("it broke")
            found = np.ones((len(crops), DIM), np.float32)
            found[:, 0] += crops[:, 0, 0, 0]
            unit: NDArray[np.float32] = found / np.linalg.norm(found, axis=1, keepdims=True)
            return unit
        finally:
            self._alone.release()

    def describe(self) -> EmbedderDescription:
        return EmbedderDescription("none", (), "fp32", 1, "a test")


def _crops(*corners: int) -> NDArray[np.uint8]:
    crops = np.zeros((len(corners), SIDE, SIDE, 3), np.uint8)
    crops[:, 0, 0, 0] = corners
    return crops


def _until(holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.002)


def test_crops_that_come_while_a_batch_is_at_work_go_together_and_come_back_to_their_owners() -> (
    None
):
    network = Network()
    shared = SharedNetwork(network, Sharing())
    network.may_go.clear()
    with ThreadPoolExecutor(7) as threads:
        first = threads.submit(shared.embed, _crops(200))
        assert network.at_work.wait(PATIENCE_S)
        later = [threads.submit(shared.embed, _crops(n, n + 1)) for n in range(0, 12, 2)]
        _until(lambda: len(shared._waiting) == 6)
        network.may_go.set()
        answers = [each.result(PATIENCE_S) for each in later]
        assert np.array_equal(first.result(PATIENCE_S), network.embed(_crops(200)))
    assert network.batches[:2] == [1, 12]
    for number, answer in enumerate(answers):
        assert np.allclose(answer, network.embed(_crops(2 * number, 2 * number + 1)))


def test_a_batch_takes_no_more_than_it_may_and_everybody_is_answered() -> None:
    network = Network()
    shared = SharedNetwork(network, Sharing(most_crops=4))
    network.may_go.clear()
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(shared.embed, _crops(1))
        assert network.at_work.wait(PATIENCE_S)
        later = [threads.submit(shared.embed, _crops(n, n, n)) for n in range(5)]
        large = threads.submit(shared.embed, _crops(*range(9)))
        _until(lambda: len(shared._waiting) == 6)
        network.may_go.set()
        assert len(first.result(PATIENCE_S)) == 1
        assert [len(each.result(PATIENCE_S)) for each in later] == [3] * 5
        assert len(large.result(PATIENCE_S)) == 9
    assert sorted(network.batches) == [1, 3, 3, 3, 3, 3, 9]


def test_with_a_budget_the_first_crop_waits_for_others_but_not_for_ever() -> None:
    network = Network()
    shared = SharedNetwork(network, Sharing(gather_ms=1000 * PATIENCE_S, most_crops=2))
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(shared.embed, _crops(n)) for n in (1, 2)]
        assert [len(each.result(PATIENCE_S)) for each in both] == [1, 1]
    assert network.batches == [2]
    hasty = SharedNetwork(network, Sharing(gather_ms=5.0))
    assert len(hasty.embed(_crops(3))) == 1


def test_what_breaks_a_batch_is_told_to_all_of_it_and_the_next_one_goes_on() -> None:
    network = Network()
    shared = SharedNetwork(network, Sharing())
    network.may_go.clear()
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(shared.embed, _crops(200))
        assert network.at_work.wait(PATIENCE_S)
        network.breaks_on = 7
        unlucky = [threads.submit(shared.embed, _crops(n)) for n in (6, 7)]
        _until(lambda: len(shared._waiting) == 2)
        network.may_go.set()
        assert len(first.result(PATIENCE_S)) == 1
        for each in unlucky:
            with pytest.raises(EmbedderError, match="it broke"):
                each.result(PATIENCE_S)
    assert len(shared.embed(_crops(8))) == 1


def test_a_crop_that_is_equal_to_the_last_pixel_is_not_embedded_again() -> None:
    network = Network()
    shared = SharedNetwork(network, Sharing(remembered_crops=2))
    first = shared.embed(_crops(1, 2))
    assert np.array_equal(shared.embed(_crops(2, 1)), first[::-1])
    assert network.batches == [2]
    mixed = shared.embed(_crops(2, 3))
    assert network.batches == [2, 1]
    assert np.array_equal(mixed[0], first[1])
    shared.embed(_crops(1))  # the memory holds two, and this was the older one
    assert network.batches == [2, 1, 1]
    assert shared.embed(_crops()).shape == (0, DIM)


def test_one_pixel_makes_another_crop() -> None:
    network = Network()
    shared = SharedNetwork(network, Sharing(remembered_crops=8))
    crop = _crops(5)
    shared.embed(crop)
    elsewhere = crop.copy()
    elsewhere[0, 3, 3, 1] = 1
    shared.embed(elsewhere)
    assert network.batches == [1, 1]
