from __future__ import annotations

from dataclasses import replace

import pytest

from edge.errors import GoldenCropsError
from edge.runtime.golden import check_golden, golden_deviation
from models.bundle import Bundle
from tests.edge.bundles import embedder_of


def test_the_bundles_own_network_passes(bundle: Bundle) -> None:
    assert check_golden(bundle, embedder_of(bundle)) < 1e-4


def test_a_network_that_embeds_otherwise_is_refused(bundle: Bundle) -> None:
    golden = replace(bundle.golden, embeddings=bundle.golden.embeddings[::-1].copy())
    swapped = replace(bundle, golden=golden)
    assert golden_deviation(swapped, embedder_of(bundle)) > 0.01
    with pytest.raises(GoldenCropsError, match="do not serve with this runtime"):
        check_golden(swapped, embedder_of(bundle))
    check_golden(swapped, embedder_of(bundle), tolerance=2)
