"""Photos as they come: judged at once, and kept in the object store under their content's hash.

Owns what a photo's file may be, and its objects' names. How good photos are measured is
``cloud_trainer.quality``'s business, how a product looks ``looks``'. A photo is judged before
anything of it is kept; a file that is no photo is kept nowhere.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cloud_trainer import quality
from cloud_trainer.portal.errors import PortalMissingError, PortalUnusableError
from cloud_trainer.portal.views.products import Fault, PhotoFault
from cloud_trainer.quality import Look
from cloud_trainer.store import ObjectMissingError, ObjectStore
from models.photos import PhotoError, decode_photo

WIDTHS_PX: Final = (160, 320, 640, 1280)
_PREVIEW_PX: Final = 320
_LONGEST_NAME: Final = 120
# A photo of a telephone has 12 to 50 million pixels; decoded, each takes three bytes.
_MOST_PIXELS: Final = 60_000_000
_AT_ONCE: Final = 2
_SUFFIXES: Final = {b"\xff\xd8": ".jpg", b"\x89P": ".png", b"RI": ".webp", b"BM": ".bmp"}


@dataclass(frozen=True)
class Judged:
    """A photo that could be read.

    Attributes:
        photo_id: Hash of its file.
        suffix: Of its kind of file.
        size_bytes: Of its file.
        look: What was measured.
        faults: Of the photo by itself, the gravest first.
        pixels: Shape ``(H, W, 3)``, uint8 BGR.
        preview: A small JPEG of it.
    """

    photo_id: str
    suffix: str
    size_bytes: int
    look: Look
    faults: tuple[Fault, ...]
    pixels: NDArray[np.uint8]
    preview: bytes

    @property
    def hash_bits(self) -> str:
        """Its difference hash, 16 hexadecimal digits."""
        return np.packbits(self.look.hash_bits).tobytes().hex()


class PhotoShelf:
    """Photos in an object store; from any thread.

    Args:
        store: The store.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def judge(self, content: bytes, name: str) -> Judged:
        """Look at a photo that somebody hands in.

        Args:
            content: Its file.
            name: What messages call it.

        Raises:
            PortalUnusableError: It is no photo, damaged, or claims to be enormous.
        """
        with self._turns:
            try:
                pixels = decode_photo(content, shown_name(name), _MOST_PIXELS)
            except PhotoError as err:
                raise PortalUnusableError(str(err)) from err
            look = quality.look_at(pixels)
            return Judged(
                photo_id=hashlib.sha256(content).hexdigest(),
                suffix=_SUFFIXES[content[:2]],
                size_bytes=len(content),
                look=look,
                faults=tuple(
                    Fault(kind=_kind(kind), reason=reason)
                    for kind, reason in quality.faults(look.quality).items()
                ),
                pixels=pixels,
                preview=_jpeg(pixels, _PREVIEW_PX),
            )

    def keep(self, judged: Judged, content: bytes) -> None:
        """Keep a photo; the same photo again costs nothing.

        Raises:
            StoreError: It cannot be written; nothing refers to what was.
        """
        key = _key(judged.photo_id)
        if self._store.size_bytes(key) != len(content):
            self._store.put(key, content)
        preview = _preview_key(judged.photo_id)
        if self._store.size_bytes(preview) is None:
            self._store.put(preview, judged.preview)

    def original(self, photo_id: str) -> bytes:
        """A photo's file as it came.

        Raises:
            PortalMissingError: It is kept no longer.
            StoreError: The store cannot be read.
        """
        try:
            return self._store.get(_key(photo_id))
        except ObjectMissingError as err:
            raise PortalMissingError("this photo is not kept any more") from err

    def picture(self, photo_id: str, width_px: int) -> bytes:
        """A photo as JPEG, about so wide.

        Raises:
            PortalMissingError: It is kept no longer.
            StoreError: The store cannot be read.
        """
        if width_px <= _PREVIEW_PX:
            try:
                return self._store.get(_preview_key(photo_id))
            except ObjectMissingError as err:
                raise PortalMissingError("this photo is not kept any more") from err
        with self._turns:
            return _jpeg(decode_photo(self.original(photo_id), photo_id), width_px)

    def look(self, photo_id: str) -> Look | None:
        """What is measured of a photo that is kept; ``None`` where it is not any more."""
        try:
            with self._turns:
                return quality.look_at(decode_photo(self.original(photo_id), photo_id))
        except (PortalMissingError, PhotoError):
            return None

    def forget(self, photo_id: str) -> None:
        """Delete a photo that nothing refers to.

        Raises:
            StoreError: It cannot be deleted.
        """
        self._store.delete(_key(photo_id))
        self._store.delete(_preview_key(photo_id))


def shown_name(name: str) -> str:
    """A file's name as it may be shown: no folders, no control characters, not endless."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    plain = "".join(each if each.isprintable() else "\ufffd" for each in last).strip()
    return plain[:_LONGEST_NAME] or "photo"


def _kind(kind: quality.Fault) -> PhotoFault:
    if kind == "tiny" or kind == "dark" or kind == "blurred":
        return kind
    raise AssertionError(f"a photo by itself is never {kind}")


def _key(photo_id: str) -> str:
    return f"photos/{photo_id[:2]}/{photo_id}"


def _preview_key(photo_id: str) -> str:
    return f"previews/{photo_id[:2]}/{photo_id}.jpg"


def _jpeg(pixels: NDArray[np.uint8], width_px: int) -> bytes:
    scale = min(1.0, width_px / pixels.shape[1])
    small = (
        pixels
        if scale == 1.0
        else cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    )
    _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return bytes(encoded.tobytes())
