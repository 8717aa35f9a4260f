"""S3 as object store: AWS, MinIO, or anything else with conditional writes.

Conditions are S3's own (``If-None-Match: *`` and ``If-Match``), so publishers on different machines
cannot overwrite each other. Credentials, region and, for others than AWS, the address come from
where ``boto3`` looks: the environment (``AWS_ENDPOINT_URL``) or ``~/.aws``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol, cast

from cloud_trainer.store.errors import ConditionFailedError, ObjectMissingError, StoreError
from cloud_trainer.store.seam import Sent, require_key
from models.bundle.folder import record_of

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
_ATTEMPTS = 3

_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
_CONDITION = frozenset({"412", "409", "PreconditionFailed", "ConditionalRequestConflict"})
_DENIED = frozenset(
    {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"}
)


class _Client(Protocol):
    """The calls of boto3's S3 client that are used; it has no types of its own."""

    def get_object(self, **request: object) -> Mapping[str, Any]: ...

    def head_object(self, **request: object) -> Mapping[str, Any]: ...

    def put_object(self, **request: object) -> Mapping[str, Any]: ...

    def delete_object(self, **request: object) -> Mapping[str, Any]: ...

    def get_paginator(self, operation_name: str) -> _Paginator: ...


class _Paginator(Protocol):
    def paginate(self, **request: object) -> Iterable[Mapping[str, Any]]: ...


class S3Store:
    """Objects in a bucket, all below one prefix."""

    def __init__(self, bucket: str, prefix: str = "", endpoint_url: str | None = None) -> None:
        """Use a bucket.

        Args:
            bucket: Its name.
            prefix: What all names begin with; a slash is put behind it.
            endpoint_url: Address of the service; what ``boto3`` finds configured by default.

        Raises:
            StoreError: ``boto3`` is not installed, or its configuration cannot be used.
        """
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._client = _client(endpoint_url)

    @property
    def url(self) -> str:
        """Bucket and prefix as ``s3:`` address."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def get(self, key: str) -> bytes:
        """See ``ObjectStore``."""
        return self.get_with_etag(key)[0]

    def get_with_etag(self, key: str) -> tuple[bytes, str]:
        """See ``ObjectStore``."""
        with self._telling(key):
            answer = self._client.get_object(**self._address(key))
            return cast(bytes, answer["Body"].read()), str(answer["ETag"])

    def get_range(self, key: str, start: int) -> bytes:
        """See ``ObjectStore``."""
        size_bytes = self.size_bytes(key)
        if size_bytes is None:
            raise ObjectMissingError(f"{self.url} has no object {key}")
        if start >= size_bytes:
            return b""
        with self._telling(key):
            answer = self._client.get_object(**self._address(key), Range=f"bytes={start}-")
            return cast(bytes, answer["Body"].read())

    def size_bytes(self, key: str) -> int | None:
        """See ``ObjectStore``."""
        try:
            with self._telling(key):
                return int(self._client.head_object(**self._address(key))["ContentLength"])
        except ObjectMissingError:
            return None

    def put(
        self, key: str, content: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> str:
        """See ``ObjectStore``."""
        condition: dict[str, str] = {}
        if if_absent:
            condition["IfNoneMatch"] = "*"
        if if_match is not None:
            condition["IfMatch"] = if_match
        try:
            with self._telling(key):
                answer = self._client.put_object(
                    **self._address(key),
                    Body=content,
                    ChecksumSHA256=_checksum(hashlib.sha256(content).digest()),
                    **condition,
                )
                return str(answer["ETag"])
        except ObjectMissingError as err:
            raise ConditionFailedError(f"somebody deleted {key} in {self.url}") from err

    def put_file(self, key: str, path: Path, sha256: str, sent: Sent | None = None) -> None:
        """See ``ObjectStore``; the service compares the checksum as well, where it can."""
        if record_of(path.parent, path.name).sha256 != sha256:
            raise StoreError(f"{path} changed while it was being published; publish it again")
        with self._telling(key), path.open("rb") as stream:
            self._client.put_object(
                **self._address(key),
                Body=_Counted(stream, sent) if sent is not None else stream,
                ContentLength=path.stat().st_size,
                ChecksumSHA256=_checksum(bytes.fromhex(sha256)),
            )

    def list(self, prefix: str = "") -> tuple[str, ...]:
        """See ``ObjectStore``."""
        with self._telling(prefix or "the store"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            return tuple(
                sorted(
                    str(entry["Key"])[len(self._prefix) :]
                    for page in pages
                    for entry in page.get("Contents", ())
                )
            )

    def delete(self, key: str) -> None:
        """See ``ObjectStore``."""
        with self._telling(key):
            self._client.delete_object(**self._address(key))

    def _address(self, key: str) -> dict[str, object]:
        return {"Bucket": self._bucket, "Key": self._prefix + require_key(key)}

    @contextmanager
    def _telling(self, key: str) -> Iterator[None]:
        """Turn what boto3 raises into one line that says what to do."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as err:
            raise self._complaint(key, err) from err
        except (BotoCoreError, OSError) as err:
            raise StoreError(
                f"cannot reach {self.url}: {_one_line(err)}; check the network, the credentials "
                "and AWS_ENDPOINT_URL"
            ) from err

    def _complaint(self, key: str, err: Exception) -> StoreError:
        code = _code(err)
        if code == "NoSuchBucket":
            return StoreError(
                f"there is no bucket {self._bucket}; create it, or correct the address {self.url}"
            )
        if code in _MISSING:
            return ObjectMissingError(f"{self.url} has no object {key}")
        if code in _CONDITION:
            return ConditionFailedError(f"somebody else wrote {key} in {self.url}")
        if code in _DENIED:
            return StoreError(
                f"{self.url} refuses these credentials ({code}); check AWS_ACCESS_KEY_ID, "
                "AWS_SECRET_ACCESS_KEY and what they may do"
            )
        return StoreError(f"{self.url} refuses {key}: {_one_line(err)}")


class _Counted:
    """A file that tells how much of it was read; seekable, as a retry reads it again."""

    def __init__(self, stream: IO[bytes], sent: Sent) -> None:
        self._stream, self._sent, self._told = stream, sent, 0

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        if (ahead := self._stream.tell() - self._told) > 0:
            self._told += ahead
            self._sent(ahead)
        return chunk

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def _client(endpoint_url: str | None) -> _Client:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as err:
        raise StoreError(
            "s3: addresses need boto3; pip install 'walkout[trainer]', or use a folder as store"
        ) from err
    try:
        return cast(
            _Client,
            boto3.session.Session().client(
                "s3",
                endpoint_url=endpoint_url,
                config=Config(
                    connect_timeout=CONNECT_TIMEOUT_S,
                    read_timeout=READ_TIMEOUT_S,
                    retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
                ),
            ),
        )
    except (BotoCoreError, ValueError) as err:
        raise StoreError(f"S3 is configured in a way that cannot work: {_one_line(err)}") from err


def _checksum(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")


def _code(err: Exception) -> str:
    response: Mapping[str, Any] = getattr(err, "response", {})
    return str(response.get("Error", {}).get("Code", ""))


def _one_line(err: Exception) -> str:
    return " ".join(str(err).split())[:300]
