from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.photos import PHOTO_SUFFIXES, PhotoError, read_photo
from tests.simulators.photos import draw_photo, write_photo

BOMB_SIDE_PX = 60_000


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png_bomb() -> bytes:
    header = struct.pack(">IIBBBBB", BOMB_SIDE_PX, BOMB_SIDE_PX, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(10_000))
    return (
        b"\x89PNG\r\n\x1a\n"
        + _png_chunk(b"IHDR", header)
        + _png_chunk(b"IDAT", body)
        + _png_chunk(b"IEND", b"")
    )


def _jpeg_bomb() -> bytes:
    """A small JPEG whose header was changed to claim a huge picture."""
    content = bytearray(_encoded(".jpg"))
    at = content.index(b"\xff\xc0")
    struct.pack_into(">HH", content, at + 5, BOMB_SIDE_PX, BOMB_SIDE_PX)
    return bytes(content)


def _webp_bomb() -> bytes:
    side = (BOMB_SIDE_PX - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + side + side
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _bmp_bomb() -> bytes:
    header = struct.pack("<IiiHH", 40, BOMB_SIDE_PX, -BOMB_SIDE_PX, 1, 24) + bytes(24)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header


def _encoded(suffix: str, side_px: int = 64) -> bytes:
    encoded, content = cv2.imencode(suffix, draw_photo(0, 0, size_px=side_px))
    assert encoded
    return content.tobytes()


def _written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("suffix", sorted(PHOTO_SUFFIXES))
def test_every_kind_of_photo_is_read_as_bgr(tmp_path: Path, suffix: str) -> None:
    drawn = draw_photo(0, 0, size_px=96)
    photo = read_photo(write_photo(tmp_path / f"photo{suffix}", drawn))

    assert photo.shape == (96, 96, 3)
    assert photo.dtype == np.uint8
    assert np.abs(photo.astype(int) - drawn).mean() < 12


@pytest.mark.parametrize("quality", [101, 80])  # 101 is lossless, with another header
def test_both_kinds_of_webp_are_read(tmp_path: Path, quality: int) -> None:
    drawn = draw_photo(0, 0, size_px=96)[:, :50]
    _, content = cv2.imencode(".webp", drawn, [cv2.IMWRITE_WEBP_QUALITY, quality])

    assert read_photo(_written(tmp_path, "photo.webp", content.tobytes())).shape == (96, 50, 3)


def test_a_grey_photo_gets_three_channels(tmp_path: Path) -> None:
    grey = cv2.cvtColor(draw_photo(0, 0), cv2.COLOR_BGR2GRAY)
    _, content = cv2.imencode(".png", grey)

    assert read_photo(_written(tmp_path, "grey.png", content.tobytes())).shape == (256, 256, 3)


def test_a_photo_taken_upright_is_turned_upright(tmp_path: Path) -> None:
    lying = np.zeros((40, 80, 3), np.uint8)
    lying[:, :20] = 255  # the left edge is the top of the upright picture
    orientation_6 = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    tiff = b"MM\0*" + struct.pack(">IH", 8, 1) + orientation_6 + bytes(4)
    exif = b"Exif\0\0" + tiff
    _, content = cv2.imencode(".jpg", lying)
    plain = content.tobytes()
    tagged = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:]
    photo = read_photo(_written(tmp_path, "upright.jpg", tagged))

    assert photo.shape == (80, 40, 3)
    assert photo[5].mean() > 200
    assert photo[-5].mean() < 50


@pytest.mark.parametrize("suffix", sorted(PHOTO_SUFFIXES))
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_photo_that_was_cut_short_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    content = _encoded(suffix)
    path = _written(tmp_path, f"short{suffix}", content[: int(len(content) * share)])

    with pytest.raises(PhotoError, match=rf"short{suffix} .*(damaged|decoded)"):
        read_photo(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match=r"empty\.jpg is empty \(0 bytes\): copy it again"):
        read_photo(_written(tmp_path, "empty.jpg", b""))


def test_a_one_pixel_image_is_refused(tmp_path: Path) -> None:
    path = write_photo(tmp_path / "dot.png", np.zeros((1, 1, 3), np.uint8))

    with pytest.raises(PhotoError, match=r"dot\.png is 1 x 1 pixels: nothing can be recognised"):
        read_photo(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bomb.png", _png_bomb()),
        ("bomb.jpg", _jpeg_bomb()),
        ("bomb.webp", _webp_bomb()),
        ("bomb.bmp", _bmp_bomb()),
    ],
)
def test_a_decompression_bomb_is_refused_by_its_header(
    tmp_path: Path, name: str, content: bytes
) -> None:
    with pytest.raises(PhotoError, match=f"{name} claims to be 60000 x 60000 pixels"):
        read_photo(_written(tmp_path, name, content))


def test_the_limit_is_the_callers(tmp_path: Path) -> None:
    path = write_photo(tmp_path / "photo.png", draw_photo(0, 0, size_px=100))

    assert read_photo(path, max_pixels=10_000).shape == (100, 100, 3)
    with pytest.raises(PhotoError, match="more than the 9,999"):
        read_photo(path, max_pixels=9_999)


def test_a_file_of_absurd_size_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.truncate(2**33)  # sparse: takes no space

    with pytest.raises(PhotoError, match=r"8,589,934,592 bytes, too many for a photo"):
        read_photo(path)


@pytest.mark.parametrize(
    "content", [b"these are words", b"%PDF-1.7", b"GIF89a" + bytes(40), b"\x00" * 100, b"\xff"]
)
def test_what_is_no_photo_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(PhotoError, match=r"words\.jpg is not a JPEG, PNG, WebP or BMP photo"):
        read_photo(_written(tmp_path, "words.jpg", content))


def test_a_telephones_heic_is_refused_with_what_to_do(tmp_path: Path) -> None:
    content = struct.pack(">I", 24) + b"ftypheic" + bytes(40)

    with pytest.raises(PhotoError, match="HEIF/AVIF picture, which is not read: export it as JPEG"):
        read_photo(_written(tmp_path, "IMG_1.HEIC", content))


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="does not exist"):
        read_photo(tmp_path / "gone.jpg")
    with pytest.raises(PhotoError, match="is not a file"):
        read_photo(tmp_path)
    inside_a_file = _written(tmp_path, "file", b"x") / "photo.jpg"
    with pytest.raises(PhotoError, match="does not exist|cannot be read"):
        read_photo(inside_a_file)


@given(
    suffix=st.sampled_from([".jpg", ".png", ".webp", ".bmp"]),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
    length=st.integers(0, 4000),
)
@settings(max_examples=150, deadline=None)
def test_damaged_files_are_read_or_refused_but_never_crash(
    tmp_path_factory: pytest.TempPathFactory,
    suffix: str,
    changes: list[tuple[int, int]],
    length: int,
) -> None:
    content = bytearray(_encoded(suffix, 32)[:length])
    for at, value in changes:
        if at < len(content):
            content[at] = value
    path = _written(tmp_path_factory.getbasetemp(), f"fuzzed{suffix}", bytes(content))
    try:
        photo = read_photo(path, max_pixels=10**6)
    except PhotoError as err:
        assert str(path) in str(err)
    else:
        assert photo.ndim == 3
