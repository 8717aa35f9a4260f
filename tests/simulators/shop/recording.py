"""Writes a recorded shop: from a plan to a folder with videos, catalogue, calibration and truth."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty

import cv2
import numpy as np

from calibration.history import save_reference
from tests.simulators.shop import camera_effects, truth
from tests.simulators.shop.errors import SimulatorError
from tests.simulators.shop.layout import Goods, Shop, lay_out
from tests.simulators.shop.meshes import Mesh
from tests.simulators.shop.models3d import Credit, unknown_objects
from tests.simulators.shop.photos import photos
from tests.simulators.shop.range_of_goods import ShopProduct, choose
from tests.simulators.shop.record import Film, Shot, record
from tests.simulators.shop.scene import Scene
from tests.simulators.shop.script import BEHAVIOURS, write_story
from tests.simulators.shop.story import Story
from tests.simulators.shop.studio import Studio

Advance = Callable[[int], None]
_CURRENCY = "EUR"


@dataclass(frozen=True)
class Plan:
    """What to record.

    Attributes:
        seed: Fixes everything.
        shoppers: How many come, staff not counted.
        seconds: Length, longer if somebody is still inside then; ``None`` for what they need.
        products: How many SKUs.
        shelf_cameras: And as many fixtures.
        overhead_cameras: Near the ceiling.
        size_px: Of the videos.
        fps: Of the videos.
        photos: Catalogue photos a product.
        photo_px: Their size.
        crf: Constant rate factor of x264.
        meshes: Folders of OBJ files to sell instead of the furniture package.
        behaviours: What may happen at the shelves.
        staff: Whether somebody restocks.
    """

    seed: int
    shoppers: int = 4
    seconds: float | None = None
    products: int = 16
    shelf_cameras: int = 3
    overhead_cameras: int = 2
    size_px: tuple[int, int] = (1280, 720)
    fps: int = 15
    photos: int = 12
    photo_px: int = 384
    crf: int = 28
    meshes: tuple[Path, ...] = ()
    behaviours: tuple[str, ...] = BEHAVIOURS
    staff: bool = True


@dataclass(frozen=True, eq=False)
class Staged:
    """A plan worked out, ready to be recorded.

    Attributes:
        plan: What was asked for.
        products: On sale.
        shop: Its geometry.
        story: What happens.
        meshes: Of everything that can be held, by key.
        credits: For the models that are used.
    """

    plan: Plan
    products: tuple[ShopProduct, ...]
    shop: Shop
    story: Story
    meshes: dict[str, Mesh]
    credits: tuple[Credit, ...]

    def scene(self) -> Scene:
        """What there is to draw."""
        return Scene(self.shop, self.story, self.meshes, self.plan.seed)

    def film(self) -> Film:
        """How it is filmed."""
        return Film(self.plan.fps, self.story.seconds, self.plan.crf)

    def sensor(self, camera: str) -> camera_effects.Sensor:
        """The electronics of a camera."""
        number = list(self.shop.calibration.cameras).index(camera)
        light = camera_effects.ambience(self.plan.seed, self.story.seconds)
        return camera_effects.Sensor(self.plan.seed, number, self.plan.size_px, light)


def stage(plan: Plan) -> Staged:
    """Work out everything but the pictures.

    Raises:
        SimulatorError: Models are missing or goods do not fit.
    """
    products = choose(plan.products, plan.seed, plan.meshes)
    shop = lay_out(
        [Goods(each.sku, each.mesh.size_m) for each in products],
        shelf_cameras=plan.shelf_cameras,
        overhead_cameras=plan.overhead_cameras,
        size_px=plan.size_px,
        rng=np.random.default_rng((plan.seed, 1)),
    )
    # Other people's models come without the furniture package, hence without its odds and ends.
    strangers = () if plan.meshes else unknown_objects()
    meshes = {each.sku: each.mesh for each in products}
    meshes |= {f"unknown/{each.key}": each.mesh for each in strangers}
    seconds = plan.seconds if plan.seconds is not None else 14.0 * plan.shoppers + 12.0
    story = write_story(
        shop,
        {key: mesh.size_m for key, mesh in meshes.items()},
        [f"unknown/{each.key}" for each in strangers],
        shoppers=plan.shoppers,
        seconds=seconds,
        seed=plan.seed,
        behaviours=plan.behaviours,
        staff=plan.staff,
    )
    brought = {each.thing for each in story.unknown_objects}
    used = [each.credit for each in products if each.double_of is None]
    used += [each.credit for each in strangers if each.key in brought]
    return Staged(plan, tuple(products), shop, story, meshes, tuple(used))


def frames_to_render(staged: Staged) -> int:
    """Pictures that ``write`` renders, photos among them: what progress counts up to."""
    videos = staged.film().frames * len(staged.shop.calibration.cameras)
    return videos + staged.plan.photos * len(staged.products)


def write(staged: Staged, out: Path, *, jobs: int = 1, advance: Advance = lambda _: None) -> None:
    """Write the recorded shop.

    Args:
        staged: What to write.
        out: A folder, made if need be; files in it are overwritten.
        jobs: Processes that share the cameras between them.
        advance: Called with the number of pictures done since the last call.
    """
    out.mkdir(parents=True, exist_ok=True)
    _write_texts(staged, out)
    _write_catalogue(staged, out / "catalogue", advance)
    cameras = list(staged.shop.calibration.cameras)
    if jobs <= 1:
        _write_videos(staged, cameras, out, advance)
        return
    # Processes are started afresh: OpenGL contexts do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with context.Manager() as shared, context.Pool(jobs) as pool:
        done = shared.Queue()
        running = [
            pool.apply_async(_videos_in_process, (staged, cameras[job::jobs], out, done))
            for job in range(min(jobs, len(cameras)))
        ]
        while any(not each.ready() for each in running):
            try:
                advance(done.get(timeout=0.2))
            except Empty:
                continue
        for each in running:
            each.get()


def _videos_in_process(staged: Staged, cameras: list[str], out: Path, done: object) -> None:
    _write_videos(staged, cameras, out, done.put)  # type: ignore[attr-defined]


def _write_videos(staged: Staged, cameras: list[str], out: Path, advance: Advance) -> None:
    calibrated = staged.shop.calibration.cameras
    shots = [Shot(out / f"{name}.mp4", calibrated[name], staged.sensor(name)) for name in cameras]
    record(shots, staged.scene(), staged.film(), advance)
    for name in cameras:
        _keep_reference(out, name)


def _keep_reference(out: Path, camera: str) -> None:
    """What the camera saw before anybody came, by which it notices later that it was moved."""
    video = cv2.VideoCapture(str(out / f"{camera}.mp4"))
    read, frame = video.read()
    video.release()
    if not read:
        raise SimulatorError(f"{out / camera}.mp4 cannot be read")
    grey = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)
    save_reference(out / "calibration.json", camera, grey)


def _write_texts(staged: Staged, out: Path) -> None:
    plan, shop, story = staged.plan, staged.shop, staged.story
    shop.planogram.check(shop.calibration, {each.sku for each in staged.products})
    _write_json(out / "calibration.json", shop.calibration.model_dump(mode="json"))
    _write_json(out / "planogram.json", shop.planogram.model_dump(mode="json"))
    _write_json(out / "truth.json", truth.truth(story, plan.seed, plan.fps))
    _write_json(out / "checkins.json", truth.checkins(story))
    lines = [
        "schema_version: 1",
        f"store: {{id: shop-{plan.seed}, name: Walkout shop {plan.seed}, currency: {_CURRENCY}, "
        "locale: en, timezone: Europe/Berlin, tax_percent: 19.0, "
        'opened_at: "2026-03-02T09:00:00+01:00"}',
        "calibration: calibration.json",
        "planogram: planogram.json",
        "catalogue: catalogue",
        "bundles: [bundles/groceries]",
        "checkins: checkins.json",
        "cameras:",
        *(f"  {name}: {{kind: file, path: {name}.mp4}}" for name in shop.calibration.cameras),
    ]
    (out / "store.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    credit_lines = ["# Credits", "", "3D models shown in this recording:", ""]
    for each in sorted(set(staged.credits), key=lambda credit: (credit.name, credit.source)):
        credit_lines.append(f"- {each.name}, by {each.creator}, {each.licence} ({each.source})")
    if any(each.double_of for each in staged.products):
        credit_lines += ["", "Some are shown a second time in other colours."]
    (out / "CREDITS.md").write_text("\n".join(credit_lines) + "\n", encoding="utf-8")


def _write_json(path: Path, values: object) -> None:
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _write_catalogue(staged: Staged, folder: Path, advance: Advance) -> None:
    folder.mkdir(exist_ok=True)
    rows = ["sku,name,category,price,currency"]
    studio = Studio()
    try:
        for product in staged.products:
            rows.append(
                f'{product.sku},"{product.name}",{product.category},{product.price},{_CURRENCY}'
            )
            below = folder / product.category / product.sku
            below.mkdir(parents=True, exist_ok=True)
            plan = staged.plan
            pictures = photos(studio, product, plan.photos, plan.photo_px, plan.seed)
            for number, picture in enumerate(pictures):
                path = below / f"{number:03d}.jpg"
                cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 88])
                advance(1)
    finally:
        studio.close()
    (folder / "products.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
