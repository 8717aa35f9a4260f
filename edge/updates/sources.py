"""Where releases come from: a folder, a web server, or S3, each behind ``BundleFetcher``.

Owns that whatever a network does becomes a ``FetchError``, that a connection which brings nothing
is given up, and that a server which does not know ranges is read from the beginning.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from http.client import IncompleteRead
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, ProtocolError

from edge.errors import FetchError, FetchMissingError, RuntimeUnavailableError
from edge.updates.fetch import BundleFetcher

_CHUNK_BYTES: Final = 1 << 16
# An S3 body is read in whole chunks, and an interrupted one is lost: keep it small.
_S3_CHUNK_BYTES: Final = 1 << 14
_CONNECT_S: Final = 10.0
# S3 answers 403 for what is not there where listing is not allowed; so do many web servers.
_MISSING: Final = (403, 404, 410)


def open_fetcher(repository: str, stall_after_s: float) -> BundleFetcher:
    """The fetcher of a repository's address.

    Args:
        repository: ``file:/folder``, ``http(s)://host/path`` or ``s3://bucket/prefix``.
        stall_after_s: A connection that brings nothing for so long is given up.

    Raises:
        RuntimeUnavailableError: The software for S3 is not installed.
    """
    scheme, _, rest = repository.partition(":")
    if scheme == "file":
        return FolderFetcher(Path(unquote(urlsplit(repository).path)))
    if scheme == "s3":
        bucket, _, prefix = rest.removeprefix("//").partition("/")
        return S3Fetcher(bucket, prefix, stall_after_s)
    return HttpFetcher(repository, stall_after_s)


class FolderFetcher(BundleFetcher):
    """Objects as files below a folder: the demo, a stick, a network share."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root

    def _open(self, key: str, start: int) -> Generator[bytes, None, None]:
        try:
            with (self._root / key).open("rb") as stream:
                stream.seek(start)
                while chunk := stream.read(_CHUNK_BYTES):
                    yield chunk
        except FileNotFoundError as err:
            raise FetchMissingError(f"there is no {key} in {self._root}") from err
        except OSError as err:
            raise FetchError(f"{self._root / key} cannot be read: {err.strerror}") from err


class HttpFetcher(BundleFetcher):
    """Objects below an address, by ranged GET (RFC 9110, section 14)."""

    def __init__(self, base: str, stall_after_s: float) -> None:
        super().__init__()
        self._base = base.rstrip("/")
        self._timeout = urllib3.Timeout(connect=min(_CONNECT_S, stall_after_s), read=stall_after_s)
        # Attempts are the agent's business, which waits longer between them from time to time.
        self._pool = urllib3.PoolManager(retries=False, maxsize=2)

    def _open(self, key: str, start: int) -> Generator[bytes, None, None]:
        url = f"{self._base}/{quote(key)}"
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            answer = self._pool.request(
                "GET", url, headers=headers, timeout=self._timeout, preload_content=False
            )
        except (HTTPError, OSError) as err:
            raise FetchError(f"{url} cannot be reached: {_words(err)}") from err
        ended = False
        try:
            _require_good(answer.status, url)
            # A server that ignores the range sends everything; what is there already is skipped.
            skip = 0 if answer.status == 206 else start
            while chunk := answer.read1(_CHUNK_BYTES):
                if skip:
                    self.bytes_received += min(skip, len(chunk))
                    chunk, skip = chunk[skip:], max(0, skip - len(chunk))
                if chunk:
                    yield chunk
            ended = True
        except (HTTPError, OSError) as err:
            raise FetchError(f"{url} broke off: {_words(err)}") from err
        finally:
            # Only a connection whose answer was read to its end can be used again.
            if ended:
                answer.release_conn()
            else:
                answer.close()


class S3Fetcher(BundleFetcher):
    """Objects in a bucket of S3 or whatever speaks like it.

    Credentials, region and endpoint come as they always do with AWS: from the environment
    (``AWS_ENDPOINT_URL_S3`` for MinIO and others), its files, or the machine's role.

    Raises:
        RuntimeUnavailableError: boto3 is not installed, or what it finds configured is no use.
    """

    def __init__(self, bucket: str, prefix: str, stall_after_s: float) -> None:
        super().__init__()
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError as err:
            raise RuntimeUnavailableError(
                "releases in S3 need boto3: pip install 'walkout[s3]', or name an https address"
            ) from err
        self._bucket, self._prefix = bucket, prefix.strip("/")
        self._refused: type[Exception] = ClientError
        self._broken: tuple[type[Exception], ...] = (BotoCoreError, HTTPError, OSError)
        config = Config(
            connect_timeout=min(_CONNECT_S, stall_after_s),
            read_timeout=stall_after_s,
            retries={"max_attempts": 0},
        )
        try:
            self._client: Any = boto3.client("s3", config=config)
        except (BotoCoreError, ValueError) as err:
            raise RuntimeUnavailableError(
                f"S3 cannot be used: {err}; see AWS_REGION and AWS_ENDPOINT_URL"
            ) from err

    def _open(self, key: str, start: int) -> Generator[bytes, None, None]:
        name = f"{self._prefix}/{key}" if self._prefix else key
        ranged = {"Range": f"bytes={start}-"} if start else {}
        place = f"s3://{self._bucket}/{name}"
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=name, **ranged)["Body"]
        except self._refused as err:
            status = err.response["ResponseMetadata"]["HTTPStatusCode"]  # type: ignore[attr-defined]
            _require_good(status, place)
            raise FetchError(f"{place}: {_words(err)}") from err
        except self._broken as err:
            raise FetchError(f"{place} cannot be reached: {_words(err)}") from err
        with contextlib.closing(body):
            try:
                while chunk := body.read(_S3_CHUNK_BYTES):
                    yield chunk
            except self._broken as err:
                raise FetchError(f"{place} broke off: {_words(err)}") from err


def _require_good(status: int, place: str) -> None:
    if status in _MISSING:
        raise FetchMissingError(f"the store has no {place} for us (HTTP {status})")
    if status not in (200, 206):
        raise FetchError(f"{place} answers HTTP {status}")


def _words(err: BaseException) -> str:
    """What a network library says, without its addresses in memory and chains of causes."""
    reason = getattr(err, "reason", None)
    inner = reason if isinstance(reason, BaseException) else err
    if isinstance(inner, ProtocolError) and isinstance(cause := inner.args[-1], Exception):
        inner = cause
    if isinstance(inner, IncompleteRead):
        return f"{inner.expected} bytes of it did not come"
    said = str(inner).rpartition(": ")[2] if isinstance(inner, HTTPError) else str(inner)
    return said or type(inner).__name__
