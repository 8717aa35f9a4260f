"""Starts: without a network, after crashes, with files that broke."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge.errors import JournalError
from edge.updates.installation import Installation
from tests.edge.updates.conftest import Sodas
from tests.edge.updates.devices import Device, TurnedClock
from tests.simulators.cloud import Cloud

NOWHERE = "http://127.0.0.1:9/nowhere"


@pytest.fixture
def folder(cloud: Cloud, sodas: Sodas, tmp_path: Path) -> Path:
    """A device that runs release 2 and has release 1 to go back to."""
    cloud.publish(sodas.first.path)
    with Device(tmp_path / "device", cloud.url, cloud.root, [sodas.first]) as shelf:
        shelf.update_to(1)
        cloud.publish(sodas.more.path, everywhere=True)
        shelf.update_to(2)
    return tmp_path / "device"


def start(folder: Path, cloud: Cloud, sodas: Sodas, repository: str = NOWHERE) -> Device:
    return Device(folder, repository, cloud.root, [sodas.first])


def test_without_a_network_it_starts_with_what_it_has(
    folder: Path, cloud: Cloud, sodas: Sodas
) -> None:
    with start(folder, cloud, sodas) as shelf:
        assert shelf.deciding == "2"
        shelf.go(1000)
        assert (shelf.release, shelf.progress.state) == (2, "done")
        assert "cannot be asked" in shelf.status.reason


def test_without_releases_the_configured_bundle_serves(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    with start(tmp_path / "new", cloud, sodas) as shelf:
        assert shelf.deciding == "first"
        assert shelf.status.serving_release is None


@pytest.mark.parametrize("broken", ["vectors.safetensors", "manifest.json", "golden/000.png"])
def test_where_the_newest_broke_the_one_before_serves_and_it_is_fetched_again(
    broken: str, folder: Path, cloud: Cloud, sodas: Sodas
) -> None:
    path = folder / "updates/bundles/soda/2" / broken
    path.write_bytes(path.read_bytes()[:-3] + b"rot")
    shared = broken.startswith("golden")  # the same file serves both releases
    with start(folder, cloud, sodas, cloud.url) as shelf:
        assert shelf.deciding == ("first" if shared else "1")
        (told,) = [e for e in shelf.events() if e.outcome == "failed" and e.release == 2]
        assert told.kind == "start" and "broke on the disk" in told.reason
        shelf.update_to(2)
        assert shelf.status.quarantined == ()


def test_where_all_broke_the_configured_bundle_serves(
    folder: Path, cloud: Cloud, sodas: Sodas
) -> None:
    shutil.rmtree(folder / "updates/bundles")
    with start(folder, cloud, sodas, cloud.url) as shelf:
        assert shelf.deciding == "first"
        shelf.update_to(2)


@pytest.mark.parametrize("content", [b"", b"{", b'{"schema_version": 2}'])
def test_a_pointer_that_cannot_be_read_is_made_up_from_the_disk(
    content: bytes, folder: Path, cloud: Cloud, sodas: Sodas
) -> None:
    (folder / "updates/serving.json").write_bytes(content)
    with start(folder, cloud, sodas) as shelf:
        assert shelf.deciding == "2"


def test_a_release_that_was_never_tried_is_not_made_up(
    folder: Path, cloud: Cloud, sodas: Sodas
) -> None:
    cloud.publish(sodas.retrained.path, everywhere=True)
    with Device(folder, cloud.url, cloud.root, [sodas.first], busy=lambda: True) as shelf:
        shelf.go_until("waiting_to_swap")
    (folder / "updates/serving.json").write_bytes(b"?")
    with start(folder, cloud, sodas) as shelf:
        assert shelf.deciding == "2"


def test_after_three_starts_that_failed_the_release_is_taken_back(
    folder: Path, cloud: Cloud, sodas: Sodas
) -> None:
    cloud.publish(sodas.retrained.path, everywhere=True)
    with start(folder, cloud, sodas, cloud.url) as shelf:
        shelf.go_until("watching")
    for failed in range(3):
        with start(folder, cloud, sodas, cloud.url) as shelf:
            assert shelf.deciding == "3"  # and the process dies before it has done anything
            assert shelf.progress.starts == failed + 1
    with start(folder, cloud, sodas, cloud.url) as shelf:
        assert (shelf.release, shelf.deciding) == (2, "2")
        assert shelf.outcomes()[-1] == (3, "quarantined", "start")
        assert "started 3 times" in shelf.status.quarantined[0].reason
        shelf.go(500)
        assert shelf.release == 2


def test_starts_that_went_well_are_not_counted(folder: Path, cloud: Cloud, sodas: Sodas) -> None:
    cloud.publish(sodas.retrained.path, everywhere=True)
    for _ in range(6):
        with Device(
            folder,
            cloud.url,
            cloud.root,
            [sodas.first],
            watch={"watch_s": 100_000},
            trial=lambda *_: "fine",
        ) as shelf:
            shelf.go_until("watching").go(120)
            assert (shelf.release, shelf.progress.starts) == (3, 0)


def test_a_swap_that_was_killed_before_it_was_written_down_is_watched_all_the_same(
    folder: Path, cloud: Cloud, sodas: Sodas
) -> None:
    cloud.publish(sodas.retrained.path, everywhere=True)
    with start(folder, cloud, sodas, cloud.url) as shelf:
        shelf.go_until("watching")
        swapping = shelf.progress.model_copy(update={"state": "swapping"})
        shelf.installation.journal.keep_progress("soda", swapping)
    with start(folder, cloud, sodas, cloud.url) as shelf:
        shelf.agent.step()
        assert (shelf.progress.state, shelf.release) == ("watching", 3)
        assert shelf.status.previous_release == 2
        shelf.update_to(3)


def test_two_processes_do_not_share_a_device(folder: Path, cloud: Cloud, sodas: Sodas) -> None:
    with start(folder, cloud, sodas), pytest.raises(JournalError, match="another process"):
        Installation(folder / "updates", "shelf-1", TurnedClock().wall_time_s, {})
    with start(folder, cloud, sodas) as shelf:
        assert shelf.installation.boot == 3
