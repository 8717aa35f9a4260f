"""A certificate authority as files in a folder: what the fleet's broker believes.

Owns keys, certificates and lists of revoked ones; what a certificate is good for is in its name and
in whose authority signed it. ECDSA on P-256 throughout, as AWS IoT Core and mosquitto both take it.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloud_trainer.errors import DevicesError

_AUTHORITY_LASTS: Final = timedelta(days=3650)
_LIST_LASTS: Final = timedelta(days=365)
# Of a clock that is a little behind.
_BEFORE: Final = timedelta(hours=1)


class Authority:
    """An authority that exists; ``make`` begins one.

    Args:
        folder: Where its files are.
        name: Name of its files: ``<name>-ca.key``, ``.crt`` and ``.crl``.

    Raises:
        DevicesError: It is not there.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.certificate_path = folder / f"{name}-ca.crt"
        self.list_path = folder / f"{name}-ca.crl"
        try:
            self._certificate = x509.load_pem_x509_certificate(self.certificate_path.read_bytes())
            key = serialization.load_pem_private_key((folder / f"{name}-ca.key").read_bytes(), None)
        except (OSError, ValueError, TypeError) as err:
            raise DevicesError(
                f"{folder} holds no authority {name!r} ({err}); walkout-trainer devices init makes "
                "one"
            ) from err
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise DevicesError(f"the key of {name} in {folder} is of another kind")
        self._key = key

    @classmethod
    def make(cls, folder: Path, name: str, now: datetime) -> Authority:
        """Begin an authority, with an empty list of revoked certificates.

        Raises:
            DevicesError: There is one already.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = named(f"walkout {name}")
        builder = (
            _builder(subject, subject, key.public_key(), now, now + _AUTHORITY_LASTS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
        )
        try:
            write_key(folder / f"{name}-ca.key", key)
        except FileExistsError as err:
            raise DevicesError(f"{folder} has an authority {name!r} already") from err
        own = builder.sign(key, hashes.SHA256())
        (folder / f"{name}-ca.crt").write_bytes(own.public_bytes(serialization.Encoding.PEM))
        made = cls(folder, name)
        made.write_list([], now)
        return made

    def issue(
        self,
        name: str,
        public: ec.EllipticCurvePublicKey,
        now: datetime,
        lasts: timedelta,
        *,
        listens_as: Sequence[str] = (),
    ) -> x509.Certificate:
        """Sign a certificate.

        Args:
            name: Common name: who it is.
            public: Whose.
            now: The time.
            lasts: How long it is good, at most as long as the authority.
            listens_as: Host names and addresses of a server; a client has none.
        """
        ends = min(now + lasts, self._certificate.not_valid_after_utc)
        use = ExtendedKeyUsageOID.SERVER_AUTH if listens_as else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = (
            _builder(named(name), self._certificate.subject, public, now, ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        if listens_as:
            names = x509.SubjectAlternativeName([_host(each) for each in listens_as])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def issue_with_key(
        self,
        name: str,
        path: Path,
        now: datetime,
        lasts: timedelta,
        listens_as: Sequence[str] = (),
    ) -> x509.Certificate:
        """Make a key and sign its certificate: ``<path>.key`` and ``<path>.crt``.

        For what is not a device: devices make their keys themselves.

        Raises:
            DevicesError: There is such a key already.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            write_key(path.with_name(f"{path.name}.key"), key)
        except FileExistsError as err:
            raise DevicesError(f"{path}.key exists already; name another folder") from err
        issued = self.issue(name, key.public_key(), now, lasts, listens_as=listens_as)
        path.with_name(f"{path.name}.crt").write_bytes(
            issued.public_bytes(serialization.Encoding.PEM)
        )
        return issued

    def write_list(self, revoked: Sequence[tuple[int, datetime]], now: datetime) -> None:
        """Write the list of revoked certificates: serial numbers and when."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(now - _BEFORE)
            .next_update(now + _LIST_LASTS)
        )
        for serial, at in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at)
            builder = builder.add_revoked_certificate(entry.build())
        content = builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        draft = self.list_path.with_name(f".{self.list_path.name}.new")
        draft.write_bytes(content)
        draft.replace(self.list_path)


def write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Write a private key to a file that must not exist and that nobody else reads."""
    content = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def named(name: str) -> x509.Name:
    """A subject with a common name and nothing else."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    now: datetime,
    ends: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(ends)
    )


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
