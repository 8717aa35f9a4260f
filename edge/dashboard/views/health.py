"""How the device is, in plain words and with what to do.

Owns the words in English; ``code`` and ``values`` say the same to whoever has other words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from edge.cameras.newest import CameraState
from edge.health import Health
from edge.link.hub import DeviceState
from edge.workers import WorkerState
from web.shape import Shape

Level = Literal["well", "watch", "bad"]
_WELL: Final = ("running", "ended")
# (words, what to do) by status.
_CAMERA_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "connecting": (
        "Camera {camera} has not shown anything yet.",
        "Wait a minute. If it stays so, see whether it has power and its network cable is in.",
    ),
    "stalled": (
        "Camera {camera} is connected but its picture has stopped.",
        "Look whether its light is on. Unplug it for ten seconds and plug it in again.",
    ),
    "frozen": (
        "Camera {camera} shows the same picture again and again.",
        "Unplug it for ten seconds and plug it in again. Nothing it shows is charged until then.",
    ),
    "lost": (
        "Camera {camera} is not connected any more.",
        "See whether it has power and its network cable is in. It comes back by itself.",
    ),
}
_PLACE_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "red": (
        "Camera {camera} has been moved.",
        "Call a technician to calibrate it again, or put it back as it was. Nothing it shows is "
        "charged without a person until then.",
    ),
    "amber": (
        "Camera {camera} may have been moved a little.",
        "Look whether somebody has knocked against it, and tell a technician.",
    ),
    "unwatched": (
        "Nobody would notice if camera {camera} was moved.",
        "Ask a technician to take its reference picture on the calibration page.",
    ),
}
_DEVICE_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "awaited": (
        "Shelf device {device} has not answered yet.",
        "Wait a minute. If it stays so, see whether it has power and its network cable is in.",
    ),
    "silent": (
        "Shelf device {device} does not answer.",
        "See whether it has power and its network cable is in. What it sees waits on its own disk.",
    ),
    "sick": (
        "Shelf device {device} says that something is wrong with it.",
        "Open its own page, or look at the reason below.",
    ),
}


class Trouble(Shape):
    """Something that is not as it should be.

    Attributes:
        code: What kind of trouble, for machines and other languages, such as ``camera_stalled``.
        about: The camera, worker, device or receiver it is about; empty for the whole device.
        level: ``watch`` while everything still works, ``bad`` when people have to be asked, or
            nothing is charged, because of it.
        what: In plain words.
        to_do: What to do about it, in plain words.
        reason: As the device says it, for technicians.
        values: What stands in the words, by name.
    """

    code: str
    about: str
    level: Level
    what: str
    to_do: str
    reason: str
    values: dict[str, str]


class ShownWorker(Shape):
    """A part of the device's work.

    Attributes:
        name: Its name.
        status: ``starting``, ``working``, ``ended``, ``crashed``, ``stuck`` or ``given_up``.
        reason: Why; empty while it works.
        restarts: How often it was started again.
    """

    name: str
    status: str
    reason: str
    restarts: int


class ShownDevice(Shape):
    """A shelf device of the shop, as its hub sees it.

    Attributes:
        name: Its name.
        status: ``awaited``, ``well``, ``sick`` or ``silent``.
        reason: Why; empty while it is well.
        answer_age_s: Since its last answer.
        clock_error_s: How wrong its clock may be.
        events_waiting: What it keeps for the hub.
    """

    name: str
    status: str
    reason: str
    answer_age_s: float | None
    clock_error_s: float | None
    events_waiting: int


class ShownDelivery(Shape):
    """Messages to one receiver.

    Attributes:
        receiver: ``till``, ``mqtt`` or ``hub``.
        waiting: Not acknowledged yet.
        acknowledged: Acknowledged and still remembered.
        parked: Refused by the receiver; a person has to look.
    """

    receiver: str
    waiting: int
    acknowledged: int
    parked: int


class ShownHealth(Shape):
    """How the device is.

    Attributes:
        level: The worst of all troubles.
        ready: Whether everything that a right receipt needs is there.
        troubles: The worst first.
        workers: All of them.
        devices: Shelf devices, where this is their hub.
        deliveries: Messages to others.
    """

    level: Level
    ready: bool
    troubles: tuple[Trouble, ...]
    workers: tuple[ShownWorker, ...]
    devices: tuple[ShownDevice, ...]
    deliveries: tuple[ShownDelivery, ...]


def health_shape(health: Health) -> ShownHealth:
    """How the device is, for people."""
    troubles = troubles_of(health)
    return ShownHealth(
        level=troubles[0].level if troubles else "well",
        ready=not health.not_ready,
        troubles=troubles,
        workers=tuple(
            ShownWorker(
                name=each.name, status=each.status, reason=each.reason, restarts=each.restarts
            )
            for each in health.workers
        ),
        devices=tuple(
            ShownDevice(
                name=each.device,
                status=each.status,
                reason=each.reason,
                answer_age_s=each.answer_age_s,
                clock_error_s=each.clock_error_s,
                events_waiting=each.events_waiting,
            )
            for each in health.devices
        ),
        deliveries=tuple(
            ShownDelivery(
                receiver=receiver,
                waiting=counts.waiting,
                acknowledged=counts.acknowledged,
                parked=counts.parked,
            )
            for receiver, counts in health.outbox.items()
        ),
    )


def troubles_of(health: Health) -> tuple[Trouble, ...]:
    """What is not as it should be, the worst first."""
    found = [
        *_of_the_device(health),
        *(trouble for each in health.cameras for trouble in _of_camera(each)),
        *(trouble for each in health.devices for trouble in _of_device(each)),
        *(trouble for each in health.workers for trouble in _of_worker(each)),
        *_of_deliveries(health),
    ]
    return tuple(sorted(found, key=lambda trouble: trouble.level != "bad"))


def _of_the_device(health: Health) -> Iterator[Trouble]:
    if health.ledger_trouble is not None:
        yield Trouble(
            code="ledger_trouble",
            about="",
            level="bad",
            what="The device cannot write to its disk, so nothing is charged now.",
            to_do="Call whoever looks after the device: the disk is full or broken. Nothing that "
            "was seen is lost; it is charged once there is room again.",
            reason=health.ledger_trouble,
            values={},
        )
    if health.link_trouble is not None:
        yield Trouble(
            code="link_trouble",
            about="",
            level="bad",
            what="The shop's hub does not hear this device.",
            to_do="See whether the hub and the network between them work. What is seen waits on "
            "this device's disk.",
            reason=health.link_trouble,
            values={},
        )


def _of_camera(state: CameraState) -> Iterator[Trouble]:
    if state.status not in _WELL:
        words, to_do = _CAMERA_WORDS[state.status]
        yield Trouble(
            code=f"camera_{state.status}",
            about=state.camera,
            level="watch" if state.status == "connecting" else "bad",
            what=words.format(camera=state.camera),
            to_do=to_do,
            reason=state.reason,
            values={"camera": state.camera},
        )
    if state.place.light in _PLACE_WORDS and state.place.reason:
        words, to_do = _PLACE_WORDS[state.place.light]
        yield Trouble(
            code=f"place_{state.place.light}",
            about=state.camera,
            level="bad" if state.place.light == "red" else "watch",
            what=words.format(camera=state.camera),
            to_do=to_do,
            reason=state.place.reason,
            values={"camera": state.camera},
        )


def _of_device(state: DeviceState) -> Iterator[Trouble]:
    if state.status != "well":
        words, to_do = _DEVICE_WORDS[state.status]
        yield Trouble(
            code=f"device_{state.status}",
            about=state.device,
            level="watch" if state.status == "awaited" else "bad",
            what=words.format(device=state.device),
            to_do=to_do,
            reason=state.reason,
            values={"device": state.device},
        )


def _of_worker(state: WorkerState) -> Iterator[Trouble]:
    if state.status in ("stuck", "given_up"):
        yield Trouble(
            code=f"worker_{state.status}",
            about=state.name,
            level="bad",
            what=f"A part of the device ({state.name}) has stopped working.",
            to_do="The device starts itself again. If it does not within a minute, unplug it and "
            "plug it in again: open baskets are kept.",
            reason=state.reason,
            values={"worker": state.name},
        )
    elif state.status == "crashed":
        yield Trouble(
            code="worker_crashed",
            about=state.name,
            level="watch",
            what=f"A part of the device ({state.name}) failed and is being started again.",
            to_do="Nothing now. If it comes back often, call whoever looks after the device.",
            reason=state.reason,
            values={"worker": state.name},
        )


def _of_deliveries(health: Health) -> Iterator[Trouble]:
    for receiver, counts in health.outbox.items():
        if counts.parked:
            yield Trouble(
                code="delivery_parked",
                about=receiver,
                level="bad",
                what=f"{counts.parked} messages were refused by {receiver}.",
                to_do="Call whoever looks after the till: the log says why. The receipts "
                "themselves are safe.",
                reason="",
                values={"receiver": receiver, "count": str(counts.parked)},
            )
