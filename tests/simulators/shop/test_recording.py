from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.format import read_calibration
from calibration.planogram import read_planogram
from models.catalogue import load_catalogue
from tests.simulators.shop import models3d
from tests.simulators.shop.__main__ import main
from tests.simulators.shop.errors import RenderingUnavailableError
from tests.simulators.shop.record import frames
from tests.simulators.shop.recording import Plan, stage, write
from tests.simulators.shop.studio import Studio

TIN = """
v -1 0 -1
v 1 0 -1
v 1 0 1
v -1 0 1
v -1 {h} -1
v 1 {h} -1
v 1 {h} 1
v -1 {h} 1
usemtl tin
f 1 2 3 4
f 5 8 7 6
f 1 5 6 2
f 2 6 7 3
f 3 7 8 4
f 4 8 5 1
"""


@pytest.fixture(scope="session", autouse=True)
def opengl() -> None:
    try:
        Studio().close()
    except RenderingUnavailableError as err:
        pytest.skip(str(err))


@pytest.fixture(scope="session")
def tins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models as somebody else may have them: boxes of three heights."""
    folder = tmp_path_factory.mktemp("tins")
    for name, height, colour in (
        ("low", 1, "1 0.2 0.1"),
        ("mid", 2, "0.1 0.8 0.2"),
        ("tall", 4, "0.2 0.3 1"),
    ):
        below = folder / "tinned" / name
        below.mkdir(parents=True)
        text = f"mtllib {name}.mtl\n" + TIN.format(h=height)
        (below / f"{name} tin.obj").write_text(text, encoding="utf-8")
        (below / f"{name}.mtl").write_text(f"newmtl tin\nKd {colour}\n", encoding="utf-8")
    return folder


def _plan(tins: Path, **changes: object) -> Plan:
    values: dict[str, object] = {
        "seed": 5,
        "shoppers": 1,
        "seconds": 16.0,
        "products": 4,
        "shelf_cameras": 1,
        "overhead_cameras": 1,
        "size_px": (320, 180),
        "fps": 4,
        "photos": 2,
        "photo_px": 96,
        "meshes": (tins,),
        "behaviours": ("take",),
        "staff": False,
    }
    return Plan(**(values | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def recorded(tins: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("shop")
    write(stage(_plan(tins)), out)
    return out


def _pictures(path: Path) -> list[NDArray[np.uint8]]:
    video = cv2.VideoCapture(str(path))
    pictures = []
    while True:
        there, picture = video.read()
        if not there:
            break
        pictures.append(np.asarray(picture, np.uint8))
    video.release()
    return pictures


def test_a_recorded_shop_is_read_by_what_reads_shops(recorded: Path) -> None:
    calibration = read_calibration(recorded / "calibration.json")
    catalogue = load_catalogue(recorded / "catalogue")
    planogram = read_planogram(recorded / "planogram.json")
    planogram.check(calibration, {product.sku for product in catalogue.products})
    assert [product.currency for product in catalogue.products] == ["EUR"] * 4
    assert all(product.price for product in catalogue.products)
    assert catalogue.categories == ("tinned",)
    assert all(len(catalogue.photos_of(product.sku)) == 2 for product in catalogue.products)
    store = (recorded / "store.yaml").read_text(encoding="utf-8")
    for camera in calibration.cameras:
        assert f"{camera}: {{kind: file, path: {camera}.mp4}}" in store
        assert (recorded / f"{camera}.mp4").is_file()


def test_videos_have_every_frame_in_the_size_that_was_calibrated(recorded: Path) -> None:
    told = json.loads((recorded / "truth.json").read_text(encoding="utf-8"))
    for name, camera in read_calibration(recorded / "calibration.json").cameras.items():
        pictures = _pictures(recorded / f"{name}.mp4")
        assert len(pictures) == round(told["seconds"] * told["fps"])
        height, width = pictures[0].shape[:2]
        assert (width, height) == camera.image_size_px


def test_a_facing_looks_different_after_a_take_and_its_neighbours_do_not(tins: Path) -> None:
    staged = stage(_plan(tins, size_px=(960, 540)))
    camera = staged.shop.calibration.cameras["shelf-1"]
    film, studio = staged.film(), Studio()
    first, last = (
        next(frames(studio, staged.scene(), camera, staged.sensor("shelf-1"), film, index))
        for index in (0, film.frames - 1)
    )
    studio.close()
    # Light may change between the two: compare edges, and only what is beyond noise.
    edges = [cv2.Laplacian(cv2.GaussianBlur(each, (0, 0), 2), cv2.CV_32F) for each in (first, last)]
    different = np.abs(edges[0] - edges[1]).max(axis=2) > 4
    changed_by = {}
    for name, facing in staged.shop.planogram.facings.items():
        pixels = facing.seen_by(camera, staged.shop.calibration.fixtures[facing.fixture])[:4]
        inside = np.zeros(different.shape, np.uint8)
        cv2.fillConvexPoly(inside, np.rint(pixels).astype(np.int32), 1)
        changed_by[name] = float(different[inside == 1].mean())
    taken = {each.facing for each in staged.story.interactions if each.kind == "take"}
    assert taken
    assert len(taken) < len(changed_by)
    least = min(changed_by[name] for name in taken)
    most = max(share for name, share in changed_by.items() if name not in taken)
    assert least > 0.02, changed_by
    assert least > 2 * most, changed_by


def test_while_nobody_is_there_only_noise_and_light_change(recorded: Path) -> None:
    told = json.loads((recorded / "truth.json").read_text(encoding="utf-8"))
    entered = min(each["entered_at_s"] for each in told["shoppers"])
    pictures = _pictures(recorded / "overhead-1.mp4")
    before = pictures[: int((entered - 0.6) * told["fps"])]
    assert len(before) >= 2
    assert np.abs(before[0].astype(int) - before[-1]).mean() < 4
    someone = pictures[int((entered + 3) * told["fps"])]
    assert (np.abs(before[0].astype(int) - someone).max(axis=2) > 40).sum() > 100


def test_the_same_plan_gives_the_same_truth_and_the_same_bytes(
    tins: Path, recorded: Path, tmp_path: Path
) -> None:
    write(stage(_plan(tins)), tmp_path, jobs=2)
    ours = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert ours == {path.relative_to(recorded) for path in recorded.rglob("*") if path.is_file()}
    for path in sorted(ours):
        assert (tmp_path / path).read_bytes() == (recorded / path).read_bytes(), path


def test_a_shopper_is_seen_where_the_truth_says(tins: Path) -> None:
    staged = stage(_plan(tins, size_px=(640, 360)))
    person = staged.story.people[0]
    camera = staged.shop.calibration.cameras["overhead-1"]
    studio = Studio()
    pictures = {}
    for moment in (0.0, 7.0):
        index = round(moment * 4)
        pictures[moment] = next(
            frames(
                studio, staged.scene(), camera, staged.sensor("overhead-1"), staged.film(), index
            )
        ).astype(int)
    studio.close()
    x, y = person.walk.where(7.0)
    column, row = camera.project(np.array([(x, y, 1.1)]))[0].astype(int)
    changed = np.abs(pictures[7.0] - pictures[0.0]).max(axis=2) > 30
    assert changed[row - 3 : row + 4, column - 3 : column + 4].mean() > 0.8
    assert changed.mean() < 0.2


def test_too_few_models_are_refused_with_what_to_do(
    tins: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--seed", "1", "--out", str(tmp_path / "shop"), "--meshes", str(tins)]
    assert main([*asked, "--products", "40"]) == 1
    assert "--meshes" in capsys.readouterr().err


def test_an_empty_folder_of_models_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none").mkdir()
    asked = ["--seed", "1", "--out", str(tmp_path / "shop"), "--meshes", str(tmp_path / "none")]
    assert main(asked) == 1
    assert "no OBJ file" in capsys.readouterr().err


def test_without_the_furniture_package_it_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models3d, "FURNITURE", tmp_path / "nowhere")
    assert main(["--seed", "1", "--out", str(tmp_path / "shop")]) == 1
    assert "apt-get install sweethome3d-furniture" in capsys.readouterr().err


def test_the_furniture_package_gives_textured_goods_of_their_stated_size() -> None:
    if not models3d.FURNITURE.is_dir():
        pytest.skip(f"not installed: {models3d.PACKAGE}")
    milk, teddy = models3d.goods(["milk", "teddy"])
    assert milk.mesh.size_m == pytest.approx((0.0955, 0.095, 0.265), abs=0.01)
    assert milk.category == "groceries"
    assert any(part.texture is not None for part in teddy.mesh.parts)
    assert teddy.mesh.triangles <= models3d.TRIANGLES_A_PRODUCT
    assert milk.credit.licence.startswith("CC")
    assert len(models3d.goods_keys()) >= 40


def test_from_the_furniture_package_doubles_stand_beside_their_originals(tmp_path: Path) -> None:
    if not models3d.FURNITURE.is_dir():
        pytest.skip(f"not installed: {models3d.PACKAGE}")
    staged = stage(Plan(seed=2, shoppers=1, seconds=10, products=8, shelf_cameras=1, staff=False))
    skus = [product.sku for product in staged.products]
    doubles = [product for product in staged.products if product.double_of]
    assert len(doubles) == 2
    for product in doubles:
        assert product.double_of is not None
        near = skus.index(product.sku) - skus.index(product.double_of)
        assert near in (1, 2)
    assert len({product.category for product in staged.products}) == 4
    assert {each.licence for each in staged.credits} <= {"CC0 1.0", "CC-BY 3.0", "CC-BY 3.0 US"}
