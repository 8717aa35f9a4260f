"""The GStreamer Data Protocol: buffers, their timestamps and their format, one behind the other.

``gdppay`` writes it and only its reading end is here. Version 1.0 as GStreamer documents it: a
header of 62 bytes, big endian, then the payload. Raw video in it has GStreamer's own layout, for
``gdppay`` accepts no other.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

PACKET_HEADER_BYTES: Final = 62
_VERSION: Final = (1, 0)
_BUFFER: Final = 1
_CAPS: Final = 2
_FIRST_EVENT: Final = 64
_NO_TIME: Final = 2**64 - 1
# Version, flags, padding; payload type; payload length; presentation timestamp in nanoseconds.
_HEAD: Final = struct.Struct(">BBBxHIQ")


@dataclass(frozen=True)
class Packet:
    """What comes next.

    Attributes:
        kind: A frame, a new format, or an event, which means nothing here.
        payload_bytes: How much of it follows.
        timestamp_s: A frame's presentation timestamp; ``None`` when it has none.
    """

    kind: Literal["buffer", "caps", "event"]
    payload_bytes: int
    timestamp_s: float | None


@dataclass(frozen=True)
class VideoCaps:
    """The format of the frames that follow.

    Attributes:
        width_px: Width of the picture.
        height_px: Height of the picture.
        frames_per_s: Nominal rate; 0 when there is none.
    """

    width_px: int
    height_px: int
    frames_per_s: Fraction


def parse_packet(header: bytes) -> Packet:
    """Read a packet's header.

    Args:
        header: ``PACKET_HEADER_BYTES`` bytes.

    Raises:
        ValueError: It is none.
    """
    major, minor, _, kind, payload_bytes, nanoseconds = _HEAD.unpack_from(header)
    if (major, minor) != _VERSION or not (kind in (_BUFFER, _CAPS) or kind >= _FIRST_EVENT):
        raise ValueError(f"no packet header of the GStreamer Data Protocol: {header[:10].hex()}")
    if kind != _BUFFER:
        return Packet("caps" if kind == _CAPS else "event", payload_bytes, None)
    timestamp_s = None if nanoseconds == _NO_TIME else nanoseconds / 1e9
    return Packet("buffer", payload_bytes, timestamp_s)


def parse_caps(payload: bytes) -> VideoCaps:
    """Read a format.

    Args:
        payload: A ``caps`` packet's payload, for example ``video/x-raw, format=(string)I420, ...``.

    Raises:
        ValueError: It is not raw I420 of a fixed size.
    """
    text = payload.rstrip(b"\0").decode("ascii", "replace")
    fields = dict(re.findall(r"([\w-]+)=\(\w+\)([^,\s;]+)", text))
    if not text.startswith("video/x-raw") or fields.get("format") != "I420":
        raise ValueError(f"the pipeline gives {text[:120]!r}, not raw I420 video")
    if not {"width", "height"} <= fields.keys():
        raise ValueError(f"the pipeline gives pictures of no fixed size: {text[:120]!r}")
    rate = Fraction(fields.get("framerate", "0/1"))
    return VideoCaps(int(fields["width"]), int(fields["height"]), rate)
