"""Signing keys as files: ed25519, one PEM a key, its public half beside it.

A key ring is one folder or several (an offline key may lie on a stick that is plugged in when it is
needed). Of a key that is not here only the public half may be, or nothing; whoever signs says which
keys would do. ``root.json`` in a folder is the first root: devices are shipped with it, and what
the store holds is believed only along a chain of signatures from it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, Signer, SSlibKey

from cloud_trainer.publishing.errors import KeysError

ROOT_NAME = "root.json"

# Asked for once, when the first locked key is needed; given why.
AskPassphrase = Callable[[str], str]

_NAME = re.compile(r"(?P<role>[A-Za-z0-9_.-]+)-(?P<number>[0-9]+)")


@dataclass(frozen=True)
class StoredKey:
    """A key of the ring.

    Attributes:
        name: ``<role>-<number>``; also the name of its files.
        folder: Where they are.
        public: The public half.
        locked: Whether a passphrase is needed to sign; ``None`` where the private half is not here.
    """

    name: str
    folder: Path
    public: SSlibKey
    locked: bool | None

    @property
    def role(self) -> str:
        """The role that it was made for."""
        return self.name.rpartition("-")[0]

    @property
    def private_path(self) -> Path:
        """File of the private half."""
        return self.folder / f"{self.name}.pem"


class KeyRing:
    """The keys in some folders; new ones go to the first."""

    def __init__(self, folders: Sequence[Path], ask_passphrase: AskPassphrase) -> None:
        """Look at the folders; nothing is unlocked yet.

        Raises:
            KeysError: There is no such folder, or a file in it is no key.
        """
        self._folders = tuple(folders)
        self._ask = ask_passphrase
        self._passphrase: bytes | None = None
        self._signers: dict[str, Signer] = {}
        self.keys: tuple[StoredKey, ...] = ()
        self._look()

    @property
    def folder(self) -> Path:
        """Where new keys go."""
        return self._folders[0]

    def root_text(self) -> bytes:
        """The root that everything is believed by.

        Raises:
            KeysError: There is none.
        """
        for folder in self._folders:
            if (folder / ROOT_NAME).is_file():
                return (folder / ROOT_NAME).read_bytes()
        raise KeysError(
            f"{self._places()} has no {ROOT_NAME}; run 'walkout-trainer keys init', or give the "
            "folder that it wrote"
        )

    def save_root(self, text: bytes) -> Path:
        """Keep the first root; there must not be one yet."""
        path = self.folder / ROOT_NAME
        _write_new(path, text, 0o644)
        return path

    def of_role(self, role: str) -> tuple[StoredKey, ...]:
        """Keys made for a role, oldest first."""
        return tuple(key for key in self.keys if key.role == role)

    def by_id(self, keyid: str) -> StoredKey | None:
        """The key with this id, if its public half is here."""
        found = [key for key in self.keys if key.public.keyid == keyid]
        if not found:
            self._look()  # another process may have made it meanwhile
            found = [key for key in self.keys if key.public.keyid == keyid]
        return found[0] if found else None

    def make(self, role: str, *, locked: bool) -> StoredKey:
        """Make another key for a role, on the disk before it is used.

        Args:
            role: The role.
            locked: Whether it is written encrypted with the passphrase.

        Raises:
            KeysError: It cannot be written.
        """
        number = 1 + max((_number(path.stem) for path in self._files(role)), default=0)
        private = Ed25519PrivateKey.generate()
        encryption: KeySerializationEncryption = NoEncryption()
        if locked:
            encryption = BestAvailableEncryption(self._unlock(f"to lock {role}-{number} with"))
        name = f"{role}-{number}"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_new(
                self.folder / f"{name}.pem",
                private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption),
                0o600,
            )
            _write_new(
                self.folder / f"{name}.pub",
                private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
                0o644,
            )
        except OSError as err:
            raise KeysError(
                f"cannot write the key {name} to {self.folder}: {err.strerror or err}; choose a "
                "folder that you may write to"
            ) from err
        self._look()
        return next(key for key in self.keys if key.name == name and key.folder == self.folder)

    def at_hand(self, keyids: Iterable[str]) -> tuple[StoredKey, ...]:
        """Those of the keys whose private half is here."""
        found = (self.by_id(keyid) for keyid in keyids)
        return tuple(key for key in found if key is not None and key.locked is not None)

    def signers(self, role: str, keyids: Sequence[str], threshold: int) -> tuple[Signer, ...]:
        """Signers for a role: as many as are here.

        Args:
            role: The role, for messages.
            keyids: Keys that may sign for it.
            threshold: How many must.

        Raises:
            KeysError: Too few are here, or one cannot be unlocked.
        """
        here = self.at_hand(keyids)
        if len(here) < threshold:
            known = sorted(key.name for keyid in keyids if (key := self.by_id(keyid)))
            raise KeysError(
                f"{role} needs {threshold} of {len(keyids)} keys to sign, {len(here)} of them "
                f"in {self._places()}; add the folder with "
                f"{', '.join(f'{name}.pem' for name in known) or 'its keys'} by --keys"
            )
        return tuple(self._signer(key) for key in here)

    def _signer(self, key: StoredKey) -> Signer:
        if key.public.keyid not in self._signers:
            password = self._unlock(f"of {key.private_path}") if key.locked else None
            try:
                private = load_pem_private_key(key.private_path.read_bytes(), password)
                self._signers[key.public.keyid] = CryptoSigner(private, key.public)
            except ValueError as err:
                self._passphrase = None if key.locked else self._passphrase
                raise KeysError(
                    f"{key.private_path} cannot be opened: the passphrase is wrong, or the file "
                    "is damaged or belongs to another public key"
                ) from err
            except (OSError, TypeError, UnsupportedAlgorithm) as err:
                raise KeysError(f"{key.private_path} is no key that can sign ({err})") from err
        return self._signers[key.public.keyid]

    def _unlock(self, why: str) -> bytes:
        if self._passphrase is None:
            self._passphrase = self._ask(why).encode()
        if not self._passphrase:
            raise KeysError("the passphrase is empty; choose one")
        return self._passphrase

    def _look(self) -> None:
        found: list[StoredKey] = []
        for folder in self._folders:
            if folder.exists() and not folder.is_dir():
                raise KeysError(f"{folder} is no folder; give the one that holds the keys")
            for path in sorted(folder.glob("*.pub")):
                if _NAME.fullmatch(path.stem):
                    found.append(_read_key(path))
        self.keys = tuple(sorted(found, key=lambda key: (key.role, _number(key.name))))

    def _files(self, role: str) -> list[Path]:
        return [
            path
            for folder in self._folders
            for path in folder.glob(f"{role}-*.p*")
            if (match := _NAME.fullmatch(path.stem)) and match["role"] == role
        ]

    def _places(self) -> str:
        return ", ".join(map(str, self._folders))


def _number(name: str) -> int:
    return int(name.rpartition("-")[2])


def _read_key(path: Path) -> StoredKey:
    try:
        public = load_pem_public_key(path.read_bytes())
        private = path.with_suffix(".pem")
        locked = b"ENCRYPTED" in private.read_bytes()[:100] if private.is_file() else None
    except (OSError, ValueError, UnsupportedAlgorithm) as err:
        raise KeysError(f"{path} is no public key that can be read ({err}); restore it") from err
    if not isinstance(public, Ed25519PublicKey):
        raise KeysError(f"{path} is no ed25519 key; make one by 'walkout-trainer keys rotate'")
    return StoredKey(path.stem, path.parent, SSlibKey.from_crypto(public), locked)


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that must not exist, and bring it and its name to the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
