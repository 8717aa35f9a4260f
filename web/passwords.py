"""Passwords and other secrets: made, hashed, compared.

Passwords are hashed with Argon2id by the least parameters that OWASP names (19 MiB, two passes, one
lane), so that a sign-in beside a working shop takes one core for some tens of milliseconds and
never two at once. Secrets that were drawn at random need no slow hash.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from typing import Final

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from web.errors import AccountError, BusyError

SHORTEST_PASSWORD: Final = 12
LONGEST_PASSWORD: Final = 256
_WAITING_AT_MOST: Final = 4
_SECRET_BYTES: Final = 32
# No letters that are mistaken for others when somebody types them from a terminal.
_TYPED: Final = "abcdefghjkmnpqrstuvwxyz23456789"


class Hashing:
    """Hashes one password at a time.

    Args:
        waiting_at_most: So many may wait for their turn; more are sent away.
    """

    def __init__(self, waiting_at_most: int = _WAITING_AT_MOST) -> None:
        self._hash = PasswordHash(
            (Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),)
        )
        self._turn = threading.Lock()
        self._places = threading.BoundedSemaphore(waiting_at_most + 1)
        self._nobody = self._hash.hash(new_secret())

    def hashed(self, password: str) -> str:
        """What is kept of a password.

        Raises:
            AccountError: It is too short or too long.
            BusyError: Too many wait.
        """
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise AccountError(
                f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters, this one "
                f"{len(password)}"
            )
        with _Turn(self._places, self._turn):
            return self._hash.hash(password)

    def is_right(self, password: str, hashed: str | None) -> bool:
        """Whether a password is the one that was hashed.

        Args:
            password: What was typed.
            hashed: What was kept; ``None`` where there is no such person, which takes as long.

        Raises:
            BusyError: Too many wait.
        """
        with _Turn(self._places, self._turn):
            right = self._hash.verify(password[: LONGEST_PASSWORD + 1], hashed or self._nobody)
        return right and hashed is not None


class _Turn:
    def __init__(self, places: threading.BoundedSemaphore, turn: threading.Lock) -> None:
        self._places = places
        self._turn = turn

    def __enter__(self) -> None:
        if not self._places.acquire(blocking=False):
            raise BusyError("too many sign in at this moment; try again in a few seconds")
        self._turn.acquire()

    def __exit__(self, *_: object) -> None:
        self._turn.release()
        self._places.release()


def new_password() -> str:
    """A password that can be typed: five groups of four, 99 bits."""
    return "-".join("".join(secrets.choice(_TYPED) for _ in range(4)) for _ in range(5))


def new_secret() -> str:
    """256 random bits as text for cookies, links and tokens."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def secret_hash(secret: str) -> str:
    """What is kept of a random secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
