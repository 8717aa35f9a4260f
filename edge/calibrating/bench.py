"""The technician's bench: the wizard's work on this device, its cameras, its files.

Owns the one piece of work that there is at a time, that every step of it is on the disk before it
is answered, what is looked for through which camera, and what is worked out in the background. May
be called from any thread; ``run`` is a worker's body and looks while somebody watches. Decides
nothing about geometry: that is ``calibration.wizard``'s.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np

from calibration.format import (
    CalibrationError,
    CameraRole,
    Fixture,
    Point2,
    read_calibration,
)
from calibration.history import save_reference
from calibration.pictures import read_picture, read_pictures
from calibration.targets import Missed
from calibration.wizard.finishing import Finding, check_work, planogram_of, save_work_as
from calibration.wizard.lenses import find_lens
from calibration.wizard.placing import place_overhead, place_overheads_by_board, place_shelf
from calibration.wizard.work import (
    Board,
    CameraWork,
    KeptView,
    MarkSet,
)
from edge.calibrating.looking import LensLook, MarkerLook
from edge.calibrating.pictures import Grey, Pictures, grey_of
from edge.calibrating.workpiece import Ground
from edge.errors import NotThereError
from edge.events import Frame
from edge.workers import Pulse

Wanted = Literal["lens", "markers"]


_LOGGER: Final = logging.getLogger(__name__)
_LOOKS_EVERY_S: Final = 0.2
_NOBODY_WATCHES_S: Final = 20.0
_ENOUGH_VIEWS: Final = 15
_MORE_VIEWS: Final = 5


@dataclass(frozen=True, eq=False)
class Live:
    """What is being looked for now."""

    camera: str
    look: LensLook | MarkerLook


class Bench(Pictures):
    """A technician's work.

    Args:
        ground: What it stands on.

    Raises:
        CalibrationError: Work that was put down, or what is in force, cannot be read.
    """

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._live: Live | None = None
        self._asked_s = 0.0
        self._solving: set[str] = set()
        self._solved_with: dict[str, int] = {}
        self._troubles: dict[str, str] = {}
        self._background = ThreadPoolExecutor(1, "calibrating")
        self.waiting: tuple[str, ...] = ()

    # Looking at the work

    @property
    def live(self) -> Live | None:
        """What is looked for now."""
        with self._guard:
            return self._live

    def is_solving(self, name: str) -> bool:
        """Whether a camera's lens is being worked out."""
        with self._guard:
            return name in self._solving

    def trouble(self, name: str) -> str:
        """Why the last thing that was tried in the background failed; empty if it did not."""
        with self._guard:
            return self._troubles.get(name, "")

    def watched(self) -> None:
        """Somebody watches: go on looking."""
        self._asked_s = self.ground.wall_time_s()

    def check(self) -> tuple[Finding, ...]:
        """What the check finds."""
        return check_work(self.work, self._skus)

    # The whole

    def begin_again(self) -> None:
        """Throw the work away and begin with what is in force."""
        with self._guard:
            self._live = None
            self._solved_with.clear()
            self._troubles.clear()
            for path in self.ground.folder.glob("*"):
                if path.is_file():
                    path.unlink()
            self._set(self._in_force())

    # A camera

    def set_role(self, name: str, role: CameraRole) -> None:
        """What a camera watches."""
        with self._guard:
            if self._camera(name).role != role:
                self._set(self._work.with_camera(name, role=role, place=None, marks=()))

    def set_board(self, name: str, board: Board) -> None:
        """Which board is held up; views of another one are thrown away.

        Raises:
            CalibrationError: There is no such board.
        """
        board.target()
        with self._guard:
            if self._camera(name).board != board:
                self._stop_looking(name)
                self._set(self._work.with_camera(name, board=board, views=()))

    def clear_views(self, name: str) -> None:
        """Throw a camera's views away, and the lens that came of them."""
        with self._guard:
            self._camera(name)
            self._stop_looking(name)
            self._solved_with.pop(name, None)
            self._troubles.pop(name, None)
            self._set(self._work.with_camera(name, views=(), lens=None))

    def look(self, name: str, wanted: Wanted | None) -> None:
        """Begin to look for something through a camera, or stop.

        Raises:
            CalibrationError: It cannot be looked for yet.
        """
        self.watched()
        with self._guard:
            camera = self._camera(name)
            if wanted is None:
                self._stop_looking(name)
            elif wanted == "lens":
                self._live = Live(name, LensLook(camera.board, camera.views))
            else:
                self._live = Live(name, MarkerLook(self._fixture_of(name)))
            self._troubles.pop(name, None)

    def solve(self, name: str) -> None:
        """Work a camera's lens out in the background."""
        with self._guard:
            camera, live = self._camera(name), self._live
            if name in self._solving:
                return
            self._solving.add(name)
            self._troubles.pop(name, None)
            self._solved_with[name] = len(camera.views)
        look = live.look if live is not None and live.camera == name else None
        missed = look.missed if isinstance(look, LensLook) else ()
        pictures = look.pictures if isinstance(look, LensLook) else {}
        self._background.submit(self._solve, name, camera, missed, pictures)

    def take_in(self, name: str, path: Path) -> None:
        """Look at uploaded pictures or a video in the background."""
        with self._guard:
            camera = self._camera(name)
            self._stop_looking(name)
            self._solving.add(name)
            self._troubles.pop(name, None)
        self._background.submit(self._take_in, name, camera, path)

    def set_fixture_of(self, name: str, fixture: str) -> None:
        """Which fixture a shelf camera is placed by."""
        with self._guard:
            if fixture not in self._work.fixtures:
                raise NotThereError(f"there is no fixture {fixture}")
            if self._camera(name).fixture != fixture:
                self._stop_looking(name)
                self._set(self._work.with_camera(name, fixture=fixture, place=None))

    def place_by_markers(self, name: str) -> None:
        """Place a shelf camera by the markers that are being looked for.

        Raises:
            CalibrationError: They are not all seen, or do not carry it.
        """
        with self._guard:
            fixture, live = self._fixture_of(name), self._live
            look = live.look if live is not None and live.camera == name else None
            steady = look.steady() if isinstance(look, MarkerLook) else None
            if steady is None:
                raise CalibrationError(
                    f"{name}: none of the markers of its fixture was seen: clear the view, light "
                    "it evenly, and see that the right ones are stuck to it"
                )
            found, grey = steady
            camera = self._camera(name)
            size = (grey.shape[1], grey.shape[0])
            placed = place_shelf(name, camera, str(camera.fixture), fixture, size, markers=found)
            self._keep_still(name, grey)
            self._set(self._work.with_camera(name, place=placed, still=True))
            self._stop_looking(name)

    def place_by_clicks(self, name: str, clicks: Sequence[Point2]) -> None:
        """Place a shelf camera by clicks on its front's corners in the still picture.

        Raises:
            CalibrationError: They do not carry it.
        """
        with self._guard:
            fixture, camera = self._fixture_of(name), self._camera(name)
            placed = place_shelf(
                name, camera, str(camera.fixture), fixture, self._still_size(name), clicks=clicks
            )
            self._set(self._work.with_camera(name, place=placed, still=True))

    def set_marks(self, name: str, marks: tuple[MarkSet, ...]) -> None:
        """Marks of an overhead camera in its still picture; its place is found anew by them."""
        with self._guard:
            self._camera(name)
            self._set(self._work.with_camera(name, marks=marks, place=None))

    def place_by_marks(self, name: str) -> None:
        """Place an overhead camera by its marks.

        Raises:
            CalibrationError: They do not carry it; with where another one helps most.
        """
        with self._guard:
            marks = self._camera(name).marks
            placed = place_overhead(name, self._work, self._still_size(name), marks)
            self._set(self._work.with_camera(name, place=placed, still=True))

    def take_board(self, board: Board) -> dict[str, str]:
        """The board lies on the floor somewhere: keep what every overhead camera sees of it.

        Returns:
            For each overhead camera, why it does not see it; empty where it does.

        Raises:
            CalibrationError: No camera sees it.
        """
        target, views, said = board.target(), {}, {}
        number = len(self.work.boards) + 1
        for name, each in self.work.cameras.items():
            if each.role != "overhead":
                continue
            grey = grey_of(self.ground.frame_of(name))
            found = target.find(grey, f"place {number} by {name}")
            if isinstance(found, Missed):
                said[name] = found.reason
            else:
                said[name], views[name] = "", KeptView.of(found)
        if not views:
            raise CalibrationError(
                "no overhead camera sees the board: "
                + "; ".join(f"{name}: {why}" for name, why in said.items())
            )
        with self._guard:
            self._set(self._work.changed_to(boards=(*self._work.boards, views)))
        return said

    def clear_boards(self) -> None:
        """Forget where the board lay."""
        with self._guard:
            self._set(self._work.changed_to(boards=()))

    def place_by_boards(self) -> None:
        """Place all overhead cameras by where the board lay, and two marks.

        Raises:
            CalibrationError: They are not joined, or do not fit.
        """
        with self._guard:
            for name, placed in place_overheads_by_board(self._work).items():
                if not self._camera(name).still:
                    self.take_still(name)
                self._work = self._work.with_camera(name, place=placed)
            self._set(self._work)

    def take_reference(self, name: str, by: str) -> None:
        """Keep what a camera in force sees now as its reference: it is where it should be.

        Raises:
            CalibrationError: The camera is not calibrated, or the file cannot be written.
        """
        calibration = read_calibration(self.ground.calibration)
        if name not in calibration.cameras:
            raise CalibrationError(f"{name} is not calibrated yet: calibrate it first")
        grey = grey_of(self.ground.frame_of(name))
        width, height = calibration.cameras[name].image_size_px
        if grey.shape != (height, width):
            small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
            grey = np.asarray(small, np.uint8)
        save_reference(self.ground.calibration, name, grey)
        _LOGGER.info("%s took a new reference of %s", by, name)
        self.ground.take_up()

    # Saving

    def save(self, by: str) -> tuple[str, ...]:
        """Save the work as the calibration and planogram in force.

        Returns:
            What of it waits for a restart, in words.

        Raises:
            CalibrationError: The check finds something red, or it cannot be written.
        """
        with self._guard:
            ground, work = self.ground, self._work
            stills = {
                name: read_picture(self._still_path(name))
                for name, each in work.cameras.items()
                if each.place is not None and self._still_path(name).exists()
            }
            at = datetime.fromtimestamp(ground.wall_time_s(), timezone.utc)
            calibration = save_work_as(
                ground.calibration,
                ground.planogram,
                work,
                self._skus,
                stills,
                at.isoformat(timespec="seconds"),
                by,
            )
            self._keep_reports()
            cameras = {
                name: each.model_copy(
                    update={"before": calibration.cameras.get(name), "place": None, "lens": None}
                    | {"views": (), "still": False}
                )
                for name, each in work.cameras.items()
            }
            self._live = None
            self._set(
                work.model_copy(
                    update={
                        "cameras": cameras,
                        "fixtures": calibration.fixtures,
                        "facings": planogram_of(work).facings,
                        "boards": (),
                        "changed": False,
                    }
                )
            )
            self.waiting = ground.take_up()
            return self.waiting

    # A worker's body

    def run(self, pulse: Pulse) -> None:
        """Look until told to stop."""
        seen: tuple[str, int] | None = None
        looked_s = float("-inf")
        while not pulse.stop.wait(_LOOKS_EVERY_S / 4):
            pulse.beat()
            live = self.live
            if live is None:
                continue
            if self.ground.wall_time_s() - self._asked_s > _NOBODY_WATCHES_S:
                with self._guard:
                    self._live = None
                continue
            try:
                frame = self.ground.frame_of(live.camera)
            except NotThereError:
                continue
            name = (live.camera, frame.index)
            if name == seen or 0 <= frame.captured_at_s - looked_s < _LOOKS_EVERY_S:
                continue
            seen, looked_s = name, frame.captured_at_s
            self._look_at(live, frame)
        self._background.shutdown(wait=False, cancel_futures=True)

    def _look_at(self, live: Live, frame: Frame) -> None:
        kept = live.look.look(grey_of(frame), frame.captured_at_s)
        if not (kept and isinstance(live.look, LensLook)):
            return
        with self._guard:
            if self._live is not live:
                return
            views = live.look.views
            self._set(self._work.with_camera(live.camera, views=views))
            complete = live.look.told()[2].complete
            solved_with = self._solved_with.get(live.camera, 0)
            due = len(views) >= max(_ENOUGH_VIEWS, solved_with + _MORE_VIEWS)
        if complete and due:
            self.solve(live.camera)

    def _solve(
        self,
        name: str,
        camera: CameraWork,
        missed: tuple[Missed, ...],
        pictures: dict[str, Grey],
    ) -> None:
        try:
            before = camera.own_lens if camera.lens is None else None
            found, page = find_lens(name, camera.board, camera.views, missed, pictures, before)
            (self.ground.folder / f"{name}.html").write_text(page, encoding="utf-8")
            with self._guard:
                self._set(self._work.with_camera(name, lens=found, place=None))
                live = self._live
                if found.light == "green" and live is not None and live.camera == name:
                    self._live = None
        except CalibrationError as err:
            with self._guard:
                self._troubles[name] = str(err)
        except Exception:
            _LOGGER.exception("the lens of %s could not be worked out", name)
            with self._guard:
                self._troubles[name] = "working the lens out failed; the device's log says why"
        finally:
            with self._guard:
                self._solving.discard(name)

    def _take_in(self, name: str, camera: CameraWork, path: Path) -> None:
        look: LensLook | None = None
        try:
            look = LensLook(camera.board, camera.views)
            for picture in read_pictures(path):
                look.look(picture.grey, picture.at_s)
            with self._guard:
                self._set(self._work.with_camera(name, views=look.views))
            if not look.views:
                (reason, count), *_ = look.usual_reasons() or (("there are no pictures", 0),)
                raise CalibrationError(f"none of the {count} pictures can be used: {reason}")
        except CalibrationError as err:
            with self._guard:
                self._troubles[name] = str(err)
                self._solving.discard(name)
        except Exception:
            _LOGGER.exception("the pictures of %s could not be looked at", name)
            with self._guard:
                self._troubles[name] = "the pictures could not be read; the device's log says why"
                self._solving.discard(name)
        else:
            with self._guard:
                camera = self._camera(name)
            self._solve(name, camera, look.missed, look.pictures)

    # Small things

    def _fixture_of(self, name: str) -> Fixture:
        fixture = self._camera(name).fixture
        if fixture is None or fixture not in self._work.fixtures:
            raise CalibrationError(f"say first which fixture {name} watches")
        return self._work.fixtures[fixture]

    def _stop_looking(self, name: str) -> None:
        if self._live is not None and self._live.camera == name:
            self._live = None
