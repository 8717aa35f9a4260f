"""Cameras: how they are, and what is drawn over their pictures.

Places in a picture are shares of its width and height, 0 to 1, from the top left, so they fit a
picture of any size.
"""

from __future__ import annotations

from urllib.parse import quote

from edge.cameras.newest import CameraState
from edge.dashboard.views.events import Result
from edge.dashboard.views.shape import Point, Polygon
from edge.events import InteractionKind
from web.shape import API, Shape


class ShownCamera(Shape):
    """How a camera is.

    Attributes:
        name: Its name.
        role: ``shelf`` or ``overhead``.
        status: ``connecting``, ``running``, ``stalled``, ``frozen``, ``lost`` or ``ended``.
        reason: Why, for people; empty while it runs.
        frame_age_s: Since its newest frame came; ``None`` before the first.
        resting: Whether it rests because nothing moves.
        grabbed_fps: Frames that came, a second.
        looked_at_fps: Frames that were looked at, a second.
        skipped_fps: Frames that nobody looked at though it did not rest, a second.
        reconnects: Connections after the first.
        width_px: Of its picture.
        height_px: Of its picture.
        place: Whether it is where it was calibrated: ``green``, ``amber``, ``red`` or
            ``unwatched``.
        place_reason: Why, for people; empty while all is well.
        picture: Address of its newest picture.
    """

    name: str
    role: str
    status: str
    reason: str
    frame_age_s: float | None
    resting: bool
    grabbed_fps: float
    looked_at_fps: float
    skipped_fps: float
    reconnects: int
    width_px: int
    height_px: int
    place: str
    place_reason: str
    picture: str


class DrawnZone(Shape):
    """A zone, a fixture or the floor's border in a picture.

    Attributes:
        name: What people call it.
        kind: ``entry``, ``exit``, ``no_go``, ``floor`` or ``fixture``.
        polygon: Corners, shares of the picture.
    """

    name: str
    kind: str
    polygon: Polygon


class DrawnFacing(Shape):
    """A facing in a shelf camera's picture.

    Attributes:
        name: Its name.
        sku: What belongs there.
        product: Name of that.
        pieces: How many are believed to stand there.
        capacity: How many fit.
        strays: Names of products that stand there and do not belong.
        polygon: Corners of its front, shares of the picture.
        hand: Whether something is before or in it now.
    """

    name: str
    sku: str
    product: str
    pieces: int
    capacity: int
    strays: tuple[str, ...]
    polygon: Polygon
    hand: bool


class DrawnShopper(Shape):
    """Somebody in a picture.

    Attributes:
        track: Their track.
        shopper: Label of who checked in; ``None`` for somebody without a session.
        role: ``shopper`` or ``staff``.
        state: ``new``, ``followed`` or ``hidden``.
        feet: Where they stand.
        head: Where their head is.
    """

    track: str
    shopper: str | None
    role: str | None
    state: str
    feet: Point
    head: Point


class DrawnDecision(Shape):
    """What was decided lately before this camera.

    Attributes:
        event_id: The event.
        kind: Taken or put back.
        name: Name of the product; ``None`` when unknown.
        quantity: Pieces.
        result: What came of it; see ``ShownEvent.result``.
        facing: Where; ``None`` between facings.
        polygon: Corners of that, shares of the picture; empty where it is not in it.
        happened_at: When.
        age_s: Since then.
    """

    event_id: str
    kind: InteractionKind
    name: str | None
    quantity: int
    result: Result
    facing: str | None
    polygon: Polygon
    happened_at: float
    age_s: float


class CameraOverlay(Shape):
    """What is drawn over a camera's newest picture.

    Attributes:
        camera: How it is.
        frame: Number of the picture that this fits; ``None`` before the first.
        taken_at: When that was taken.
        hidden: What is made unrecognisable in it: ``heads``, or ``everybody`` while it is not
            known where people are.
        zones: Zones, fixtures and the floor's border.
        facings: On shelf cameras.
        shoppers: Who is in the picture.
        decisions: Of the last seconds, the newest first.
    """

    camera: ShownCamera
    frame: int | None
    taken_at: float | None
    hidden: str
    zones: tuple[DrawnZone, ...]
    facings: tuple[DrawnFacing, ...]
    shoppers: tuple[DrawnShopper, ...]
    decisions: tuple[DrawnDecision, ...]


def picture_url(camera: str) -> str:
    """Address of a camera's newest picture."""
    return f"{API}/cameras/{quote(camera, safe='')}/picture.jpg"


class CameraRates(Shape):
    """What became of a camera's frames, a second.

    Attributes:
        grabbed_fps: Frames that came.
        looked_at_fps: Frames that were looked at.
        skipped_fps: Frames that nobody looked at though it did not rest.
    """

    grabbed_fps: float = 0.0
    looked_at_fps: float = 0.0
    skipped_fps: float = 0.0


def camera_shape(
    state: CameraState, role: str, size_px: tuple[int, int], rates: CameraRates
) -> ShownCamera:
    """How a camera is, for people."""
    return ShownCamera(
        name=state.camera,
        role=role,
        status=state.status,
        reason=state.reason,
        frame_age_s=None if state.frame_age_s is None else round(state.frame_age_s, 3),
        resting=state.resting,
        **rates.model_dump(),
        reconnects=state.counters.reconnects,
        width_px=size_px[0],
        height_px=size_px[1],
        place=state.place.light,
        place_reason=state.place.reason,
        picture=picture_url(state.camera),
    )
