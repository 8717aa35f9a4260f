"""Small parts and a network that is there make the bundle again; anything else is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from models.bundle import (
    EMBEDDER_NAME,
    MANIFEST_NAME,
    NETWORK_FILES,
    VECTORS_NAME,
    Bundle,
    BundleCorruptError,
    BundleIncompleteError,
    BundleSpaceError,
    BundleWriteError,
    compose_bundle,
    open_bundle,
)
from models.bundle.__main__ import main
from tests.simulators.bundles import make_bundle


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle as it was written, network and all."""
    return make_bundle(tmp_path_factory.mktemp("whole") / "bundle", external_weights=True)


@pytest.fixture
def parts(whole: Bundle, tmp_path: Path) -> Path:
    """All of it but its network."""
    without = shutil.ignore_patterns(*NETWORK_FILES)
    return Path(shutil.copytree(whole.path, tmp_path / "parts", ignore=without))


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_parts_and_network_make_the_bundle_that_they_came_from(
    whole: Bundle, parts: Path, tmp_path: Path
) -> None:
    composed = compose_bundle(parts, whole.path, tmp_path / "composed")
    assert composed.path == tmp_path / "composed"
    assert _contents(composed.path) == _contents(whole.path)
    assert open_bundle(composed.path).manifest == whole.manifest


def test_composed_bundles_of_one_network_take_its_room_once(
    whole: Bundle, parts: Path, tmp_path: Path
) -> None:
    network = Path(shutil.copytree(whole.path, tmp_path / "network"))
    composed = [compose_bundle(parts, network, tmp_path / name) for name in ("one", "two")]
    places = {(bundle.path / EMBEDDER_NAME).stat().st_ino for bundle in composed}
    assert places == {(network / EMBEDDER_NAME).stat().st_ino}


def test_a_bundle_that_is_there_is_replaced_and_nothing_else_is(
    whole: Bundle, parts: Path, tmp_path: Path
) -> None:
    target = make_bundle(tmp_path / "target", seed=9).path
    compose_bundle(parts, whole.path, target)
    assert _contents(target) == _contents(whole.path)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("reader", encoding="utf-8")
    with pytest.raises(BundleWriteError, match="not a bundle"):
        compose_bundle(parts, whole.path, tmp_path / "letters")
    assert (tmp_path / "letters" / "dear.txt").is_file()


def test_another_network_is_refused_before_anything_is_written(parts: Path, tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "other", seed=9, external_weights=True)
    with pytest.raises(BundleSpaceError, match="not of the network"):
        compose_bundle(parts, other.path, tmp_path / "composed")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "parts"]


def test_missing_network_missing_part_and_damaged_part_are_told_apart(
    whole: Bundle, parts: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleIncompleteError, match="folder of its network"):
        compose_bundle(parts, tmp_path / "empty", tmp_path / "composed")
    vectors = parts / VECTORS_NAME
    content = vectors.read_bytes()
    vectors.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BundleCorruptError, match=VECTORS_NAME):
        compose_bundle(parts, whole.path, tmp_path / "composed")
    vectors.unlink()
    with pytest.raises(BundleIncompleteError, match=VECTORS_NAME):
        compose_bundle(parts, whole.path, tmp_path / "composed")
    (parts / MANIFEST_NAME).unlink()
    with pytest.raises(BundleIncompleteError, match=MANIFEST_NAME):
        compose_bundle(parts, whole.path, tmp_path / "composed")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "parts"]


def test_the_command_composes_and_says_what_is_wrong(
    whole: Bundle, parts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [str(parts), "--network", str(whole.path), "--out", str(tmp_path / "composed")]
    assert main(asked) == 0
    assert open_bundle(tmp_path / "composed").skus == whole.skus
    (parts / MANIFEST_NAME).write_text("{}", encoding="utf-8")
    assert main(asked) == 2
    assert "error:" in capsys.readouterr().err
