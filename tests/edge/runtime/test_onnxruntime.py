from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import EmbedderError, RuntimeUnavailableError
from edge.runtime.onnxruntime import (
    CPU_PROVIDER,
    OnnxRuntimeEmbedder,
    choose_precision,
    require_providers,
    session_options,
)
from models.bundle import EMBEDDER_NAME, INT8_NAME, Bundle, open_bundle
from models.bundle.folder import record_of
from tests.simulators.bundles import make_bundle, reseal


def test_embeds_the_golden_crops_as_the_bundle_expects(bundle: Bundle) -> None:
    embedder = OnnxRuntimeEmbedder.from_bundle(bundle)
    embeddings = embedder.embed(bundle.golden.crops)
    np.testing.assert_allclose(embeddings, bundle.golden.embeddings, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)
    assert embedder.space_id == bundle.manifest.space_id


def test_says_what_it_runs_on_and_why(bundle: Bundle) -> None:
    described = OnnxRuntimeEmbedder.from_bundle(bundle, threads=1).describe()
    assert described.backend.startswith("onnxruntime ")
    assert described.providers == (CPU_PROVIDER,)
    assert (described.precision, described.threads) == ("fp32", 1)
    assert described.why == "the bundle ships no INT8 network"


def test_a_batch_of_any_length_comes_out_row_by_row(bundle: Bundle) -> None:
    embedder = OnnxRuntimeEmbedder.from_bundle(bundle, threads=1)
    crops = np.concatenate([bundle.golden.crops] * 18)
    together = embedder.embed(crops)
    assert together.shape == (len(crops), bundle.manifest.embedding_dim)
    np.testing.assert_allclose(together[-1], embedder.embed(crops[-1:])[0], atol=1e-5)
    assert embedder.embed(crops[:0]).shape == (0, bundle.manifest.embedding_dim)


def test_a_view_that_is_not_contiguous_is_taken(bundle: Bundle) -> None:
    embedder = OnnxRuntimeEmbedder.from_bundle(bundle, threads=1)
    mirrored = bundle.golden.crops[:, :, ::-1]
    assert embedder.embed(mirrored).shape == (len(mirrored), embedder.embedding_dim)


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((1, 31, 32, 3), np.uint8),
        np.zeros((1, 3, 32, 32), np.uint8),
        np.zeros((32, 32, 3), np.uint8),
        np.zeros((1, 32, 32, 3), np.float32),
    ],
)
def test_crops_that_were_not_prepared_are_refused(bundle: Bundle, crops: np.ndarray) -> None:
    with pytest.raises(EmbedderError, match="prepare them with"):
        OnnxRuntimeEmbedder.from_bundle(bundle, threads=1).embed(crops)


def test_a_provider_that_is_not_installed_is_an_error_naming_the_package(bundle: Bundle) -> None:
    with pytest.raises(RuntimeUnavailableError, match="pip install onnxruntime-openvino"):
        OnnxRuntimeEmbedder.from_bundle(bundle, providers=["OpenVINOExecutionProvider"])
    with pytest.raises(RuntimeUnavailableError, match="use one of .*CPUExecutionProvider"):
        OnnxRuntimeEmbedder.from_bundle(bundle, providers=["NoSuchProvider"])


def test_a_silent_fallback_is_an_error() -> None:
    with pytest.raises(RuntimeUnavailableError, match="silently took CPUExecutionProvider"):
        require_providers(["CUDAExecutionProvider"], [CPU_PROVIDER])
    require_providers(["CUDAExecutionProvider"], ["CUDAExecutionProvider", CPU_PROVIDER])


@pytest.mark.parametrize(
    ("asked", "ships", "provider", "chosen", "why"),
    [
        ("auto", True, CPU_PROVIDER, "int8", "ships an INT8 network"),
        ("auto", False, CPU_PROVIDER, "fp32", "ships no INT8"),
        ("auto", True, "CUDAExecutionProvider", "fp32", "made for the CPU"),
        ("fp32", True, CPU_PROVIDER, "fp32", "asked for"),
        ("int8", True, CPU_PROVIDER, "int8", "asked for"),
    ],
)
def test_int8_is_taken_where_it_ships_and_the_cpu_computes(
    asked: str, ships: bool, provider: str, chosen: str, why: str
) -> None:
    precision, reason = choose_precision(asked, ships, [provider])  # type: ignore[arg-type]
    assert precision == chosen
    assert why in reason


def test_asking_for_an_int8_network_that_does_not_ship_is_an_error(bundle: Bundle) -> None:
    with pytest.raises(EmbedderError, match="--precision fp32 or auto"):
        OnnxRuntimeEmbedder.from_bundle(bundle, "int8")


def test_the_int8_network_of_a_bundle_is_opened(bundle: Bundle, tmp_path: Path) -> None:
    with_int8 = Path(shutil.copytree(bundle.path, tmp_path / "bundle"))
    shutil.copy(with_int8 / EMBEDDER_NAME, with_int8 / INT8_NAME)

    def ship(document: dict[str, object]) -> None:
        files, quantisation = document["files"], document["quantisation"]
        assert isinstance(files, dict)
        assert isinstance(quantisation, dict)
        files[INT8_NAME] = record_of(with_int8, INT8_NAME).model_dump()
        quantisation["int8_shipped"] = True

    reseal(with_int8, ship)
    described = OnnxRuntimeEmbedder.from_bundle(open_bundle(with_int8), threads=1).describe()
    assert described.precision == "int8"


def test_weights_beside_the_network_are_found(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", products=2, external_weights=True)
    embeddings = OnnxRuntimeEmbedder.from_bundle(bundle, threads=1).embed(bundle.golden.crops)
    np.testing.assert_allclose(embeddings, bundle.golden.embeddings, atol=1e-4)


def test_a_file_that_is_no_network_is_an_error(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / EMBEDDER_NAME).write_bytes(b"\x08\x07 this is not ONNX")
    with pytest.raises(EmbedderError, match="cannot open .*fetch the bundle again"):
        OnnxRuntimeEmbedder.from_bundle(replace(bundle, path=tmp_path), threads=1)


def test_a_network_that_gives_something_else_than_promised_is_an_error(bundle: Bundle) -> None:
    embedder = OnnxRuntimeEmbedder(
        bundle.network_path("fp32"),
        space_id=bundle.manifest.space_id,
        input_size_px=32,
        embedding_dim=7,
        precision="fp32",
        why="a test",
    )
    with pytest.raises(EmbedderError, match=r"promises \(1, 7\)"):
        embedder.embed(bundle.golden.crops[:1])


def test_options_are_those_the_device_promises() -> None:
    options = session_options(threads=2)
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 1)
    assert session_options().intra_op_num_threads == 0
