"""What an agent does with what is published: real signatures, files and networks, turned time."""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge.errors import FetchError, MatchingError, UpdateError
from edge.updates.fetch import BundleFetcher
from edge.updates.sources import FolderFetcher
from edge.updates.status import read_status
from models.bundle import Bundle
from tests.edge.bundles import look_at
from tests.edge.updates.conftest import CATEGORY, Sodas
from tests.edge.updates.devices import Device, TurnedClock, device, edited
from tests.simulators.cloud import Cloud, let_through


def test_a_new_product_arrives_as_kilobytes_and_serves(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    cloud.publish(sodas.first.path)
    fetcher = FolderFetcher(tmp_path / "cloud" / "store")
    with device(cloud, tmp_path, sodas.first, fetcher=fetcher) as shelf:
        shelf.go_until("done")
        assert (shelf.release, shelf.deciding) == (1, "1")
        publication = cloud.publish(sodas.more.path, everywhere=True)
        before = fetcher.bytes_received
        shelf.update_to(2)
        assert (shelf.release, shelf.deciding, shelf.status.previous_release) == (2, "2", 1)
        (seen,) = shelf.live.recognise_many([[look_at(sodas.more, 6, 0)]])
        assert seen.decision.candidates[0].sku == "carton-06"
        assert publication.update_bytes < 20_000
        metadata = 4 * publication.metadata_bytes  # its own, and the polls of the watch
        assert fetcher.bytes_received - before < publication.update_bytes + metadata + 20_000
        assert shelf.outcomes() == [(1, "serving", None), (2, "serving", None)]
        told = [event.state for event in shelf.events() if event.release == 2]
        assert told == [
            *("noticed", "fetching", "verifying", "building", "self_testing", "shadowing"),
            *("waiting_to_swap", "swapping", "watching", "done"),
        ]
        assert len({event.event_id for event in shelf.events()}) == 20
        assert "watched for" in shelf.status.reason


def test_a_withdrawn_release_goes_at_once_whatever_is_held(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    for release, bundle in enumerate((sodas.first, sodas.more), 1):
        cloud.publish(bundle.path, everywhere=True)
        with device(cloud, tmp_path, sodas.first) as shelf:
            shelf.update_to(release)
    cloud.withdraw(CATEGORY, 2)
    held = device(cloud, tmp_path, sodas.first, busy=lambda: True, quiet_hours=["00:00-23:59"])
    with held as shelf:
        assert shelf.deciding == "2"
        shelf.go_until("watching", 5)
        assert (shelf.release, shelf.deciding, shelf.status.previous_release) == (1, "1", None)
        shelf.go_until("done").go(200)
        assert shelf.release == 1


def test_what_is_withdrawn_while_it_comes_is_left(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    cloud.publish(sodas.first.path)
    slow = {"bytes_per_s": 1024, "poll_s": 40, "fetcher": Flaky(tmp_path / "cloud" / "store")}
    with device(cloud, tmp_path, sodas.first, **slow) as shelf:
        shelf.go_until("done")
        cloud.publish(sodas.retrained.path, everywhere=True)
        shelf.go_until("fetching")
        assert 0 < shelf.progress.percent < 100
        assert "left to fetch" in shelf.status.reason
        cloud.withdraw(CATEGORY, 2)
        shelf.go(100)
        assert (shelf.progress.state, shelf.release) == ("idle", 1)
        assert "release 1 serves" in shelf.status.reason


def test_a_swap_waits_for_a_basket_and_for_the_end_of_quiet_hours(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    cloud.publish(sodas.first.path)
    busy = [True]
    clock = TurnedClock()
    minute = 60 * (1 - (clock.wall_zero_s / 60) % 1)
    begins = datetime.fromtimestamp(clock.wall_zero_s, timezone.utc)
    ends = begins + timedelta(minutes=2)
    quiet = f"{begins:%H:%M}-{ends:%H:%M}"
    with device(
        cloud,
        tmp_path,
        sodas.first,
        clock=clock,
        busy=lambda: busy[0],
        quiet_hours=[quiet],
    ) as shelf:
        shelf.go(30)
        assert shelf.progress.state == "noticed"
        assert shelf.status.reason == f"nothing is done in the quiet hours {quiet}"
        shelf.go(60 + minute)
        assert shelf.status.state == "waiting_to_swap"
        assert "a basket is being decided" in shelf.status.reason
        assert shelf.deciding == "first"
        busy[0] = False
        shelf.go(3)
        assert shelf.installation.served(CATEGORY).release == 1
        assert shelf.deciding == "1"


def decide(shelf: Device, bundle: Bundle, times: int) -> None:
    crops = [look_at(bundle, product, 1) for product in range(6)]
    for number in range(times):
        shelf.live.recognise([crops[number % 6]])


def test_a_release_that_asks_people_more_often_is_taken_back_until_asked_for_again(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    eager = edited(sodas.first, tmp_path / "eager", tl=1.0, tl_full=1.2, th=2.0)
    timid = edited(sodas.more, tmp_path / "timid", tl=-5.0, tl_full=-4.0, th=2.0)
    with device(cloud, tmp_path, sodas.first, watch={"watch_s": 100}) as shelf:
        cloud.publish(eager, judge=let_through)
        shelf.go_until("watching")
        decide(shelf, sodas.first, 60)
        shelf.go_until("done")
        assert shelf.status.accepts == 60
        cloud.publish(timid, judge=let_through)
        cloud.sign(CATEGORY, candidate=2, candidate_devices=("shelf-1",))
        shelf.go_until("watching")
        decide(shelf, sodas.first, 60)
        shelf.go_until("rolled_back")
        assert (shelf.release, shelf.deciding) == (1, "1")
        assert shelf.outcomes()[-1] == (2, "rolled_back", "watch")
        assert "0% of 60 decisions accept, 100% did before" in shelf.status.reason
        shelf.go(300)
        assert shelf.release == 1
        cloud.sign(CATEGORY, retry={"shelf-1": 1})
        shelf.update_to(2)
        assert shelf.status.quarantined[0].failures == 1


def test_a_release_whose_recognitions_fail_is_taken_back(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    with device(cloud, tmp_path, sodas.first) as shelf:
        cloud.publish(sodas.first.path)
        shelf.go_until("watching")
        for _ in range(3):
            with pytest.raises(MatchingError, match="without crops"):
                shelf.live.recognise([])
        shelf.go_until("rolled_back")
        assert (shelf.release, shelf.deciding) == (None, "first")
        assert "3 of 3 recognitions failed" in shelf.status.reason


def test_a_clock_at_1970_keeps_selling_and_says_so(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    cloud.publish(sodas.first.path)
    with device(cloud, tmp_path, sodas.first) as shelf:
        shelf.go_until("done")
    cloud.publish(sodas.more.path, everywhere=True)
    with device(cloud, tmp_path, sodas.first, clock=TurnedClock(wall_zero_s=1000.0)) as shelf:
        assert shelf.deciding == "1"
        shelf.update_to(2)
        assert "this device's clock says 1970-01-01" in shelf.status.reason


def test_a_clock_that_is_ahead_keeps_selling_and_says_so(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    cloud.publish(sodas.first.path)
    with device(cloud, tmp_path, sodas.first) as shelf:
        shelf.go_until("done")
    cloud.publish(sodas.more.path, everywhere=True)
    ahead = TurnedClock()
    ahead.wall_zero_s += 60 * 86_400
    with device(cloud, tmp_path, sodas.first, clock=ahead) as shelf:
        shelf.go(300)
        assert (shelf.release, shelf.deciding) == (1, "1")
        assert "clock is ahead" in shelf.status.reason
        ahead.wall_zero_s -= 60 * 86_400
        shelf.update_to(2)
        assert shelf.status.reason.count("clock") == 0


class Flaky(BundleFetcher):
    """A folder whose network goes away.

    Attributes:
        up: Whether anything can be had.
        breaks_after: Bytes of bundles' files after which it goes away, once.
        of_files: Such bytes so far.
    """

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._folder = FolderFetcher(root)
        self.up = True
        self.breaks_after: int | None = None
        self.of_files = 0

    def _open(self, key: str, start: int) -> Generator[bytes, None, None]:
        if not self.up:
            raise FetchError("no route to the store")
        for chunk in self._folder._open(key, start):
            for at in range(0, len(chunk), 1000):
                if self.breaks_after is not None and self.of_files >= self.breaks_after:
                    self.up, self.breaks_after = False, None
                    raise FetchError("the line is dead")
                piece = chunk[at : at + 1000]
                is_file = key.startswith(f"targets/{CATEGORY}") and "release.json" not in key
                self.of_files += len(piece) if is_file else 0
                yield piece


def test_a_day_offline_in_the_middle_of_a_download_costs_no_byte_twice(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    size = cloud.publish(sodas.first.path).release.size_bytes
    fetcher = Flaky(tmp_path / "cloud" / "store")
    fetcher.breaks_after = size // 2
    with device(cloud, tmp_path, sodas.more, fetcher=fetcher, poll_s=3600) as shelf:
        shelf.go(86_400)
        assert shelf.progress.state == "fetching"
        assert "no route to the store" in shelf.status.reason
        assert shelf.deciding == "more"
        assert size // 2 <= fetcher.of_files < 0.6 * size
        assert shelf.outcomes() == [(1, "failed", "download")]
    with device(cloud, tmp_path, sodas.more, fetcher=fetcher) as shelf:
        fetcher.up = True
        shelf.update_to(1)
        assert fetcher.of_files == size


def test_when_the_store_is_there_again_nobody_waits_for_hours(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    cloud.publish(sodas.first.path)
    fetcher = Flaky(tmp_path / "cloud" / "store")
    fetcher.breaks_after = 10_000
    with device(cloud, tmp_path, sodas.more, fetcher=fetcher, poll_s=300) as shelf:
        shelf.go(86_400)
        assert shelf.progress.state == "fetching"
        fetcher.up = True
        shelf.update_to(1, 600)


def test_too_little_room_is_said_and_waited_for(cloud: Cloud, sodas: Sodas, tmp_path: Path) -> None:
    cloud.publish(sodas.first.path)
    with device(cloud, tmp_path, sodas.first) as shelf:
        shelf.agent._steps.room._budget_bytes = 1000
        shelf.go(100)
        assert shelf.progress.state == "noticed"
        assert "raise disk_budget_bytes" in shelf.status.reason
        assert shelf.outcomes() == [(1, "failed", "disk")]
        shelf.agent._steps.room._budget_bytes = 2**30
        shelf.go_until("done", 10_000)


def test_a_journal_that_cannot_be_written_gives_up_the_ballast_and_serving_goes_on(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    cloud.publish(sodas.first.path)
    with device(cloud, tmp_path, sodas.first, ballast_bytes=100_000) as shelf:
        shelf.agent.step()
        assert (tmp_path / "device/updates/ballast").exists() or shelf.progress.state == "watching"
        journal = shelf.installation.journal
        journal._connection.execute("PRAGMA query_only = 1")
        cloud.publish(sodas.more.path, everywhere=True)
        shelf.agent.hint()
        shelf.turned.at_s += 10
        shelf.agent.step()
        assert not (tmp_path / "device/updates/ballast").exists()
        assert "the ballast was given up" in str(shelf.agent.store_trouble)
        assert shelf.live.recognise([look_at(sodas.first, 0, 0)])
        journal._connection.execute("PRAGMA query_only = 0")
        shelf.update_to(2, 10_000)


def test_a_file_that_broke_on_this_disk_is_fetched_again_and_nobody_is_blamed(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    cloud.publish(sodas.first.path)
    network = sodas.first.manifest.files["embedder.onnx"]
    with device(cloud, tmp_path, sodas.more) as shelf:
        shelf.installation.shelf.blob_path(network.sha256).write_bytes(b"rot")
        shelf.update_to(1)
        assert shelf.status.quarantined == ()
        (told,) = [event for event in shelf.events() if event.outcome == "failed"]
        assert told.reason == "embedder.onnx broke on this disk; fetched again"


def test_a_trial_that_keeps_crashing_ends_in_quarantine(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    tried = []

    def crash(*args: object) -> str:
        tried.append(args)
        raise UpdateError("the trial ended without a word")

    cloud.publish(sodas.first.path)
    with device(cloud, tmp_path, sodas.first, trial=crash) as shelf:
        shelf.go_until("quarantined", 5000)
        assert len(tried) == 3
        assert "(3 times)" in shelf.status.reason
        assert shelf.outcomes() == [(1, "failed", "download"), (1, "refused", "self_test")]


def test_a_newer_plan_overtakes_an_update_that_is_under_way(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    cloud.publish(sodas.first.path)
    with device(cloud, tmp_path, sodas.first, busy=lambda: True, poll_s=5) as shelf:
        shelf.go_until("waiting_to_swap")
        cloud.publish(sodas.more.path, everywhere=True)
        shelf.go(30)
        assert shelf.progress.target == 2
        assert shelf.progress.state == "waiting_to_swap"


def test_hints_hurry_the_agent_but_not_endlessly(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    cloud.publish(sodas.first.path)
    fetcher = FolderFetcher(tmp_path / "cloud" / "store")
    with device(cloud, tmp_path, sodas.first, fetcher=fetcher, poll_s=100_000) as shelf:
        shelf.go_until("done")
        cloud.publish(sodas.more.path, everywhere=True)
        shelf.go(1000)
        assert shelf.release == 1
        began = fetcher.bytes_received
        for _ in range(100):
            shelf.agent.hint()
            shelf.agent.step()
        assert shelf.progress.target == 2
        shelf.update_to(2)
        assert fetcher.bytes_received - began < 60_000


def test_status_is_readable_beside_the_agent_and_counts_are_kept_over_a_restart(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    cloud.publish(sodas.first.path)
    with device(cloud, tmp_path, sodas.first) as shelf:
        shelf.go_until("watching")
        decide(shelf, sodas.first, 12)
        shelf.go(30)
        counted = shelf.status.accepts + shelf.status.reviews + shelf.status.rejects
        assert counted == 12
        (read,) = read_status(tmp_path / "device" / "updates")
        assert read == shelf.status
    with device(cloud, tmp_path, sodas.first) as shelf:
        decide(shelf, sodas.first, 3)
        shelf.go_until("done")
        status = json.loads(shelf.status.model_dump_json())
        assert status["accepts"] + status["reviews"] + status["rejects"] == 15
