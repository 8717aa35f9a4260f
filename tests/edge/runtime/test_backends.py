"""The contract of backends, for all that run without a GPU, on drawn and on trained bundles."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from edge.runtime.base import Embedder
from edge.runtime.opening import open_embedder
from edge.runtime.settings import BackendName, PrecisionName, RuntimeSettings
from models.bundle import Bundle, open_bundle
from tests.edge.runtime.contract import CONTRACT
from tests.simulators.bundles import make_bundle

PRETRAINED = Path(__file__).parents[3] / "models" / "pretrained" / "groceries"

_DRAWN: list[tuple[BackendName, PrecisionName]] = [
    ("onnxruntime", "fp32"),
    ("openvino", "fp32"),
]
_TRAINED: list[tuple[BackendName, PrecisionName]] = [
    ("onnxruntime", "fp32"),
    ("onnxruntime", "int8"),
    ("openvino", "fp32"),
    ("openvino", "int8"),
]


@cache
def _trained() -> Bundle:
    return open_bundle(PRETRAINED)


@cache
def _embedder_of(path: Path, backend: BackendName, precision: PrecisionName) -> Embedder:
    settings = RuntimeSettings(backend=backend, precision=precision, fallback=False)
    return open_embedder(open_bundle(path), settings, threads=1)


@pytest.mark.parametrize("holds", CONTRACT, ids=lambda each: each.__name__)
@pytest.mark.parametrize(("backend", "precision"), _DRAWN)
def test_a_backend_keeps_the_contract(
    bundle: Bundle,
    backend: BackendName,
    precision: PrecisionName,
    holds: Callable[[Embedder, Bundle], None],
) -> None:
    holds(_embedder_of(bundle.path, backend, precision), bundle)


@pytest.mark.parametrize(("backend", "precision"), _TRAINED)
def test_the_default_bundle_is_embedded_as_it_expects(
    backend: BackendName, precision: PrecisionName
) -> None:
    embedder = _embedder_of(PRETRAINED, backend, precision)
    CONTRACT[0](embedder, _trained())
    assert embedder.describe().precision == precision


def test_weights_beside_the_network_are_found_by_openvino(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", products=2, external_weights=True)
    CONTRACT[0](_embedder_of(bundle.path, "openvino", "fp32"), bundle)
