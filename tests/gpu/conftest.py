"""One GPU, one bundle, one engine for all of these tests; without a GPU they are not collected."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.runtime.base import Embedder
from edge.runtime.choice import obstacle
from edge.runtime.opening import open_embedder, this_machine
from edge.runtime.settings import BackendName, RuntimeSettings
from models.bundle import Bundle, open_bundle

_SHIPPED = Path(__file__).parents[2] / "models" / "pretrained" / "groceries"
GPU_BACKENDS: tuple[BackendName, ...] = (
    "tensorrt",
    "tensorrt_rtx",
    "onnxruntime_cuda",
    "onnxruntime_tensorrt",
)

if this_machine().driver is None:
    collect_ignore_glob = ["test_*.py"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every backend that works on this machine's GPU, and no other."""
    if "backend" in metafunc.fixturenames:
        works = [each for each in GPU_BACKENDS if obstacle(each, this_machine()) is None]
        metafunc.parametrize("backend", works)


@pytest.fixture(scope="session")
def shipped() -> Bundle:
    """The bundle that ships, or the one that WALKOUT_GPU_BUNDLE names."""
    return open_bundle(Path(os.environ.get("WALKOUT_GPU_BUNDLE", _SHIPPED)))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Engines of this run; WALKOUT_GPU_ENGINES keeps them for the next."""
    named = os.environ.get("WALKOUT_GPU_ENGINES")
    return Path(named) if named else tmp_path_factory.mktemp("engines")


@pytest.fixture(scope="session")
def reference(shipped: Bundle) -> Embedder:
    """ONNX Runtime in fp32 on the CPU: what all others are held against."""
    settings = RuntimeSettings(backend="onnxruntime", precision="fp32", fallback=False)
    return open_embedder(shipped, settings)
