"""The floor plan, and who is where on it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from calibration.format import Calibration, Camera
from calibration.planogram import Planogram
from edge.config import StoreConfig
from edge.dashboard.views.shape import Point, Polygon
from edge.tracking.session import Session
from edge.tracking.watch import FloorMoment
from web.shape import Shape


class StoreCard(Shape):
    """Which shop and device this is, and how its people read times and money.

    Attributes:
        id: The shop, for machines.
        name: The shop, for people.
        currency: ISO 4217 code of all money.
        locale: Language of the shop, such as ``en``.
        timezone: IANA name of its zone.
        role: ``all``, ``hub`` or ``shelf``.
        device: Name of the device among several; ``None`` where one does everything.
        recorded: Whether it plays a recording, whose times are those of the recording.
    """

    id: str
    name: str
    currency: str
    locale: str
    timezone: str
    role: str
    device: str | None
    recorded: bool


class PlanZone(Shape):
    """A part of the floor that means something.

    Attributes:
        name: What people call it.
        kind: ``entry``, ``exit`` or ``no_go``.
        polygon: Corners in shop metres.
    """

    name: str
    kind: str
    polygon: Polygon


class PlanFacing(Shape):
    """Where a facing is along its fixture.

    Attributes:
        name: Its name.
        sku: What belongs there.
        u_m: Its middle, from the fixture's left edge.
        v_m: Its board, from the fixture's bottom edge.
        at_m: Its middle on the floor plan, shop metres.
    """

    name: str
    sku: str
    u_m: float
    v_m: float
    at_m: Point


class PlanFixture(Shape):
    """A fixture from above.

    Attributes:
        name: Its name.
        polygon: Corners in shop metres; the first two are its front.
        cameras: Shelf cameras that watch it.
        facings: On it, by name.
    """

    name: str
    polygon: Polygon
    cameras: tuple[str, ...]
    facings: tuple[PlanFacing, ...]


class PlanCamera(Shape):
    """Where a camera hangs.

    Attributes:
        name: Its name.
        role: ``shelf`` or ``overhead``.
        at_m: Where, shop metres.
        looks_at_m: Where the middle of its picture meets the floor; ``None`` where it does not.
    """

    name: str
    role: str
    at_m: Point
    looks_at_m: Point | None


class Plan(Shape):
    """What stands still.

    Attributes:
        store: Which shop it is.
        outline: Corners of the walkable floor, shop metres.
        zones: Parts of it with a meaning.
        fixtures: What stands on it.
        cameras: Of this device.
    """

    store: StoreCard
    outline: Polygon
    zones: tuple[PlanZone, ...]
    fixtures: tuple[PlanFixture, ...]
    cameras: tuple[PlanCamera, ...]


class ShownShopper(Shape):
    """Somebody on the floor.

    Attributes:
        track: Their track.
        at_m: Where, shop metres.
        state: ``new``, ``followed`` or ``hidden``.
        shopper: Label of who checked in; ``None`` for somebody without a session.
        session: Their session.
        role: ``shopper`` or ``staff``.
    """

    track: str
    at_m: Point
    state: str
    shopper: str | None
    session: str | None
    role: str | None


def store_card(config: StoreConfig) -> StoreCard:
    """Which shop and device a configuration is of."""
    store = config.store
    return StoreCard(
        id=store.id,
        name=store.name,
        currency=store.currency,
        locale=store.locale,
        timezone=store.timezone,
        role=config.role,
        device=None if config.link is None else config.link.device,
        recorded=config.is_recorded,
    )


def plan_of(config: StoreConfig, calibration: Calibration, planogram: Planogram) -> Plan:
    """The floor plan of a shop."""
    return Plan(
        store=store_card(config),
        outline=_rounded(calibration.floor.outline),
        zones=tuple(
            PlanZone(name=zone.name, kind=zone.kind, polygon=_rounded(zone.polygon))
            for zone in calibration.floor.zones
        ),
        fixtures=tuple(
            _fixture(name, calibration, planogram) for name in sorted(calibration.fixtures)
        ),
        cameras=tuple(_camera(name, calibration.cameras[name]) for name in sorted(config.cameras)),
    )


def shoppers_of(
    moment: FloorMoment | None, sessions: tuple[Session, ...]
) -> tuple[ShownShopper, ...]:
    """Everybody on the floor at a moment."""
    if moment is None:
        return ()
    who = {
        member.track_id: (member.checkin.shopper, session)
        for session in sessions
        for member in session.members
        if member.track_id is not None
    }
    shown = []
    for track in moment.tracks:
        if track.state in ("left", "lost"):
            continue
        label, session = who.get(track.track_id, (None, None))
        shown.append(
            ShownShopper(
                track=track.track_id,
                at_m=_point(track.position_m),
                state=track.state,
                shopper=label,
                session=None if session is None else session.session_id,
                role=None if session is None else session.role,
            )
        )
    return tuple(shown)


def _fixture(name: str, calibration: Calibration, planogram: Planogram) -> PlanFixture:
    fixture = calibration.fixtures[name]
    left, right, *_ = fixture.to_shop(np.array([[0.0, 0.0, 0.0], [fixture.width_m, 0.0, 0.0]]))
    back = fixture.inward * fixture.depth_m
    facings = []
    for facing_name, facing in sorted(planogram.of_fixture(name).items()):
        middle = facing.u_m + facing.width_m / 2
        at = fixture.to_shop(np.array([[middle, facing.v_m, facing.depth_m / 2]]))[0]
        facings.append(
            PlanFacing(
                name=facing_name,
                sku=facing.sku,
                u_m=round(middle, 3),
                v_m=round(facing.v_m, 3),
                at_m=_point((at[0], at[1])),
            )
        )
    return PlanFixture(
        name=name,
        polygon=_rounded([(x, y) for x, y, _ in (left, right, right + back, left + back)]),
        cameras=fixture.cameras,
        facings=tuple(facings),
    )


def _camera(name: str, camera: Camera) -> PlanCamera:
    width, height = camera.image_size_px
    x, y = camera.on_plane(np.array([[width / 2, height / 2]]), height_m=0.0)[0]
    return PlanCamera(
        name=name,
        role=camera.role,
        at_m=_point((camera.position_m[0], camera.position_m[1])),
        looks_at_m=_point((x, y)) if np.isfinite([x, y]).all() else None,
    )


def _rounded(points: Iterable[tuple[float, float]]) -> Polygon:
    return tuple(_point(point) for point in points)


def _point(at: tuple[float, float]) -> Point:
    return (round(float(at[0]), 3), round(float(at[1]), 3))
