"""Links to one basket: whoever has the link may look at it and object to it, nobody else can.

A link is the session's id and a code that only this device can make, ``base64url(id + code)``:
HMAC-SHA256 over the id, with a key that never leaves the state folder. Nothing is stored, a link
survives a restart, and one that was not made here is told from a made one without looking anything
up (capability URLs: W3C TAG, "Good Practices for Capability URLs", 2014). A link is good for as
long as there is something to see; when that ends is the shop's business.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from edge.errors import ConfigError
from edge.updates.files import flush_folder

KEY_BYTES: Final = 32
_CODE_BYTES: Final = hashlib.sha256().digest_size
# A key that comes to be used for something else too must not make codes that are good here.
_PURPOSE: Final = b"walkout basket link 1\0"
_LONGEST_LINK: Final = 1500


class BasketLinks:
    """Makes and checks links.

    Args:
        key: The device's own, ``KEY_BYTES`` long.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
        self._key = key

    def address(self, session_id: str) -> str:
        """Where a session's basket is, below the page's own address: ``/s/...``."""
        return f"/s/{make_link(self._key, session_id)}"

    def session_of(self, link: str) -> str | None:
        """The session a link is for; ``None`` for one that this device did not make."""
        return session_of(self._key, link)


def make_link(key: bytes, session_id: str) -> str:
    """The link of a session."""
    name = session_id.encode()
    return base64.urlsafe_b64encode(name + _code(key, name)).rstrip(b"=").decode("ascii")


def session_of(key: bytes, link: str) -> str | None:
    """The session a link is for; ``None`` for one that was not made with this key."""
    if not link.isascii() or len(link) > _LONGEST_LINK:
        return None
    try:
        content = base64.b64decode(link + "=" * (-len(link) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    name, code = content[:-_CODE_BYTES], content[-_CODE_BYTES:]
    if not name or not hmac.compare_digest(code, _code(key, name)):
        return None
    session_id = name.decode()
    # Base64 has several spellings of some bytes; a link has one.
    return session_id if make_link(key, session_id) == link else None


def read_or_make_key(path: Path) -> bytes:
    """The device's key; made when there is none, readable by nobody else.

    Args:
        path: Its file, in the state folder.

    Raises:
        ConfigError: The file holds no key, or cannot be read or written.
    """
    try:
        try:
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            key = path.read_bytes()
        else:
            with os.fdopen(opened, "wb") as out:
                key = secrets.token_bytes(KEY_BYTES)
                out.write(key)
                out.flush()
                os.fsync(out.fileno())
            flush_folder(path.parent)
    except OSError as err:
        raise ConfigError([f"{path}: {err.strerror}; check the rights of the folder"]) from err
    if len(key) != KEY_BYTES:
        raise ConfigError([f"{path}: this is no key; delete it, and links that were given out end"])
    return key


def _code(key: bytes, name: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + name, "sha256")
