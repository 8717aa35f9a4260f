"""Pictures of the work: what cameras see now, the stills that points are set in, fronts, reports.

Owns the files of stills and reports beside the work. Nobody in these pictures is made
unrecognisable: whoever calibrates stands before the camera, and only technicians see them.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import CalibrationError
from calibration.pictures import read_picture
from calibration.wizard.fronts import straight_front
from edge.calibrating.workpiece import Workpiece
from edge.errors import NotThereError
from edge.events import Frame

Grey = NDArray[np.uint8]


class Pictures(Workpiece):
    """The work with its pictures; see ``Workpiece``."""

    def picture(self, name: str, width_px: int, *, still: bool = False) -> tuple[str, bytes]:
        """A camera's picture as JPEG, and what names it.

        Raises:
            NotThereError: There is none.
        """
        self._camera(name)
        if still:
            path = self._still_path(name)
            if not path.exists():
                raise NotThereError(f"{name} has no still picture yet; take one")
            image: NDArray[np.uint8] = read_picture(path)
            tag = f"still-{path.stat().st_mtime_ns}-{width_px}"
        else:
            frame = self.ground.frame_of(name)
            image, tag = frame.image, f"live-{frame.index}-{width_px}"
        scale = min(1.0, width_px / image.shape[1])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        good, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])
        if not good:
            raise NotThereError(f"the picture of {name} cannot be encoded")
        return tag, encoded.tobytes()

    def size_px(self, name: str) -> tuple[int, int] | None:
        """Size of a camera's pictures; ``None`` before the first."""
        try:
            image = self.ground.frame_of(name).image
        except NotThereError:
            return None
        return image.shape[1], image.shape[0]

    def front_picture(self, fixture: str) -> bytes:
        """A fixture's front as it would be seen from straight before it, as JPEG.

        Raises:
            NotThereError: No camera that is placed has a picture of it.
        """
        work = self.work
        front = work.fixtures.get(fixture)
        for name, each in work.cameras.items():
            if front is not None and each.fixture == fixture and each.placed is not None:
                path = self._still_path(name)
                image = read_picture(path) if path.exists() else self.ground.frame_of(name).image
                flat = straight_front(image, each.placed, front)
                good, encoded = cv2.imencode(".jpg", flat, [cv2.IMWRITE_JPEG_QUALITY, 85])
                if good:
                    return encoded.tobytes()
        raise NotThereError(f"no camera that is placed sees {fixture}")

    def has_still(self, name: str) -> bool:
        """Whether a still picture of a camera is kept."""
        return self._still_path(name).exists()

    def report(self, name: str) -> str:
        """The newest report about a camera's lens, HTML.

        Raises:
            NotThereError: There is none.
        """
        path = self.ground.folder / f"{name}.html"
        if name not in self.work.cameras or not path.exists():
            raise NotThereError(f"{name} has no report; work its lens out first")
        return path.read_text(encoding="utf-8")

    def take_still(self, name: str) -> None:
        """Keep what a camera sees now; points are set in it.

        Raises:
            NotThereError: There is no picture.
        """
        with self._guard:
            self._camera(name)
            self._keep_still(name, grey_of(self.ground.frame_of(name)))

    def _still_path(self, name: str) -> Path:
        return self.ground.folder / f"{name}.png"

    def _still_size(self, name: str) -> tuple[int, int]:
        path = self._still_path(name)
        if not path.exists():
            raise CalibrationError(f"{name}: take a picture first, and set the points in it")
        grey = read_picture(path)
        return grey.shape[1], grey.shape[0]

    def _keep_still(self, name: str, grey: Grey) -> None:
        self.ground.folder.mkdir(parents=True, exist_ok=True)
        good, encoded = cv2.imencode(".png", grey)
        if not good:
            raise CalibrationError(f"{name}: its picture cannot be encoded")
        self._still_path(name).write_bytes(encoded.tobytes())

    def _keep_reports(self) -> None:
        folder = self.ground.calibration.parent / "calibration" / "reports"
        at = datetime.fromtimestamp(self.ground.wall_time_s(), timezone.utc)
        for page in self.ground.folder.glob("*.html"):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{page.stem}-{at:%Y%m%dT%H%M%SZ}.html").write_bytes(page.read_bytes())


def grey_of(frame: Frame) -> Grey:
    """A frame in grey levels ``(H, W)``."""
    return np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY), np.uint8)
