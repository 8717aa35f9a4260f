from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.format import Calibration, Camera, read_calibration
from edge.dashboard.pictures import CameraPictures, ShownPicture
from edge.events import Frame
from edge.tracking.observations import FloorObservation, FloorScan
from edge.tracking.silhouettes import OverheadView, Silhouettes
from edge.tracking.track import Track
from edge.tracking.watch import FloorMoment
from tests.edge.checkout.shopping import Clock

Picture = NDArray[np.uint8]
SIZE_PX = (640, 360)
# How much detail there is at least where nothing is hidden; hidden places have less than 20.
PLAIN = 60


@pytest.fixture(scope="module")
def calibration(recorded_shop: Path) -> Calibration:
    return read_calibration(recorded_shop / "calibration.json")


def camera_of(calibration: Calibration, role: str) -> tuple[str, Camera]:
    return next((name, each) for name, each in calibration.cameras.items() if each.role == role)


def texture(seed: int = 0) -> Picture:
    """A picture full of detail, so that what is hidden in it can be told."""
    dice = np.random.default_rng(seed)
    coarse = dice.integers(0, 256, (SIZE_PX[1] // 2, SIZE_PX[0] // 2, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, SIZE_PX, interpolation=cv2.INTER_NEAREST), np.uint8)


def frame_of(camera: str, image: Picture, at_s: float = 10.0, index: int = 100) -> Frame:
    return Frame(camera, index, at_s, 1_772_438_400.0 + at_s, image)


def track_at(x_m: float, y_m: float, at_s: float = 10.0) -> Track:
    spread = ((0.01, 0.0), (0.0, 0.01))
    return Track(
        track_id="t-1",
        at_s=at_s,
        position_m=(x_m, y_m),
        velocity_m_s=(0.0, 0.0),
        covariance_m2=spread,
        state="followed",
        first_seen_s=0.0,
        last_seen_s=at_s,
        found_inside=False,
        swaps=(),
        cameras=(),
        reason="",
    )


def moment_of(
    *tracks: Track, at_s: float = 10.0, silhouettes: Silhouettes | None = None
) -> FloorMoment:
    cameras = () if silhouettes is None else tuple(silhouettes.bits)
    return FloorMoment(FloorScan(at_s, (), silhouettes), tracks, cameras)


def decoded(made: ShownPicture) -> Picture:
    return np.asarray(cv2.imdecode(np.frombuffer(made.jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def detail(picture: Picture, at: NDArray[np.float64], reach: int = 4) -> float:
    """How much can be made out around a place, shares of the picture."""
    x, y = (at * picture.shape[1::-1]).astype(int)
    part = picture[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach]
    return float(np.abs(cv2.Laplacian(part, cv2.CV_64F)).mean())


def standing(camera: Camera) -> tuple[tuple[float, float], NDArray[np.float64]]:
    """A place on the floor whose head the camera sees well inside its picture, and where."""
    for x in np.arange(0.2, 6, 0.1):
        for y in np.arange(0.2, 6, 0.1):
            head = camera.project(np.array([[x, y, 1.7]]))[0] / camera.image_size_px
            if np.isfinite(head).all() and (np.abs(head - 0.5) < 0.12).all():
                return (float(x), float(y)), head
    raise AssertionError("the camera sees nobody's head")


@pytest.mark.parametrize("role", ["shelf", "overhead"])
def test_the_heads_of_people_who_are_followed_cannot_be_made_out(
    calibration: Calibration, role: str
) -> None:
    name, camera = camera_of(calibration, role)
    at_m, head = standing(camera)
    frame = frame_of(name, texture())
    nobody = decoded(CameraPictures().picture(frame, 640, camera, moment_of()))
    somebody = CameraPictures().picture(frame, 640, camera, moment_of(track_at(*at_m)))
    shown = decoded(somebody)
    assert somebody.hidden == "heads"
    assert detail(nobody, head) > PLAIN
    assert detail(shown, head) < 20
    corners = np.array([[0.02, 0.02], [0.02, 0.98], [0.98, 0.02], [0.98, 0.98]])
    assert max(detail(shown, corner) for corner in corners) > PLAIN


def test_somebody_who_was_seen_and_is_not_followed_yet_is_hidden_too(
    calibration: Calibration,
) -> None:
    name, camera = camera_of(calibration, "overhead")
    at_m, head = standing(camera)
    seen = FloorObservation(at_m, ((0.01, 0.0), (0.0, 0.01)), 0.9, (name,))
    moment = FloorMoment(FloorScan(10.0, ((seen,),)), (), (name,))
    shown = decoded(CameraPictures().picture(frame_of(name, texture()), 640, camera, moment))
    assert detail(shown, head) < 20


def test_whoever_moved_since_the_floor_was_looked_at_is_hidden_where_they_are_now(
    calibration: Calibration,
) -> None:
    name, camera = camera_of(calibration, "overhead")
    (x, y), _ = standing(camera)
    walking = track_at(x, y, 9.5)
    walking = Track(**{**vars(walking), "velocity_m_s": (1.2, 0.0)})
    now = camera.project(np.array([[x + 0.6, y, 1.7]]))[0] / camera.image_size_px
    moment = moment_of(walking, at_s=9.5)
    shown = decoded(CameraPictures().picture(frame_of(name, texture()), 640, camera, moment))
    assert detail(shown, now) < 20


def test_what_stands_on_the_floor_and_is_nobody_known_is_hidden_whole(
    calibration: Calibration,
) -> None:
    name, camera = camera_of(calibration, "overhead")
    small = (160, 90)
    foreground = np.zeros((small[1], small[0]), np.uint8)
    foreground[40:60, 70:90] = 255
    view = OverheadView(camera, (), small)
    silhouettes = Silhouettes.of({name: view}, {name: foreground})
    moment = moment_of(silhouettes=silhouettes)
    shown = decoded(CameraPictures().picture(frame_of(name, texture()), 640, camera, moment))
    assert detail(shown, np.array([0.5, 0.55])) < 20
    assert detail(shown, np.array([0.1, 0.1])) > PLAIN


@pytest.mark.parametrize("moment", [None, moment_of(at_s=2.0)])
def test_while_it_is_not_known_where_people_are_everything_is_hidden(
    calibration: Calibration, moment: FloorMoment | None
) -> None:
    name, camera = camera_of(calibration, "overhead")
    made = CameraPictures().picture(frame_of(name, texture()), 640, camera, moment)
    shown = decoded(made)
    assert made.hidden == "everybody"
    for place in np.array([[0.1, 0.1], [0.5, 0.5], [0.9, 0.9]]):
        assert detail(shown, place) < 20


def test_a_shelf_stays_to_be_seen_where_nobody_stands_before_it(calibration: Calibration) -> None:
    name, camera = camera_of(calibration, "shelf")
    goods = texture()
    quiet = frame_of(name, goods, 5.0, 50)
    # The light has changed, and somebody stands in the middle.
    now = np.asarray(np.clip(goods * 0.9, 0, 255), np.uint8)
    now[120:240, 240:400] = texture(1)[120:240, 240:400]
    made = CameraPictures().picture(frame_of(name, now), 640, camera, None, quiet)
    shown = decoded(made)
    assert made.hidden == "everybody"
    assert detail(shown, np.array([0.5, 0.5])) < 20
    assert detail(shown, np.array([0.1, 0.1])) > PLAIN
    assert detail(shown, np.array([0.9, 0.9])) > PLAIN
    alone = CameraPictures().picture(quiet, 640, camera, None, quiet)
    assert detail(decoded(alone), np.array([0.5, 0.5])) > PLAIN


def test_a_picture_is_made_once_for_all_who_look_and_never_made_larger(
    calibration: Calibration,
) -> None:
    name, camera = camera_of(calibration, "overhead")
    clock = Clock()
    pictures, frame = CameraPictures(0.4, clock), frame_of(name, texture())
    first = pictures.picture(frame, 300, camera, moment_of())
    assert pictures.picture(frame, 320, camera, moment_of()) is first
    assert decoded(first).shape[1] == 320
    assert decoded(pictures.picture(frame, 1280, camera, moment_of())).shape[1] == 640
    following = frame_of(name, texture(), 10.2, 101)
    assert pictures.picture(following, 320, camera, moment_of()) is first
    clock.now_s = 0.5
    assert pictures.picture(following, 320, camera, moment_of()) is not first
