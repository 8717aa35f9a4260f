"""Downloads over real sockets that are cut, slowed, left hanging and lied over."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.errors import FetchDamagedError, FetchError, FetchMissingError, UpdateHeldError
from edge.updates.fetch import BundleFetcher, Pace, download
from edge.updates.sources import FolderFetcher, HttpFetcher, S3Fetcher, open_fetcher
from tests.simulators.network import Wire, web_server

SIZE = 200_000
CONTENT = os.urandom(SIZE)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    served = tmp_path / "served"
    served.mkdir()
    (served / "net.onnx").write_bytes(CONTENT)
    return served


@pytest.fixture
def wire(folder: Path) -> Iterator[Wire]:
    with web_server(folder) as port, Wire(port) as wire:
        yield wire


def over(wire: Wire, stall_after_s: float = 5.0) -> HttpFetcher:
    return HttpFetcher(f"http://127.0.0.1:{wire.port}", stall_after_s)


def pace(**fields: object) -> Pace:
    return Pace(time.monotonic, time.sleep, **fields)  # type: ignore[arg-type]


def attempt(fetcher: BundleFetcher, folder: Path, at: Pace | None = None) -> None:
    download(
        fetcher,
        "net.onnx",
        SIZE,
        SHA256,
        folder / "net.part",
        folder / "net.onnx",
        at or pace(),
    )


def attempts(fetcher: BundleFetcher, folder: Path) -> int:
    """Fetch until it is there; how often that had to be begun."""
    for number in range(1, 40):
        try:
            attempt(fetcher, folder)
        except FetchError:
            continue
        return number
    pytest.fail("it never came")


def test_cut_at_every_fifth_it_brings_no_byte_twice(wire: Wire, tmp_path: Path) -> None:
    wire.cut_every = SIZE // 5
    fetcher = over(wire)
    assert attempts(fetcher, tmp_path) >= 5
    assert (tmp_path / "net.onnx").read_bytes() == CONTENT
    assert fetcher.bytes_received <= 1.05 * SIZE
    assert wire.carried <= 1.05 * SIZE
    assert not (tmp_path / "net.part").exists()


def test_a_line_of_5_kb_a_second_is_slow_but_no_fault(folder: Path, tmp_path: Path) -> None:
    (folder / "small").write_bytes(CONTENT[:8_000])
    with web_server(folder) as port, Wire(port) as wire:
        wire.bytes_per_s = 5_000
        fetcher = over(wire, stall_after_s=1.0)
        download(
            fetcher,
            "small",
            8_000,
            hashlib.sha256(CONTENT[:8_000]).hexdigest(),
            tmp_path / "part",
            tmp_path / "small",
            pace(stall_after_s=1.0),
        )
    assert fetcher.bytes_received == 8_000
    assert wire.connections == 1


def test_a_line_that_hangs_is_given_up_and_the_rest_fetched_over_another(
    wire: Wire, tmp_path: Path
) -> None:
    wire.hang_after = 100_000
    fetcher = over(wire, stall_after_s=0.3)
    with pytest.raises(FetchError, match="broke off"):
        attempt(fetcher, tmp_path)
    kept = (tmp_path / "net.part").stat().st_size
    assert kept > 50_000
    wire.hang_after = None
    attempt(fetcher, tmp_path)
    assert (tmp_path / "net.onnx").read_bytes() == CONTENT
    assert fetcher.bytes_received <= 1.05 * SIZE


def test_a_server_that_drips_is_a_stalled_one(tmp_path: Path) -> None:
    class Dripping(BundleFetcher):
        def _open(self, key: str, start: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
            while True:
                clock.append(clock[-1] + 3.0)
                yield b"."

    clock = [0.0]
    slow = Pace(lambda: clock[-1], lambda s: None, stall_after_s=30.0)
    with pytest.raises(FetchError, match="came to a stand: 11 bytes in 33 s"):
        attempt(Dripping(), tmp_path, slow)


def test_nobody_there_at_all_is_a_plain_word(tmp_path: Path, wire: Wire) -> None:
    wire.up = False
    with pytest.raises(FetchError, match="cannot be reached"):
        attempt(over(wire), tmp_path)
    with pytest.raises(FetchError, match=r"cannot be reached: .*refused"):
        attempt(HttpFetcher("http://127.0.0.1:9", 1.0), tmp_path)


def test_a_server_without_ranges_sends_it_all_again_and_it_still_fits(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "net.part").write_bytes(CONTENT[:150_000])
    with web_server(folder, knows_ranges=False) as port:
        attempt(HttpFetcher(f"http://127.0.0.1:{port}", 5.0), tmp_path)
    assert (tmp_path / "net.onnx").read_bytes() == CONTENT


def test_what_is_missing_is_told_from_what_is_away(wire: Wire, folder: Path) -> None:
    for fetcher in (over(wire), FolderFetcher(folder)):
        with pytest.raises(FetchMissingError, match="no"):
            fetcher.read("nothing.json", 1000)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]), id="one flipped bit"),
        pytest.param(CONTENT + b"more", id="too long"),
    ],
)
def test_wrong_content_is_thrown_away(wrong: bytes, folder: Path, tmp_path: Path) -> None:
    (folder / "net.onnx").write_bytes(wrong)
    with pytest.raises(FetchDamagedError, match="signed"):
        attempt(FolderFetcher(folder), tmp_path)
    assert not (tmp_path / "net.onnx").exists()
    part = tmp_path / "net.part"
    assert not part.exists() or part.stat().st_size == 0


def test_a_truncated_object_waits_for_its_rest(folder: Path, tmp_path: Path) -> None:
    (folder / "net.onnx").write_bytes(CONTENT[:1000])
    with pytest.raises(FetchError, match="ended after 1000 of 200000"):
        attempt(FolderFetcher(folder), tmp_path)
    (folder / "net.onnx").write_bytes(CONTENT)
    fetcher = FolderFetcher(folder)
    attempt(fetcher, tmp_path)
    assert fetcher.bytes_received == SIZE - 1000


def test_a_part_that_rotted_is_fetched_anew(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "net.part").write_bytes(bytes(50_000))
    with pytest.raises(FetchDamagedError, match="another content"):
        attempt(FolderFetcher(folder), tmp_path)
    attempt(FolderFetcher(folder), tmp_path)
    assert (tmp_path / "net.onnx").read_bytes() == CONTENT


def test_no_more_bytes_a_second_than_allowed(folder: Path, tmp_path: Path) -> None:
    naps = [0.0]
    limited = Pace(lambda: sum(naps), naps.append, bytes_per_s=50_000)
    attempt(FolderFetcher(folder), tmp_path, limited)
    assert sum(naps) == pytest.approx(SIZE / 50_000)


def test_it_stops_where_it_is_told_to_and_goes_on_from_there(folder: Path, tmp_path: Path) -> None:
    def no() -> None:
        raise UpdateHeldError("not now")

    fetcher = FolderFetcher(folder)
    with pytest.raises(UpdateHeldError):
        attempt(fetcher, tmp_path, pace(permit=no))
    attempt(fetcher, tmp_path)
    assert fetcher.bytes_received == SIZE


def test_objects_come_from_s3_in_ranges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.simulators.cloud import BUCKET, make_bucket, s3_environment, s3_server, s3_store

    with s3_server() as address:
        for name, value in s3_environment(address).items():
            monkeypatch.setenv(name, value)
        make_bucket(address)
        s3_store("shop").put("net.onnx", CONTENT)
        (tmp_path / "net.part").write_bytes(CONTENT[:150_000])
        fetcher = open_fetcher(f"s3://{BUCKET}/shop", 5.0)
        assert isinstance(fetcher, S3Fetcher)
        attempt(fetcher, tmp_path)
        assert fetcher.bytes_received == SIZE - 150_000
        with pytest.raises(FetchMissingError, match="no s3://bundles/shop/nothing"):
            fetcher.read("nothing", 10)
        with pytest.raises(FetchMissingError):
            open_fetcher("s3://no-such-bucket/shop", 5.0).read("net.onnx", 10)
    with pytest.raises(FetchError, match="cannot be reached"):
        open_fetcher(f"s3://{BUCKET}/shop", 1.0).read("net.onnx", 10)
