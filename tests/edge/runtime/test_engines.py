from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import RuntimeUnavailableError
from edge.runtime.engines import EngineCache, EngineKey

KEY = EngineKey(
    network_sha256="ab" * 32,
    gpu="Orin",
    architecture="sm_87",
    runtime="tensorrt",
    runtime_version="10.3.0",
    precision="fp16",
    batches=(1, 4),
    input_size_px=256,
)
ENGINE = bytes(range(256)) * 40


def _file(folder: Path) -> Path:
    return next(folder.glob("*.engine"))


def test_an_engine_is_kept_and_found_again_by_another_start(tmp_path: Path) -> None:
    EngineCache(tmp_path).write(KEY, ENGINE)
    assert EngineCache(tmp_path).read(KEY) == ENGINE


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, network_sha256="cd" * 32),
        replace(KEY, gpu="Thor"),
        replace(KEY, architecture="sm_110"),
        replace(KEY, runtime="tensorrt_rtx"),
        replace(KEY, runtime_version="10.13.0"),
        replace(KEY, precision="int8"),
        replace(KEY, batches=(1, 8)),
        replace(KEY, input_size_px=224),
    ],
)
def test_an_engine_for_anything_else_is_another_engine(tmp_path: Path, other: EngineKey) -> None:
    cache = EngineCache(tmp_path)
    cache.write(KEY, ENGINE)
    assert cache.read(other) is None
    assert cache.read(KEY) == ENGINE


@pytest.mark.parametrize("place", [0, 20, 60, -1])
def test_a_changed_byte_anywhere_throws_the_file_away(
    tmp_path: Path, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    cache = EngineCache(tmp_path)
    cache.write(KEY, ENGINE)
    content = bytearray(_file(tmp_path).read_bytes())
    content[place] ^= 1
    _file(tmp_path).write_bytes(content)
    assert cache.read(KEY) is None
    assert not list(tmp_path.glob("*.engine"))
    assert "was not written by this device" in caplog.text


@pytest.mark.parametrize("length", [0, 10, 40, 200])
def test_a_file_cut_short_throws_the_file_away(tmp_path: Path, length: int) -> None:
    cache = EngineCache(tmp_path)
    cache.write(KEY, ENGINE)
    _file(tmp_path).write_bytes(_file(tmp_path).read_bytes()[:length])
    assert cache.read(KEY) is None


def test_an_engine_under_the_name_of_another_is_refused(tmp_path: Path) -> None:
    cache, other = EngineCache(tmp_path), replace(KEY, architecture="sm_110")
    cache.write(KEY, ENGINE)
    _file(tmp_path).rename(tmp_path / f"{other.name}.engine")
    assert cache.read(other) is None


def test_an_engine_of_another_device_is_refused(tmp_path: Path) -> None:
    EngineCache(tmp_path / "theirs").write(KEY, ENGINE)
    ours = EngineCache(tmp_path / "ours")
    (tmp_path / "ours" / f"{KEY.name}.engine").write_bytes(_file(tmp_path / "theirs").read_bytes())
    assert ours.read(KEY) is None


def test_a_link_in_place_of_an_engine_is_not_followed(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path / "cache")
    cache.write(KEY, ENGINE)
    elsewhere = tmp_path / "elsewhere"
    _file(tmp_path / "cache").rename(elsewhere)
    (tmp_path / "cache" / f"{KEY.name}.engine").symlink_to(elsewhere)
    assert cache.read(KEY) is None
    assert elsewhere.exists()


def test_a_pipe_in_place_of_an_engine_is_not_waited_for(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    os.mkfifo(tmp_path / f"{KEY.name}.engine")
    assert cache.read(KEY) is None


def test_the_key_is_the_users_alone_and_drawn_anew_when_others_could_read_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    EngineCache(tmp_path).write(KEY, ENGINE)
    secret = tmp_path / "device.key"
    first = secret.read_bytes()
    assert secret.stat().st_mode & 0o777 == 0o600
    secret.chmod(0o644)
    caplog.set_level(logging.WARNING)
    assert EngineCache(tmp_path).read(KEY) is None
    assert secret.read_bytes() != first
    assert secret.stat().st_mode & 0o777 == 0o600
    assert "drawn anew" in caplog.text


def test_timings_are_kept_for_a_gpu_and_a_version_whatever_the_network(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    cache.write_timings(KEY, b"timings")
    assert cache.read_timings(replace(KEY, network_sha256="cd" * 32)) == b"timings"
    assert cache.read_timings(replace(KEY, runtime_version="10.13.0")) == b""


def test_engines_that_were_not_used_for_longest_are_let_go(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    keys = [replace(KEY, input_size_px=size) for size in range(10)]
    for age, key in enumerate(keys):
        cache.write(key, ENGINE)
        used_s = 1_000_000 + age
        os.utime(tmp_path / f"{key.name}.engine", (used_s, used_s))
    cache.write(replace(KEY, gpu="one more"), ENGINE)
    assert [cache.read(key) is not None for key in keys] == [False] * 3 + [True] * 7


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RuntimeUnavailableError, match=r"runtime\.cache"):
        EngineCache(tmp_path / "file" / "engines")
