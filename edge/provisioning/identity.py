"""A device's identity: a key that is made on it and never leaves it, and a certificate for it.

Files in one folder: ``device.key``, ``device.crt``, ``ca.crt``. A key that waits for its
certificate is ``device.key.next`` and is used again after a restart; once its certificate has come,
both are renamed, which a process that was killed in between finishes when it begins again.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge.errors import ProvisioningError
from edge.updates.files import flush_folder, write_whole

KEY_NAME: Final = "device.key"
CERTIFICATE_NAME: Final = "device.crt"
AUTHORITY_NAME: Final = "ca.crt"
_NEXT_KEY_NAME: Final = "device.key.next"
_NEXT_CERTIFICATE_NAME: Final = "device.crt.next"


class Identity:
    """The identity in a folder, or the beginning of one.

    Args:
        folder: Its folder; made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._finish()

    @property
    def certificate(self) -> x509.Certificate | None:
        """The certificate; ``None`` while there is none.

        Raises:
            ProvisioningError: There is one that cannot be read.
        """
        path = self.folder / CERTIFICATE_NAME
        try:
            return x509.load_pem_x509_certificate(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as err:
            raise ProvisioningError(f"{path} cannot be read: {err}") from err

    def is_due(self, now: datetime, days: float) -> bool:
        """Whether there is no certificate, or one that ends within so many days."""
        held = self.certificate
        if held is None:
            return True
        return (held.not_valid_after_utc - now).total_seconds() < days * 86_400

    def request(self, device_id: str) -> bytes:
        """A signing request (PEM, PKCS #10) for a new key, which is on the disk afterwards."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device_id)])
        builder = x509.CertificateSigningRequestBuilder().subject_name(name)
        request = builder.sign(self._next_key(), hashes.SHA256())
        return request.public_bytes(serialization.Encoding.PEM)

    def accept(self, device_id: str, certificate: bytes, authority: bytes) -> x509.Certificate:
        """Keep the certificate of the key that was asked for.

        Args:
            device_id: The device.
            certificate: PEM.
            authority: PEM of whoever signs brokers.

        Raises:
            ProvisioningError: It is not this key's, or another device's.
        """
        try:
            issued = x509.load_pem_x509_certificate(certificate)
        except ValueError as err:
            raise ProvisioningError(f"what came is no certificate: {err}") from err
        key = self._next_key()
        if _public(issued.public_key()) != _public(key.public_key()):
            raise ProvisioningError("the certificate that came is for another key; ask again")
        names = issued.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        if [each.value for each in names] != [device_id]:
            raise ProvisioningError(f"the certificate that came is not {device_id}'s; ask again")
        write_whole(self.folder / AUTHORITY_NAME, authority)
        write_whole(self.folder / _NEXT_CERTIFICATE_NAME, certificate)
        self._finish()
        return issued

    def _finish(self) -> None:
        """Let a key and the certificate that has come for it take their places."""
        certificate, key = (
            self.folder / _NEXT_CERTIFICATE_NAME,
            self.folder / _NEXT_KEY_NAME,
        )
        if not certificate.exists():
            return
        if key.exists():
            key.replace(self.folder / KEY_NAME)
        certificate.replace(self.folder / CERTIFICATE_NAME)
        flush_folder(self.folder)

    def _next_key(self) -> ec.EllipticCurvePrivateKey:
        path = self.folder / _NEXT_KEY_NAME
        if path.exists():
            try:
                found = serialization.load_pem_private_key(path.read_bytes(), None)
            except (OSError, ValueError) as err:
                raise ProvisioningError(f"{path} cannot be read: {err}; delete it") from err
            if isinstance(found, ec.EllipticCurvePrivateKey):
                return found
        key = ec.generate_private_key(ec.SECP256R1())
        content = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        _write_secret(path, content)
        return key


def _public(key: object) -> bytes:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return b""
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _write_secret(path: Path, content: bytes) -> None:
    """Write a file that nobody else reads, not even for a moment."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)
    flush_folder(path.parent)
