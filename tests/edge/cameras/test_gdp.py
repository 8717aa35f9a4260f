from __future__ import annotations

import struct
from fractions import Fraction

import cv2
import numpy as np
import pytest

from edge.cameras.gdp import Packet, VideoCaps, parse_caps, parse_packet
from edge.cameras.i420 import Layout, to_bgr


def _header(kind: int, payload_bytes: int, nanoseconds: int, version: bytes = b"\1\0") -> bytes:
    return (version + b"\1\0" + struct.pack(">HIQ", kind, payload_bytes, nanoseconds)).ljust(62)


@pytest.mark.parametrize(
    ("header", "packet"),
    [
        (_header(1, 115200, 1_500_000_000), Packet("buffer", 115200, 1.5)),
        (_header(1, 7, 2**64 - 1), Packet("buffer", 7, None)),
        (_header(2, 190, 2**64 - 1), Packet("caps", 190, None)),
        (_header(64 + 20, 0, 5), Packet("event", 0, None)),
    ],
)
def test_a_packet_says_what_follows(header: bytes, packet: Packet) -> None:
    assert parse_packet(header) == packet


@pytest.mark.parametrize(
    "header", [_header(1, 7, 0, b"\0\2"), _header(0, 7, 0), _header(3, 7, 0), b"F" * 62]
)
def test_what_is_no_packet_is_refused(header: bytes) -> None:
    with pytest.raises(ValueError, match="no packet header"):
        parse_packet(header)


def test_a_format_says_size_and_rate() -> None:
    text = (
        b"video/x-raw, format=(string)I420, width=(int)321, height=(int)240, "
        b"interlace-mode=(string)progressive, framerate=(fraction)30000/1001\0"
    )
    assert parse_caps(text) == VideoCaps(321, 240, Fraction(30000, 1001))
    bare = b"video/x-raw, format=(string)I420, width=(int)64, height=(int)48"
    assert parse_caps(bare) == VideoCaps(64, 48, Fraction(0))


@pytest.mark.parametrize(
    "text",
    [
        b"video/x-raw, format=(string)NV12, width=(int)64, height=(int)48",
        b"audio/x-raw, format=(string)I420",
        b"video/x-raw, format=(string)I420, width=(int)64",
        b"",
    ],
)
def test_a_format_that_is_not_raw_i420_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="the pipeline gives"):
        parse_caps(text)


@pytest.mark.parametrize(("width", "height"), [(64, 48), (66, 48), (68, 50), (67, 49), (65, 48)])
def test_a_frame_comes_out_as_the_picture_that_went_in(width: int, height: int) -> None:
    layout = Layout(width, height)
    picture = np.zeros((height + height % 2, width + width % 2, 3), np.uint8)
    picture[: height // 2, : width // 2] = (20, 30, 220)
    picture[height // 2 :, width // 2 :] = (200, 160, 40)
    yuv = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
    even_height, even_width = picture.shape[:2]
    raw = np.full(layout.frame_bytes, 77, np.uint8)
    brightness = raw[: layout.row_bytes * layout.rows].reshape(layout.rows, layout.row_bytes)
    brightness[:height, :width] = yuv[:height, :width]
    colours = raw[brightness.size :].reshape(even_height, layout.colour_row_bytes)
    colours[:, : even_width // 2] = yuv[even_height:].reshape(even_height, -1)

    seen = to_bgr(raw.tobytes(), layout)

    assert seen.shape == (height, width, 3)
    inside = np.s_[: height - 2, : width - 2]
    expected = cv2.cvtColor(yuv, cv2.COLOR_YUV2BGR_I420)
    assert np.abs(seen[inside].astype(int) - expected[inside]).max() <= 1
