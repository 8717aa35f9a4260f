"""What every inference backend must do, as functions that take one and a bundle it was opened for.

Both the tests that run everywhere and those that need a GPU (``tests/gpu``) hold backends to it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edge.errors import EmbedderError
from edge.runtime.base import Embedder
from edge.runtime.golden import TOLERANCE, check_golden
from models.bundle import Bundle

LEAST_COSINE = {"fp32": 0.9999, "fp16": 0.999, "bf16": 0.995, "int8": 0.98}


def reproduces_the_golden_crops(embedder: Embedder, bundle: Bundle) -> None:
    precision = embedder.describe().precision
    assert check_golden(bundle, embedder) <= TOLERANCE[precision]
    found = embedder.embed(bundle.golden.crops)
    cosines = (found * bundle.golden.embeddings).sum(axis=1)
    assert float(cosines.min()) >= LEAST_COSINE[precision]


def gives_unit_rows_of_the_promised_length(embedder: Embedder, bundle: Bundle) -> None:
    found = embedder.embed(bundle.golden.crops)
    assert found.shape == (len(bundle.golden.crops), bundle.manifest.embedding_dim)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert embedder.space_id == bundle.manifest.space_id


def takes_batches_of_any_length(embedder: Embedder, bundle: Bundle) -> None:
    crops = np.concatenate([bundle.golden.crops] * 10)[:37]
    alone = np.concatenate([embedder.embed(crop[None]) for crop in bundle.golden.crops])
    for count in (0, 1, 2, 3, 5, 33, 37):
        together = embedder.embed(crops[:count])
        assert together.shape == (count, embedder.embedding_dim)
        for row in range(count):
            cosine = float(together[row] @ alone[row % len(alone)])
            assert cosine >= LEAST_COSINE[embedder.describe().precision]


def keeps_what_it_gave(embedder: Embedder, bundle: Bundle) -> None:
    """Results must not lie in memory that the next batch writes over."""
    first = embedder.embed(bundle.golden.crops[:1])
    copy = first.copy()
    embedder.embed(bundle.golden.crops[1:2])
    np.testing.assert_array_equal(first, copy)


def takes_views_that_are_not_contiguous(embedder: Embedder, bundle: Bundle) -> None:
    mirrored = bundle.golden.crops[:, :, ::-1]
    np.testing.assert_allclose(
        embedder.embed(mirrored), embedder.embed(np.ascontiguousarray(mirrored)), atol=1e-3
    )


def refuses_crops_that_were_not_prepared(embedder: Embedder, bundle: Bundle) -> None:
    side = embedder.input_size_px
    for wrong in (
        np.zeros((1, side - 1, side, 3), np.uint8),
        np.zeros((1, 3, side, side), np.uint8),
        np.zeros((side, side, 3), np.uint8),
    ):
        with pytest.raises(EmbedderError, match="prepare them with"):
            embedder.embed(wrong)
    with pytest.raises(EmbedderError, match="prepare them with"):
        embedder.embed(np.zeros((1, side, side, 3), np.float32))


def serves_several_threads_at_once(embedder: Embedder, bundle: Bundle) -> None:
    crops = bundle.golden.crops
    expected = [embedder.embed(crop[None])[0] for crop in crops]
    rows = list(range(len(crops))) * 8
    with ThreadPoolExecutor(4) as threads:
        found = threads.map(lambda row: embedder.embed(crops[row][None])[0], rows)
        for row, embedding in zip(rows, found, strict=True):
            assert float(embedding @ expected[row]) >= 0.9999


def says_what_it_runs_on(embedder: Embedder, bundle: Bundle) -> None:
    described = embedder.describe()
    assert described.backend.split()[0]
    assert described.backend.split()[1][0].isdigit()
    assert described.providers
    assert described.precision in TOLERANCE
    assert described.why


CONTRACT: tuple[Callable[[Embedder, Bundle], None], ...] = (
    reproduces_the_golden_crops,
    gives_unit_rows_of_the_promised_length,
    takes_batches_of_any_length,
    keeps_what_it_gave,
    takes_views_that_are_not_contiguous,
    refuses_crops_that_were_not_prepared,
    serves_several_threads_at_once,
    says_what_it_runs_on,
)
