"""Bundles: what is written comes back, and what is wrong is refused in clear words."""

from __future__ import annotations

import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnxruntime import InferenceSession
from pydantic import ValidationError
from safetensors.numpy import load

from models.bundle import (
    EMBEDDER_NAME,
    INT8_NAME,
    MANIFEST_NAME,
    VECTORS_NAME,
    WEIGHTS_NAME,
    Bundle,
    BundleCorruptError,
    BundleError,
    BundleIncompleteError,
    BundleProduct,
    BundleSpaceError,
    BundleVersionError,
    BundleWriteError,
    Golden,
    Vectors,
    open_bundle,
    require_same_space,
    write_bundle,
)
from models.bundle.manifest import EXPECTED_NAME, TEXT_NAME
from tests.simulators.bundles import make_bundle, replace_tensors, reseal

PRODUCTS, DIM = 4, 32


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle that no test may touch."""
    return make_bundle(tmp_path_factory.mktemp("pristine") / "bundle")


@pytest.fixture
def root(pristine: Bundle, tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    return Path(shutil.copytree(pristine.path, tmp_path / "bundle"))


def write_again(bundle: Bundle, target: Path, **changes: object) -> Bundle:
    """Write a bundle once more, with other arguments where ``changes`` name them."""
    manifest = bundle.manifest
    arguments: dict[str, Any] = {
        "category": manifest.category,
        "version": manifest.version,
        "preprocessing": manifest.preprocessing,
        "thresholds": manifest.thresholds,
        "products": manifest.products,
        "provenance": manifest.provenance,
        "evaluation": manifest.evaluation,
        "quantisation": manifest.quantisation,
        "networks": {EMBEDDER_NAME: bundle.network_path("fp32")},
        "vectors": bundle.vectors,
        "golden": bundle.golden,
        "text": bundle.text,
        "created_at": manifest.created_at,
    }
    return write_bundle(target, **(arguments | changes))


def test_what_was_written_comes_back(pristine: Bundle, tmp_path: Path) -> None:
    again = write_again(
        pristine, tmp_path / "deep" / "copy", text={"carton-01": ("milk", "1 l", "Weiße")}
    )

    opened = open_bundle(again.path)
    assert opened.manifest == again.manifest
    assert opened.skus == ("carton-00", "carton-01", "carton-02", "carton-03")
    assert opened.text == {"carton-01": ("milk", "1 l", "Weiße")}
    assert opened.golden.skus == pristine.golden.skus
    np.testing.assert_array_equal(opened.golden.crops, pristine.golden.crops)
    np.testing.assert_array_equal(opened.golden.embeddings, pristine.golden.embeddings)
    for name in ("centroids", "anchors", "anchor_products", "negatives", "negative_products"):
        np.testing.assert_array_equal(
            getattr(opened.vectors, name), getattr(pristine.vectors, name), err_msg=name
        )


def test_writing_the_same_twice_gives_the_same_bytes(pristine: Bundle, tmp_path: Path) -> None:
    again = write_again(pristine, tmp_path / "copy")

    for name in (MANIFEST_NAME, *pristine.manifest.files):
        assert (again.path / name).read_bytes() == (pristine.path / name).read_bytes(), name


def test_prices_and_names_in_any_script_come_back_exactly(pristine: Bundle, tmp_path: Path) -> None:
    first = pristine.manifest.products[0].model_dump()
    product = BundleProduct.model_validate(
        first | {"name": "牛乳 «½ л» 🥛", "price": "1.10", "currency": "EUR"}
    )

    again = write_again(
        pristine, tmp_path / "copy", products=(product, *pristine.manifest.products[1:])
    )

    assert open_bundle(again.path).manifest.products[0] == product
    assert str(product.price) == "1.10"


def test_the_network_in_the_bundle_reproduces_its_golden_embeddings(pristine: Bundle) -> None:
    session = InferenceSession(pristine.network_path("fp32"), providers=["CPUExecutionProvider"])

    embeddings = session.run(["embedding"], {"crops": pristine.golden.crops})[0]

    np.testing.assert_allclose(embeddings, pristine.golden.embeddings, atol=1e-5)


def test_a_network_with_weights_in_their_own_file_works_too(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", external_weights=True)

    assert WEIGHTS_NAME in bundle.manifest.files
    session = InferenceSession(bundle.network_path("fp32"), providers=["CPUExecutionProvider"])
    embeddings = session.run(["embedding"], {"crops": bundle.golden.crops})[0]
    np.testing.assert_allclose(embeddings, bundle.golden.embeddings, atol=1e-5)


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname"])
def test_onnx_runtime_reads_no_weights_from_outside_the_bundle(
    root: Path, tmp_path: Path, location: str
) -> None:
    network = onnx.load(root / EMBEDDER_NAME)
    (tmp_path / "secret").write_bytes(bytes(2**16))
    weights = next(tensor for tensor in network.graph.initializer if tensor.name == "filters_1")
    onnx.external_data_helper.set_external_data(weights, location)
    weights.ClearField("raw_data")
    (root / EMBEDDER_NAME).write_bytes(network.SerializeToString())
    reseal(root)

    bundle = open_bundle(root)
    with pytest.raises(Exception, match="(?i)external data|path"):
        InferenceSession(bundle.network_path("fp32"), providers=["CPUExecutionProvider"])


def test_a_change_of_weights_is_a_change_of_space(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", external_weights=True)
    space_id = bundle.manifest.space_id
    weights = bundle.path / WEIGHTS_NAME
    content = bytearray(weights.read_bytes())
    content[0] ^= 1
    weights.write_bytes(content)
    reseal(bundle.path)

    assert open_bundle(bundle.path).manifest.space_id != space_id


def test_the_vectors_of_an_open_bundle_cannot_be_changed(pristine: Bundle) -> None:
    with pytest.raises(ValueError, match="read-only"):
        pristine.vectors.centroids[0, 0] = 0


def test_a_network_that_is_not_there_is_named(pristine: Bundle) -> None:
    with pytest.raises(BundleIncompleteError, match=r"no int8 network \(embedder.int8.onnx\)"):
        pristine.network_path("int8")


def test_a_bundle_may_be_reached_through_a_link(pristine: Bundle, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(pristine.path)

    assert open_bundle(tmp_path / "current").skus == pristine.skus


def test_bundles_of_one_network_may_be_mixed_and_others_not(
    pristine: Bundle, tmp_path: Path
) -> None:
    same = write_again(pristine, tmp_path / "same", version="2")
    other = make_bundle(tmp_path / "other", seed=1)

    require_same_space([])
    require_same_space([pristine, same])
    with pytest.raises(BundleSpaceError, match="different networks.*keep an index for each"):
        require_same_space([pristine, same, other])


def test_no_folder_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleIncompleteError, match="no such folder"):
        open_bundle(tmp_path / "nowhere")


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleIncompleteError, match="no manifest.json, so it is no bundle"):
        open_bundle(tmp_path)


@pytest.mark.parametrize("name", [EMBEDDER_NAME, VECTORS_NAME, EXPECTED_NAME, "golden/000.png"])
def test_a_missing_file_is_named(root: Path, name: str) -> None:
    (root / name).unlink()

    with pytest.raises(BundleIncompleteError, match=f"lacks {name}"):
        open_bundle(root)


@pytest.mark.parametrize(
    "name", ["notes.txt", "golden/1.png", "golden/000.png.exe", ".hidden", "sub/embedder.onnx"]
)
def test_a_file_that_no_bundle_has_is_refused(root: Path, name: str) -> None:
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_bytes(b"")

    with pytest.raises(BundleCorruptError, match="does not belong into a bundle"):
        open_bundle(root)


def test_a_file_that_this_bundle_does_not_list_is_refused(root: Path) -> None:
    shutil.copy(root / EMBEDDER_NAME, root / INT8_NAME)

    with pytest.raises(BundleCorruptError, match="does not list: embedder.int8.onnx"):
        open_bundle(root)


@pytest.mark.parametrize("name", [EMBEDDER_NAME, MANIFEST_NAME, "golden/000.png", "golden"])
def test_a_link_inside_is_refused_although_it_leads_to_the_right_content(
    root: Path, tmp_path: Path, name: str
) -> None:
    (root / name).rename(tmp_path / "elsewhere")
    (root / name).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(BundleCorruptError, match="does not belong"):
        open_bundle(root)


def test_a_pipe_is_refused_without_waiting_for_it(root: Path) -> None:
    (root / VECTORS_NAME).unlink()
    os.mkfifo(root / VECTORS_NAME)

    with pytest.raises(BundleCorruptError, match="does not belong"):
        open_bundle(root)


@pytest.mark.parametrize("name", [MANIFEST_NAME, EMBEDDER_NAME, VECTORS_NAME, "golden/000.png"])
def test_an_absurd_size_is_refused_before_anything_is_read(root: Path, name: str) -> None:
    with (root / name).open("r+b") as stream:
        stream.truncate(2**40)  # sparse: takes no room, but could never be read

    with pytest.raises(BundleCorruptError, match="bytes, more than"):
        open_bundle(root)


@pytest.mark.parametrize("name", [EMBEDDER_NAME, VECTORS_NAME, EXPECTED_NAME, "golden/001.png"])
def test_a_flipped_bit_is_found(root: Path, name: str) -> None:
    content = bytearray((root / name).read_bytes())
    content[len(content) // 2] ^= 4
    (root / name).write_bytes(content)

    with pytest.raises(BundleCorruptError, match=f"{name} does not match its checksum"):
        open_bundle(root)


def test_a_file_that_grew_is_found(root: Path) -> None:
    with (root / EMBEDDER_NAME).open("ab") as stream:
        stream.write(b"more")

    with pytest.raises(BundleCorruptError, match="bytes instead of"):
        open_bundle(root)


def test_every_flipped_digit_of_the_manifest_is_refused(root: Path) -> None:
    text = (root / MANIFEST_NAME).read_bytes()
    places = [place for place, byte in enumerate(text) if chr(byte).isdigit()][::11]
    assert len(places) > 50

    for place in places:
        flipped = bytearray(text)
        flipped[place] = ord("0") + (text[place] - ord("0") + 1) % 10
        (root / MANIFEST_NAME).write_bytes(flipped)
        with pytest.raises(BundleError):
            open_bundle(root)


def test_a_manifest_edited_by_hand_is_refused(root: Path) -> None:
    document = json.loads((root / MANIFEST_NAME).read_text())
    document["thresholds"]["pairs"][0]["tl"] -= 0.001
    (root / MANIFEST_NAME).write_text(json.dumps(document))

    with pytest.raises(BundleCorruptError, match="does not match its own checksum"):
        open_bundle(root)


@pytest.mark.parametrize("version", [0, 2, "1", None, 1.5, True, [1], 10**30])
def test_another_schema_version_says_what_is_read_and_what_to_do(
    root: Path, version: object
) -> None:
    reseal(root, lambda document: document.update(schema_version=version))

    with pytest.raises(
        BundleVersionError, match=r"reads bundles of schema version 1, this one .*update the soft"
    ):
        open_bundle(root)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not valid JSON"),
        ("[]", "not a JSON object"),
        ("{", "not valid JSON"),
        ('{"schema_version": 1, "schema_version": 1}', "a key is repeated"),
        ('{"schema_version": NaN}', "NaN is not a number"),
        ('{"schema_version": 1e999}', "1e999 is not a number"),
        ('{"a":' * 100_000, "not valid JSON"),
        ('{"schema_version": 1, "a": "\\ud800"}', "own checksum"),
        ("\ufeff{}", "not valid JSON"),
    ],
)
def test_a_manifest_that_is_no_sound_json_is_refused(root: Path, text: str, complaint: str) -> None:
    (root / MANIFEST_NAME).write_text(text, "utf-8")

    with pytest.raises(BundleCorruptError, match=complaint):
        open_bundle(root)


def _list_a_stranger(document: dict[str, Any], name: str) -> None:
    document["files"][name] = document["files"][EMBEDDER_NAME]


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda m: _list_a_stranger(m, "../../etc/passwd"), "no bundle has a file named"),
        (lambda m: _list_a_stranger(m, "/etc/passwd"), "no bundle has a file named"),
        (lambda m: _list_a_stranger(m, "golden/../x.png"), "no bundle has a file named"),
        (lambda m: _list_a_stranger(m, "golden/000.png\n"), "no bundle has a file named"),
        (lambda m: _list_a_stranger(m, MANIFEST_NAME), "no bundle has a file named"),
        (lambda m: _list_a_stranger(m, INT8_NAME), "disagree about embedder.int8.onnx"),
        (lambda m: m["files"].pop(EMBEDDER_NAME), "required files are not listed"),
        (lambda m: m["files"].pop("golden/001.png"), "without a gap"),
        (lambda m: m["files"][EMBEDDER_NAME].update(size_bytes=2**50), "over 536870912"),
        (lambda m: m["files"][EMBEDDER_NAME].update(size_bytes=-1), "greater than or equal"),
        (lambda m: m["files"][EMBEDDER_NAME].update(sha256="x" * 64), "pattern"),
        (lambda m: m["products"].append(m["products"][0]), "'carton-00' is listed twice"),
        (lambda m: m["products"].clear(), "at least 1 item"),
        (lambda m: m["products"][0].update(photos=0), "greater than or equal to 1"),
        (lambda m: m["products"][0].update(surprise=1), "not permitted"),
        (lambda m: m.update(surprise=1), "not permitted"),
        (lambda m: m.pop("thresholds"), "required"),
        (lambda m: m["thresholds"]["pairs"][0].update(th=-0.5), "greater than or equal"),
        (lambda m: m["thresholds"]["pairs"][0].update(tl=0.9), "out of order"),
        (lambda m: m["thresholds"]["pairs"][0].update(tl="nan"), "finite number"),
        (lambda m: m["thresholds"]["pairs"].reverse(), "must ascend"),
        (lambda m: m.update(embedding_dim=10**9), "less than or equal"),
        (lambda m: m.update(version="../1"), "pattern"),
        (lambda m: m.update(created_at="2026-01-02T03:04:05"), "timezone"),
        (lambda m: m.update(category=""), "category: .*pattern"),
        (lambda m: m.update(category="../fruit"), "category: .*pattern"),
        (lambda m: m["preprocessing"].update(input_size_px=10**6), "pixels together|less than"),
        (lambda m: m["quantisation"].update(parity_max_abs="inf"), "finite number"),
    ],
)
def test_a_manifest_that_claims_too_much_is_refused_although_its_checksum_fits(
    root: Path, edit: Callable[[dict[str, Any]], None], complaint: str
) -> None:
    reseal(root, edit)

    with pytest.raises(BundleCorruptError, match=complaint):
        open_bundle(root)


def test_vectors_of_another_network_are_refused(root: Path) -> None:
    reseal(root, lambda document: document.update(space_id="0" * 64))

    with pytest.raises(BundleSpaceError, match="space id differs"):
        open_bundle(root)


def _with(array: np.ndarray, where: int | tuple[int, int], value: float) -> np.ndarray:
    changed = array.copy()
    changed[where] = value
    return changed


@pytest.mark.parametrize(
    ("key", "spoil", "complaint"),
    [
        ("centroids", lambda a: _with(a, (1, 2), np.nan), "row 1 of centroids"),
        ("centroids", lambda a: _with(a, (3, 0), np.inf), "row 3 of centroids"),
        ("centroids", lambda a: _with(a, (2, 0), 3e38), "row 2 of centroids"),
        ("centroids", lambda a: a * 1.01, "row 0 of centroids"),
        ("centroids", lambda a: a * 0, "row 0 of centroids"),
        ("centroids", lambda a: a[:-1], r"centroids is F32 \(3, 32\)"),
        ("centroids", lambda a: a[:, :-1], r"centroids is F32 \(4, 31\)"),
        ("centroids", lambda a: a.astype(np.float64), "centroids is F64"),
        ("centroids", lambda a: a.reshape(-1), r"centroids is F32 \(128,\)"),
        ("centroids", lambda a: None, "holds"),
        ("surplus", lambda a: np.zeros(3, np.float32), "holds"),
        ("anchors", lambda a: _with(a, (0, 0), np.nan), "row 0 of anchors"),
        ("anchors", lambda a: a[:-1], "15 anchors but products for 16"),
        ("anchors", lambda a: a.astype(np.float32), "anchors is F32"),
        ("anchor_products", lambda a: _with(a, 0, 4), "points at a product"),
        ("anchor_products", lambda a: _with(a, 0, -1), "points at a product"),
        ("anchor_products", lambda a: a * 0, "product 1 has no anchor"),
        ("negatives", lambda a: a[:0], "0 negatives but products for 1"),
        ("negatives", lambda a: a * 0.5, "row 0 of negatives"),
        ("negative_products", lambda a: a + 99, "points at a product"),
    ],
)
def test_vectors_that_nobody_should_compute_with_are_refused(
    root: Path,
    key: str,
    spoil: Callable[[np.ndarray | None], np.ndarray | None],
    complaint: str,
) -> None:
    array = load((root / VECTORS_NAME).read_bytes()).get(key)

    replace_tensors(root, VECTORS_NAME, **{key: spoil(array)})

    with pytest.raises(BundleCorruptError, match=complaint):
        open_bundle(root)


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 7, b"\xff" * 64, struct.pack("<Q", 2**60) + b"{}"]
)
def test_a_file_that_is_no_safetensors_is_refused(root: Path, content: bytes) -> None:
    (root / VECTORS_NAME).write_bytes(content)
    reseal(root)

    with pytest.raises(BundleCorruptError, match="not a safetensors file"):
        open_bundle(root)


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("embeddings", np.full((4, DIM), np.nan, np.float32), "row 0 of embeddings"),
        ("embeddings", np.zeros((3, DIM), np.float32), r"embeddings is F32 \(3, 32\)"),
        ("crop_products", np.full(4, PRODUCTS, np.int32), "points at a product"),
    ],
)
def test_golden_expectations_that_make_no_sense_are_refused(
    root: Path, key: str, value: np.ndarray, complaint: str
) -> None:
    replace_tensors(root, EXPECTED_NAME, **{key: value})

    with pytest.raises(BundleCorruptError, match=complaint):
        open_bundle(root)


def png(width: int, height: int, *chunks: tuple[bytes, bytes], rows: bytes | None = None) -> bytes:
    """An RGB PNG of any claimed size, with further chunks before its pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    pixels = zlib.compress((b"\0" + bytes(width * 3)) * height if rows is None else rows)
    parts = [(b"IHDR", struct.pack(">II5B", width, height, 8, 2, 0, 0, 0)), *chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, content) for kind, content in (*parts, (b"IDAT", pixels), (b"IEND", b""))
    )


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not a plain PNG"),
        (b"GIF89a", "not a plain PNG"),
        (png(100_000, 100_000, rows=b""), "not a plain PNG of 32 x 32"),
        (png(33, 32), "not a plain PNG of 32 x 32"),
        (png(32, 32, (b"zTXt", b"x\0\0" + zlib.compress(bytes(10**6)))), "holds a chunk b'zTXt'"),
        (png(32, 32, (b"acTL", bytes(8))), "holds a chunk b'acTL'"),
        (png(32, 32) + b"tail", "holds a chunk|followed by something"),
        (png(32, 32)[:-1], "cut short"),
        (png(32, 32)[:-12], "cut short"),
    ],
)
def test_a_golden_crop_that_is_not_a_plain_png_of_the_right_size_is_refused(
    root: Path, content: bytes, complaint: str
) -> None:
    (root / "golden/000.png").write_bytes(content)
    reseal(root)

    with pytest.raises(BundleCorruptError, match=complaint):
        open_bundle(root)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"carton-99": ["milk"]}', "not in the bundle: 'carton-99'"),
        ('{"carton-00": "milk"}', "no list"),
        ('{"carton-00": [1]}', "something else than words"),
        ("[]", "not a JSON object"),
        ('{"carton-00": [], "carton-00": []}', "a key is repeated"),
    ],
)
def test_pack_text_that_is_no_table_of_words_is_refused(
    root: Path, text: str, complaint: str
) -> None:
    (root / TEXT_NAME).write_text(text)
    reseal(root, lambda document: _list_a_stranger(document, TEXT_NAME))
    reseal(root)

    with pytest.raises(BundleCorruptError, match=complaint):
        open_bundle(root)


def test_an_existing_folder_is_not_overwritten(pristine: Bundle, root: Path) -> None:
    before = (root / MANIFEST_NAME).read_bytes()

    with pytest.raises(BundleWriteError, match="exists already"):
        write_again(pristine, root, version="2")

    assert (root / MANIFEST_NAME).read_bytes() == before


def test_a_bundle_is_replaced_as_a_whole_when_asked(pristine: Bundle, root: Path) -> None:
    write_again(pristine, root, version="2", replace=True)

    assert open_bundle(root).manifest.version == "2"
    assert [path.name for path in root.parent.iterdir()] == [root.name]


def test_a_folder_that_is_no_bundle_is_not_replaced(pristine: Bundle, tmp_path: Path) -> None:
    precious = tmp_path / "holiday photos"
    precious.mkdir()

    with pytest.raises(BundleWriteError, match="not a bundle, so it is not replaced"):
        write_again(pristine, precious, replace=True)

    assert precious.is_dir()


def test_a_bundle_is_not_written_into_another(pristine: Bundle) -> None:
    with pytest.raises(BundleWriteError, match="would lie inside the bundle"):
        write_again(pristine, pristine.path / "new")


def test_an_unwritable_place_is_named_and_nothing_is_left(pristine: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(BundleWriteError, match="cannot write a bundle to .*choose a folder"):
        write_again(pristine, tmp_path / "file" / "bundle")

    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_missing_network_file_is_named(pristine: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BundleWriteError, match="nothing.onnx"):
        write_again(
            pristine, tmp_path / "bundle", networks={EMBEDDER_NAME: tmp_path / "nothing.onnx"}
        )

    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("names", [(), (INT8_NAME,), (EMBEDDER_NAME, "readme.md")])
def test_networks_under_other_names_are_refused(
    pristine: Bundle, tmp_path: Path, names: tuple[str, ...]
) -> None:
    networks = dict.fromkeys(names, pristine.network_path("fp32"))

    with pytest.raises(BundleWriteError, match="a bundle is made of embedder.onnx"):
        write_again(pristine, tmp_path / "bundle", networks=networks)


def _nan_vectors(vectors: Vectors) -> Vectors:
    return replace(vectors, centroids=np.full_like(vectors.centroids, np.nan))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (lambda b: {"vectors": _nan_vectors(b.vectors)}, "row 0 of centroids"),
        (lambda b: {"products": b.manifest.products[:3]}, "not in the bundle: 'carton-03'"),
        (lambda b: {"products": b.manifest.products * 2}, "listed twice"),
        (lambda b: {"version": "one two"}, "version: "),
        (lambda b: {"created_at": datetime(2026, 1, 1)}, "created_at: "),
        (
            lambda b: {"golden": Golden(b.golden.crops[:0], b.golden.embeddings[:0], ())},
            "golden crops must be",
        ),
        (
            lambda b: {"golden": replace(b.golden, crops=b.golden.crops[:, ::2, ::2])},
            "golden crop 0: not a plain PNG of 32 x 32",
        ),
    ],
)
def test_what_would_not_open_is_not_written(
    pristine: Bundle,
    tmp_path: Path,
    changes: Callable[[Bundle], dict[str, Any]],
    complaint: str,
) -> None:
    with pytest.raises(BundleError, match=complaint):
        write_again(pristine, tmp_path / "bundle", **changes(pristine))

    assert not any(tmp_path.iterdir())


def test_a_product_without_photos_is_refused() -> None:
    with pytest.raises(ValidationError, match="photos"):
        BundleProduct(sku="a", photos=0)
