"""Whole bundles that no device could serve are not signed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from cloud_trainer.publishing import ReleaseRefusedError, judge_bundle, published_releases
from models.bundle import (
    EMBEDDER_NAME,
    MANIFEST_NAME,
    VECTORS_NAME,
    Bundle,
    Vectors,
    open_bundle,
)
from models.bundle.contents import vectors_bytes
from models.bundle.folder import record_of
from models.bundle.manifest import manifest_text, parse_manifest, sealed, space_id_of
from tests.cloud_trainer.publishing.conftest import Bundles
from tests.simulators.cloud import Cloud, client, fetch_target, let_through

Change = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def spoiled(bundle: Path, to: Path, spoil: Callable[[Path], None]) -> Path:
    """A copy of a bundle with some file changed and everything sealed anew."""
    shutil.copytree(bundle, to)
    spoil(to)
    manifest = parse_manifest((to / MANIFEST_NAME).read_bytes())
    files = {name: record_of(to, name) for name in manifest.files}
    changed = manifest.model_copy(update={"files": files, "space_id": space_id_of(files)})
    (to / MANIFEST_NAME).write_bytes(manifest_text(sealed(changed)))
    open_bundle(to)
    return to


def with_initializer(name: str, change: Change) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        network = onnx.load(folder / EMBEDDER_NAME)
        for initializer in network.graph.initializer:
            if initializer.name == name:
                changed = change(numpy_helper.to_array(initializer))
                initializer.CopyFrom(numpy_helper.from_array(changed.astype(np.float32), name))
        onnx.save(network, folder / EMBEDDER_NAME)

    return spoil


def garbage(folder: Path) -> None:
    (folder / EMBEDDER_NAME).write_bytes(b"no network")


def shuffled(folder: Path) -> None:
    vectors = open_bundle(folder).vectors
    rolled: Vectors = replace(vectors, centroids=np.roll(vectors.centroids, 1, axis=0))
    (folder / VECTORS_NAME).write_bytes(vectors_bytes(rolled))


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (garbage, "does not run"),
        (with_initializer("projection", lambda values: values * np.nan), "else than numbers"),
        (with_initializer("projection", lambda values: -values), "away from what the bundle"),
        (with_initializer("mean", lambda values: values + 60), "away from what the bundle"),
        (shuffled, "recognises only 0% of its own golden crops"),
    ],
    ids=["no network", "nan", "turned", "darkened", "foreign vectors"],
)
def test_a_bundle_that_cannot_serve_is_refused_and_named(
    cloud: Cloud,
    bundles: Bundles,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    complaint: str,
) -> None:
    bad = spoiled(bundles.first, tmp_path / "bad", spoil)
    with pytest.raises(ReleaseRefusedError, match=complaint):
        cloud.publish(bad)
    assert published_releases(cloud.repository, "soda") == ()


def test_a_bundle_that_serves_is_let_through(bundles: Bundles) -> None:
    for path in (bundles.first, bundles.network, bundles.weights):
        judge_bundle(open_bundle(path))


def test_a_careless_publisher_can_sign_a_bad_bundle_for_devices_to_refuse(
    cloud: Cloud, bundles: Bundles, tmp_path: Path
) -> None:
    bad = spoiled(bundles.first, tmp_path / "bad", shuffled)
    seen: list[Bundle] = []
    cloud.publish(bad, judge=seen.append)
    assert [bundle.path for bundle in seen] == [bad]
    updater = client(tmp_path / "device", cloud.root, cloud.store)
    assert fetch_target(updater, "soda/rel-1/vectors.safetensors") is not None
    let_through(seen[0])
