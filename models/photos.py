"""Reads photos that strangers hand in: JPEG, PNG, WebP and BMP files, as BGR pixels.

Owns the decision whether a file is a photo at all. Width and height are taken from the file's first
bytes before anything is decoded, so a small file that claims billions of pixels costs nothing.
Whether a photo is any good (sharp, bright) is judged elsewhere.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

PHOTO_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
UNSUPPORTED_PHOTO_SUFFIXES: Final = frozenset(
    {".heic", ".heif", ".avif", ".gif", ".tif", ".tiff", ".jp2", ".dng", ".cr2", ".nef", ".arw"}
)
"""Endings of pictures that a camera or telephone may leave behind and that are not read."""

MIN_SIDE_PX: Final = 8
_BYTES_PER_PIXEL: Final = 4  # no format stores a photo in more, apart from its header
_HEADER_SLACK_BYTES: Final = 2**20
_JPEG_SIZE_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE_MARKERS: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_HEIF_BRANDS: Final = frozenset({b"heic", b"heix", b"heif", b"hevc", b"mif1", b"msf1", b"avif"})


class PhotoError(Exception):
    """A file is not a usable photo; the message names the file, the reason and what to do."""


def read_photo(path: Path, max_pixels: int = 100_000_000) -> NDArray[np.uint8]:
    """Decode a photo, turned upright as its EXIF orientation says.

    Args:
        path: The file.
        max_pixels: Photos that claim more pixels are refused before decoding.

    Returns:
        Shape ``(H, W, 3)``, uint8 BGR, both sides at least ``MIN_SIDE_PX``.

    Raises:
        PhotoError: Missing, empty, broken, too small or too large, or no photo.
    """
    content = _read_bytes(path, max_pixels * _BYTES_PER_PIXEL + _HEADER_SLACK_BYTES)
    return decode_photo(content, str(path), max_pixels)


def decode_photo(content: bytes, name: str, max_pixels: int = 100_000_000) -> NDArray[np.uint8]:
    """Decode a photo that did not come as a file, just as ``read_photo`` does.

    Args:
        content: A JPEG, PNG, WebP or BMP file.
        name: What messages call it.
        max_pixels: Photos that claim more pixels are refused before decoding.

    Returns:
        Shape ``(H, W, 3)``, uint8 BGR, both sides at least ``MIN_SIDE_PX``.

    Raises:
        PhotoError: Empty, broken, too small or too large, or no photo.
    """
    if not content:
        raise PhotoError(f"{name} is empty (0 bytes): copy it again or remove it")
    width, height = _size_in_header(name, content)
    if width * height > max_pixels:
        raise PhotoError(
            f"{name} claims to be {width} x {height} pixels, more than the {max_pixels:,} that are "
            "allowed: it is no ordinary photo; scale it down or remove it"
        )
    if min(width, height) < MIN_SIDE_PX:
        raise PhotoError(
            f"{name} is {width} x {height} pixels: nothing can be recognised on less than "
            f"{MIN_SIDE_PX} x {MIN_SIDE_PX}; use a larger photo"
        )
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_BGR)
    except (cv2.error, MemoryError) as err:
        raise PhotoError(f"{name} cannot be decoded: {' '.join(str(err).split())}") from err
    if pixels is None:
        raise PhotoError(
            f"{name} begins like a photo but is damaged or cut short: copy it again or remove it"
        )
    return np.asarray(pixels, dtype=np.uint8)


def _read_bytes(path: Path, limit_bytes: int) -> bytes:
    try:
        if not path.is_file():
            kind = "is not a file" if path.exists() else "does not exist"
            raise PhotoError(f"{path} {kind}: check the path")
        size_bytes = path.stat().st_size
        if size_bytes > limit_bytes:
            raise PhotoError(
                f"{path} has {size_bytes:,} bytes, too many for a photo: scale it down or remove it"
            )
        content = path.read_bytes()
    except OSError as err:
        raise PhotoError(f"{path} cannot be read: {err.strerror or err}") from err
    return content


def _size_in_header(name: str, content: bytes) -> tuple[int, int]:
    """Width and height that a file claims, from its first bytes."""
    reader = _header_reader(content)
    if reader is None:
        if content[4:8] == b"ftyp" and content[8:12] in _HEIF_BRANDS:
            raise PhotoError(
                f"{name} is a HEIF/AVIF picture, which is not read: export it as JPEG "
                "(iPhone: Settings, Camera, Formats, Most Compatible)"
            )
        raise PhotoError(f"{name} is not a JPEG, PNG, WebP or BMP photo: convert or remove it")
    try:
        return reader(content)
    except (struct.error, IndexError, ValueError) as err:
        raise PhotoError(
            f"{name} has a damaged header: copy it again or remove it ({err})"
        ) from err


def _header_reader(content: bytes) -> Callable[[bytes], tuple[int, int]] | None:
    if content[:3] == b"\xff\xd8\xff":
        return _jpeg_size
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        return _png_size
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return _webp_size
    if content[:2] == b"BM":
        return _bmp_size
    return None


def _jpeg_size(content: bytes) -> tuple[int, int]:
    at = 2
    while True:
        if content[at] != 0xFF:
            raise ValueError("a JPEG segment does not begin where it should")
        marker = content[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _JPEG_BARE_MARKERS:
            at += 2
        elif marker in _JPEG_SIZE_MARKERS:
            height, width = struct.unpack_from(">HH", content, at + 5)
            return width, height
        elif marker in (0xD9, 0xDA):
            raise ValueError("the JPEG has no size")
        else:
            (length,) = struct.unpack_from(">H", content, at + 2)
            at += 2 + length


def _png_size(content: bytes) -> tuple[int, int]:
    if content[12:16] != b"IHDR":
        raise ValueError("the PNG has no size")
    width, height = struct.unpack_from(">II", content, 16)
    return width, height


def _webp_size(content: bytes) -> tuple[int, int]:
    chunk = content[12:16]
    if chunk == b"VP8X":
        if len(content) < 30:
            raise ValueError("the WebP ends within its header")
        return (
            int.from_bytes(content[24:27], "little") + 1,
            int.from_bytes(content[27:30], "little") + 1,
        )
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError("the WebP has no size")


def _bmp_size(content: bytes) -> tuple[int, int]:
    (header_bytes,) = struct.unpack_from("<I", content, 14)
    if header_bytes == 12:
        width, height = struct.unpack_from("<HH", content, 18)
        return width, height
    width, height = struct.unpack_from("<ii", content, 18)
    if width < 0:
        raise ValueError("the BMP has a negative width")
    return width, abs(height)  # negative: rows run from top to bottom
