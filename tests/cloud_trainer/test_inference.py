from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.inference import NetworkSession, embed_photos, prepare_photo, usable
from models.bundle import Bundle
from models.catalogue import Photo
from models.preprocess import Preprocessing
from tests.simulators.bundles import make_bundle
from tests.simulators.photos import make_catalogue


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bundle") / "b")


def photos_below(folder: Path) -> list[Photo]:
    return [Photo(path, path.parent.name) for path in sorted(folder.rglob("*.*"))]


@pytest.mark.parametrize("external_weights", [False, True])
def test_golden_crops_give_the_embeddings_expected_of_them(
    tmp_path: Path, external_weights: bool
) -> None:
    bundle = make_bundle(tmp_path / "b", external_weights=external_weights)
    for network in (bundle, bundle.path, bundle.network_path("fp32")):
        session = NetworkSession(network, threads=1)
        np.testing.assert_allclose(
            session.embed(bundle.golden.crops), bundle.golden.embeddings, atol=1e-5
        )


def test_a_session_knows_its_input_and_output(bundle: Bundle) -> None:
    session = NetworkSession(bundle)
    assert session.input_size_px == bundle.manifest.preprocessing.input_size_px
    assert session.embedding_dim == bundle.manifest.embedding_dim
    assert session.embed(np.zeros((0, 32, 32, 3), np.uint8)).shape == (0, session.embedding_dim)


def test_photos_are_embedded_in_their_order_whatever_the_batch(
    bundle: Bundle, tmp_path: Path
) -> None:
    photos = photos_below(make_catalogue(tmp_path / "c", products=3, photos=7))
    preprocessing, session = bundle.manifest.preprocessing, NetworkSession(bundle)
    finished: list[int] = []
    embeddings, set_aside = embed_photos(session, photos, preprocessing, finished.append)
    one_by_one = [
        session.embed(prepare_photo(photo.path, preprocessing)[None])[0] for photo in photos
    ]
    np.testing.assert_allclose(embeddings, np.stack(one_by_one), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-4)
    assert set_aside == ()
    assert sum(finished) == len(photos)


def test_a_broken_photo_is_set_aside_with_its_reason_and_the_rest_goes_on(
    bundle: Bundle, tmp_path: Path
) -> None:
    folder = make_catalogue(tmp_path / "c", products=1, photos=3)
    (folder / "carton-00" / "001.jpg").write_bytes(b"")
    photos = [*photos_below(folder), Photo(tmp_path / "gone.jpg", "carton-00")]
    finished: list[int] = []
    embeddings, set_aside = embed_photos(
        NetworkSession(bundle), photos, bundle.manifest.preprocessing, finished.append
    )
    kept = usable(photos, set_aside)
    assert [photo.path.name for photo in kept] == ["000.jpg", "002.jpg"]
    assert len(embeddings) == len(kept)
    assert [entry.photo.path.name for entry in set_aside] == ["001.jpg", "gone.jpg"]
    assert all(entry.reason for entry in set_aside)
    assert sum(finished) == len(photos)


def test_no_photos_give_no_embeddings(bundle: Bundle) -> None:
    embeddings, set_aside = embed_photos(NetworkSession(bundle), [], bundle.manifest.preprocessing)
    assert embeddings.shape == (0, bundle.manifest.embedding_dim)
    assert set_aside == ()


def test_a_missing_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(WalkoutTrainerError, match="no network there"):
        NetworkSession(tmp_path / "embedder.onnx")


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "embedder.onnx"
    path.write_bytes(b"not a network")
    with pytest.raises(WalkoutTrainerError, match="cannot load this network"):
        NetworkSession(path)


def test_a_network_of_another_kind_is_refused(tmp_path: Path) -> None:
    floats = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "other", floats[:1], floats[1:]
    )
    path = tmp_path / "other.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path
    )
    with pytest.raises(WalkoutTrainerError, match="not a Walkout embedder"):
        NetworkSession(path)


def test_crops_of_another_size_are_refused_in_plain_words(bundle: Bundle, tmp_path: Path) -> None:
    photos = photos_below(make_catalogue(tmp_path / "c", products=1, photos=1))
    with pytest.raises(WalkoutTrainerError, match="check the input size"):
        embed_photos(NetworkSession(bundle), photos, Preprocessing(input_size_px=48))
