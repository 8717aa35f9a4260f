"""What devices of one shop say to each other, as closed JSON values.

Owns the shape of the messages and how an event with its crops becomes one of at most 128 kB and an
event again. Topics and connections are the business of ``shelf`` and ``hub``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from calibration.format import first_complaint
from edge.cameras.base import CameraStatus
from edge.errors import LinkError
from edge.events import InteractionEvent
from edge.interaction.shelf import Seen, StoredCrop
from edge.link.pictures import jpegs_within, picture_of
from edge.shop.shelves import Sighting

MESSAGE_BYTES: Final = 128_000
# What JSON adds around a crop: its name, twice.
_AROUND_A_CROP_BYTES: Final = 600
_Name = Annotated[str, Field(min_length=1, max_length=300)]
_CropName = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}/[0-9A-Za-z_.-]{1,250}\.jpg$")]


class _Closed(BaseModel):
    # Numbers from numpy become Python's own, in dataclasses of events too.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        revalidate_instances="always",
        ser_json_bytes="base64",
        val_json_bytes="base64",
    )


class Ask(_Closed):
    """The hub asks a shelf device how it is.

    Attributes:
        number: Of the question.
        asked_at_s: On the shop's clock.
        clock: Name of the shop's clock.
        begins: Whether a recording that all devices play has not begun yet.
    """

    schema_version: Literal[1] = 1
    number: int
    asked_at_s: float
    clock: _Name
    begins: bool = False


class CameraWord(_Closed):
    """How a camera of a shelf device is; see ``edge.cameras.newest.CameraState``.

    Attributes:
        camera: Its name.
        status: How it is.
        reason: Why.
        moved: Why what it shows is not charged though it runs: it is not where it was calibrated;
            empty while it is.
    """

    camera: _Name
    status: CameraStatus
    reason: str = ""
    moved: str = ""


class Answer(_Closed):
    """How a shelf device is.

    Attributes:
        number: Of the question.
        clock: Name of the device's clock.
        received_at_s: When the question came, on the device's clock.
        answered_at_s: When the answer went, on the device's clock.
        cameras: How its cameras are.
        waiting: Events that the hub has not acknowledged yet.
        trouble: Why events cannot be kept; ``None`` when they can.
        over: Whether its recordings are over.
    """

    schema_version: Literal[1] = 1
    number: int
    clock: _Name
    received_at_s: float
    answered_at_s: float
    cameras: tuple[CameraWord, ...] = ()
    waiting: Annotated[int, Field(ge=0)] = 0
    trouble: str | None = None
    over: bool = False


class SentCrop(_Closed):
    """A crop on its way.

    Attributes:
        name: As in the event's evidence.
        jpeg: The picture.
    """

    name: _CropName
    jpeg: bytes


class SentEvent(_Closed):
    """An event on its way from a shelf device to the hub.

    Attributes:
        message_id: The event's id.
        clock: Name of the clock that its times are taken from.
        wall_time_s: The end of the event on the device's wall clock, for when nothing better is
            known about its clock.
        settled_at_s: When it was settled.
        camera_sick: Whether its camera could not be trusted.
        event: The event.
        crops: Its pictures.
    """

    schema_version: Literal[1] = 1
    message_id: _Name
    clock: _Name
    wall_time_s: float
    settled_at_s: float
    camera_sick: bool
    event: InteractionEvent
    crops: tuple[SentCrop, ...]

    def sighting(self) -> Sighting:
        """What the device saw, its times still on the device's clock.

        Raises:
            LinkError: A crop is no picture.
        """
        crops = tuple(StoredCrop(each.name, picture_of(each.jpeg)) for each in self.crops)
        return Sighting(Seen(self.event, crops), self.settled_at_s, self.camera_sick)


def sent_event(sighting: Sighting, clock: str, wall_time_s: float) -> str:
    """A sighting as the JSON of a message, no larger than ``MESSAGE_BYTES``.

    Args:
        sighting: What was seen.
        clock: Name of the device's clock.
        wall_time_s: The end of the event on the device's wall clock.
    """
    seen = sighting.seen
    bare = _message(sighting, seen.event, (), clock, wall_time_s)
    around = len(bare.encode()) + _AROUND_A_CROP_BYTES * len(seen.crops)
    # Base64 makes four characters of three bytes.
    pictures = jpegs_within(
        [crop.image for crop in seen.crops], max(0, MESSAGE_BYTES - around) * 3 // 4
    )
    crops = tuple(
        SentCrop(name=crop.name, jpeg=jpeg)
        for crop, jpeg in zip(seen.crops, pictures, strict=False)
    )
    names = {crop.name for crop in seen.crops} - {crop.name for crop in crops}
    left = tuple(name for name in seen.event.evidence.crops if name not in names)
    event = replace(seen.event, evidence=replace(seen.event.evidence, crops=left))
    return _message(sighting, event, crops, clock, wall_time_s)


def read_event(body: str | bytes) -> SentEvent:
    """An event from the JSON of a message.

    Raises:
        LinkError: It is none.
    """
    if len(body) > MESSAGE_BYTES:
        raise LinkError(f"an event of {len(body)} bytes; {MESSAGE_BYTES} are the most")
    try:
        return SentEvent.model_validate_json(body)
    except ValidationError as err:
        raise LinkError(f"this is no event: {first_complaint(err)}") from err


def _message(
    sighting: Sighting,
    event: InteractionEvent,
    crops: tuple[SentCrop, ...],
    clock: str,
    wall_time_s: float,
) -> str:
    return SentEvent(
        message_id=event.event_id,
        clock=clock,
        wall_time_s=wall_time_s,
        settled_at_s=sighting.settled_at_s,
        camera_sick=sighting.camera_sick,
        event=event,
        crops=crops,
    ).model_dump_json()
