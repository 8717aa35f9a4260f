"""People on the floor without any network: what differs from the empty shop, lifted to the floor.

Owns the way from the pictures of all overhead cameras to floor observations: small pictures, one
background a camera, one occupancy map for all of them. Needs calibration and nothing else. Does not
follow anybody; who is followed is told to it, so that people who stand still are not learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import Calibration, Camera, Fixture, Floor, Point2
from edge.errors import TrackingError
from edge.tracking.background import Background, BackgroundSettings
from edge.tracking.detector import PersonDetection, PersonDetector
from edge.tracking.observations import (
    Covariance,
    FloorObservation,
    FloorScan,
    Look,
    look_of,
)
from edge.tracking.occupancy import ColumnGrid, Standing
from edge.tracking.silhouettes import OverheadView, Silhouettes

# Spread of a found position across and along the line of sight, metres, and of the column itself.
_ACROSS_SD_M: Final = 0.07
_ALONG_SD_M: Final = 0.07
_BODY_SD_M: Final = 0.05
_CERTAIN: Final = 100
_FOLLOWED_GROW_PX: Final = 5
# A ghost's outline is in the background, not in the picture.
_GHOST_RATIO: Final = 1.5


class ForegroundFloor:
    """Floor observations from the overhead cameras of a shop, fused over cameras.

    Raises:
        TrackingError: The calibration has no overhead camera.
    """

    def __init__(
        self,
        floor: Floor,
        cameras: Mapping[str, Camera],
        fixtures: Sequence[Fixture] = (),
        settings: BackgroundSettings | None = None,
        *,
        cell_m: float = 0.1,
        picture_width_px: int = 320,
    ) -> None:
        if not cameras:
            raise TrackingError(
                "no overhead camera is calibrated, so nobody on the floor can be followed; "
                "calibrate one and give it the role overhead"
            )
        self._cameras = dict(cameras)
        self.grid = ColumnGrid(
            floor, cameras, fixtures, cell_m=cell_m, picture_width_px=picture_width_px
        )
        self._backgrounds = {name: Background(settings) for name in cameras}
        self._views = {
            name: OverheadView(camera, tuple(fixtures), self.grid.sizes_px[name])
            for name, camera in cameras.items()
        }

    @classmethod
    def from_calibration(
        cls, calibration: Calibration, settings: BackgroundSettings | None = None
    ) -> ForegroundFloor:
        """With all overhead cameras of a calibration, its fixtures standing in their way."""
        overhead = {
            name: camera
            for name, camera in calibration.cameras.items()
            if camera.role == "overhead"
        }
        return cls(calibration.floor, overhead, tuple(calibration.fixtures.values()), settings)

    def observe(
        self,
        images: Mapping[str, NDArray[np.uint8]],
        at_s: float,
        followed_m: Sequence[Point2] = (),
    ) -> FloorScan:
        """Find everybody on the floor.

        Args:
            images: By camera, uint8 BGR as the camera gave them. Cameras may be missing.
            at_s: When they were taken.
            followed_m: Where the tracks are, which the background leaves alone.

        Raises:
            TrackingError: A picture is of a camera that is not calibrated as overhead, or of
                other proportions than it was calibrated for.
        """
        small = {name: self._shrink(name, image) for name, image in images.items()}
        foreground, solid = {}, {}
        for name, picture in small.items():
            people = np.zeros(picture.shape[:2], np.bool_)
            for place in followed_m:
                people |= self.grid.body_mask(name, place, grow_px=_FOLLOWED_GROW_PX)
            seen = foreground[name] = self._backgrounds[name].observe(picture, at_s, people)
            # What looks like a shadow is one, but where somebody is followed it is their clothes.
            solid[name] = np.where(people & (seen > _CERTAIN), np.uint8(255), seen)
        standing = self.grid.find(solid, followed_m)
        # While a camera is missing, a crowd may be explained by somebody whom only it would see.
        people_seen = [
            each for each in standing if each.cameras and not self._dissolve_ghost(each, foreground)
        ]
        return FloorScan(
            at_s,
            (self._observations(people_seen, small, foreground),),
            Silhouettes.of(self._views, foreground),
        )

    def _shrink(self, name: str, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if name not in self._cameras:
            raise TrackingError(
                f"camera {name} is not calibrated as an overhead camera; "
                f"calibrated are: {', '.join(sorted(self._cameras))}"
            )
        width, height = self._cameras[name].image_size_px
        if abs(image.shape[1] * height - image.shape[0] * width) > 0.02 * width * height:
            raise TrackingError(
                f"camera {name} was calibrated at {width}x{height} and now gives "
                f"{image.shape[1]}x{image.shape[0]}; set the camera back or calibrate it again"
            )
        small = cv2.resize(image, self.grid.sizes_px[name], interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)

    def _dissolve_ghost(
        self, standing: Standing, foreground: Mapping[str, NDArray[np.uint8]]
    ) -> bool:
        """Whether this is the hole somebody left who was in the background; then it is filled."""
        bodies = {}
        now = before = 0.0
        for name in standing.cameras:
            body = self.grid.body_mask(name, standing.position_m, grow_px=4)
            solid = (foreground[name] > _CERTAIN) & body
            whole = solid.astype(np.uint8)
            outline = cv2.morphologyEx(whole, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
            in_picture, in_background = self._backgrounds[name].outline_contrast(outline & body)
            now, before = now + in_picture, before + in_background
            bodies[name] = body
        if before < _GHOST_RATIO * now + 4.0:
            return False
        for name, body in bodies.items():
            self._backgrounds[name].learn_at_once(body)
        return True

    def _observations(
        self,
        standing: Sequence[Standing],
        small: Mapping[str, NDArray[np.uint8]],
        foreground: Mapping[str, NDArray[np.uint8]],
    ) -> tuple[FloorObservation, ...]:
        looks: list[dict[str, Look]] = [{} for _ in standing]
        for name, picture in small.items():
            colours = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2HSV), np.uint8)
            free = (foreground[name] > _CERTAIN).astype(np.float32)
            for who, each in enumerate(
                standing
            ):  # surest first: pixels belong to whom they explain
                if name not in each.cameras:
                    continue
                bands = self.grid.body_bands(name, each.position_m)
                own = free * (bands < 255)
                look = look_of(colours, own, bands)
                free[bands < 255] = 0
                if look is not None:
                    looks[who][name] = look
        return tuple(
            FloorObservation(
                each.position_m,
                self._covariance(each),
                min(1.0, each.fill),
                each.cameras,
                looks[who],
            )
            for who, each in enumerate(standing)
        )

    def _covariance(self, standing: Standing) -> Covariance:
        """Of all cameras combined: each knows little along its own line of sight."""
        certainty = np.zeros((2, 2))
        for name in standing.cameras:
            eye = self._cameras[name].position_m
            towards = np.array(standing.position_m) - eye[:2]
            away_m = max(float(np.hypot(*towards)), 1e-3)
            along = towards / away_m
            across = np.array([-along[1], along[0]])
            along_sd_m = _ALONG_SD_M * (1 + away_m / max(float(eye[2]), 0.5))
            certainty += np.outer(across, across) / _ACROSS_SD_M**2
            certainty += np.outer(along, along) / along_sd_m**2
        (xx, xy), (yx, yy) = (np.linalg.inv(certainty) + np.eye(2) * _BODY_SD_M**2).tolist()
        return (xx, xy), (yx, yy)


class ForegroundDetector(PersonDetector):
    """The same for one camera alone, behind the seam of the detectors.

    It is handed no times; pictures are taken to come at a steady rate.
    """

    def __init__(
        self,
        camera: Camera,
        floor: Floor,
        fixtures: Sequence[Fixture] = (),
        rate_hz: float = 7.5,
    ) -> None:
        self._camera = camera
        self._floor = ForegroundFloor(floor, {"camera": camera}, fixtures)
        self._rate_hz = rate_hz
        self._seen = 0
        self._last_m: tuple[Point2, ...] = ()

    def _find(self, image: NDArray[np.uint8]) -> list[PersonDetection]:
        scan = self._floor.observe({"camera": image}, self._seen / self._rate_hz, self._last_m)
        self._seen += 1
        [seen] = scan.views
        self._last_m = tuple(each.position_m for each in seen)
        scale = image.shape[1] / self._floor.grid.sizes_px["camera"][0]
        detections = []
        for each in seen:
            rows, columns = np.nonzero(self._floor.grid.body_mask("camera", each.position_m, 0))
            box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            left, top, right, bottom = (float(side * scale) for side in box)
            x_m, y_m = each.position_m
            [foot] = self._camera.project(np.array([[x_m, y_m, 0.0]]))
            foot_px = (float(foot[0]), float(foot[1])) if np.isfinite(foot).all() else None
            detections.append(PersonDetection((left, top, right, bottom), each.score, foot_px))
        return detections
