from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from cloud_trainer.errors import RecordError, RolloutError
from cloud_trainer.fleet.devices import DecisionCounts
from cloud_trainer.fleet.records import FleetRecords, HeardStatus
from cloud_trainer.record_file import RecordFile
from cloud_trainer.rollout.records import RolloutRecords
from cloud_trainer.rollout.running import open_records
from cloud_trainer.rollout.state import begin, paused
from models.delivery import CategoryStatus, DeviceStatus, FailureKind, UpdateEvent, UpdateOutcome
from tests.cloud_trainer.rollout.devices import PLAN, course

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=timezone.utc)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[RecordFile]:
    with open_records(tmp_path / "fleet.sqlite") as file:
        yield file


@pytest.fixture
def fleet(file: RecordFile) -> FleetRecords:
    return FleetRecords(file)


def heard(
    *,
    boot: int = 3,
    online: bool = True,
    sent: datetime = NOON,
    at: datetime = NOON,
    retained: bool = False,
    serving: int = 1,
    counts: tuple[int, int, int] = (0, 0, 0),
) -> HeardStatus:
    accepts, reviews, rejects = counts
    agent = CategoryStatus(
        category="soda",
        serving_release=serving,
        accepts=accepts,
        reviews=reviews,
        rejects=rejects,
    )
    status = DeviceStatus(
        device_id="dev-1",
        online=online,
        boot=boot,
        sent_at=sent,
        walkout_version="0.1.0",
        agents=(agent,) if online else (),
    )
    return HeardStatus(status, at, retained)


def event(
    number: int, outcome: UpdateOutcome | None = "quarantined", kind: FailureKind | None = "watch"
) -> UpdateEvent:
    return UpdateEvent(
        event_id=f"dev-1:3:{number}",
        device_id="dev-1",
        boot=3,
        at=NOON,
        category="soda",
        release=2,
        state="quarantined",
        outcome=outcome,
        kind=kind,
        reason="too slow",
    )


def test_a_retained_status_is_as_old_as_it_says_and_a_live_one_is_of_now(
    fleet: FleetRecords,
) -> None:
    hours = timedelta(hours=5)
    fleet.hear([heard(sent=NOON - hours, retained=True)])
    assert fleet.devices()["dev-1"].heard_at == NOON - hours
    fleet.hear([heard(sent=NOON - hours, at=NOON)])
    assert fleet.devices()["dev-1"].heard_at == NOON
    fleet.hear([heard(sent=NOON + hours, at=NOON, retained=True)])
    assert fleet.devices()["dev-1"].heard_at == NOON


def test_a_last_will_says_that_a_device_is_gone_and_forgets_nothing_else(
    fleet: FleetRecords,
) -> None:
    fleet.hear([heard(serving=7)])
    fleet.hear([heard(online=False, at=NOON + timedelta(minutes=1))])
    device = fleet.devices()["dev-1"]
    assert not device.status.online
    assert device.status.agents[0].serving_release == 7
    assert device.heard_at == NOON


def test_a_last_will_of_an_earlier_start_does_not_count(fleet: FleetRecords) -> None:
    fleet.hear([heard(boot=4)])
    fleet.hear([heard(boot=3, online=False)])
    assert fleet.devices()["dev-1"].status.online


def test_a_device_that_lost_count_of_its_starts_is_still_heard(fleet: FleetRecords) -> None:
    fleet.hear([heard(boot=57)])
    fleet.hear([heard(boot=1, serving=2)])
    assert fleet.devices()["dev-1"].status.boot == 1
    fleet.hear([heard(boot=0, serving=9, retained=True)])
    assert fleet.devices()["dev-1"].status.agents[0].serving_release == 2


def test_decisions_are_kept_by_release_and_only_grow(fleet: FleetRecords) -> None:
    fleet.hear([heard(serving=1, counts=(80, 15, 5))])
    fleet.hear([heard(serving=2, counts=(9, 0, 1))])
    fleet.hear([heard(serving=2, counts=(2, 0, 0))])
    assert fleet.decisions("soda", 1) == DecisionCounts(80, 15, 5)
    assert fleet.decisions("soda", 2) == DecisionCounts(9, 0, 1)
    assert fleet.decisions("soda", 3) == DecisionCounts()
    fleet.retire("dev-1")
    assert fleet.decisions("soda", 1) == DecisionCounts()
    assert fleet.devices_for("soda") == {}


def test_ends_of_updates_are_kept_once_and_tell_the_kind_of_failure(fleet: FleetRecords) -> None:
    fleet.hear([heard()], [event(1), event(1), event(2, None, None), event(3, kind="start")])
    assert [end.kind for end in fleet.ends("dev-1")] == ["start", "watch"]
    assert fleet.devices_for("soda")["dev-1"].failure_kind(2) == "start"
    assert fleet.devices_for("toys") == {}


def test_a_record_outlives_its_process(tmp_path: Path) -> None:
    for _ in range(2):
        with open_records(tmp_path / "f.sqlite") as file:
            FleetRecords(file).hear([heard()], [event(1)])
    with open_records(tmp_path / "f.sqlite") as file:
        assert len(FleetRecords(file).ends("dev-1")) == 1


def test_two_who_change_a_rollout_do_not_overwrite_each_other(file: RecordFile) -> None:
    records = RolloutRecords(file)
    rollout = begin(PLAN, 2, course(100), number=1, now=NOON)
    records.add(rollout, NOON)
    with pytest.raises(RolloutError, match="another rollout of soda began meanwhile"):
        records.add(rollout, NOON)
    read = records.latest("soda")
    assert read is not None
    records.change(read, paused(read.rollout, "person", "lunch"), "pause", NOON)
    with pytest.raises(RolloutError, match="changed by somebody else"):
        records.change(read, read.rollout, "admit", NOON)
    latest = records.latest("soda")
    assert latest is not None
    assert latest.rollout.status == "paused"
    assert [line.what for line in records.history("soda", 1)] == ["start", "pause"]
    assert records.categories() == ("soda",)


def test_files_of_another_kind_or_a_newer_schema_are_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.sqlite"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    with pytest.raises(RecordError, match="another kind of file"):
        open_records(foreign)
    open_records(tmp_path / "new.sqlite").close()
    connection = sqlite3.connect(tmp_path / "new.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(RecordError, match="update Walkout"):
        open_records(tmp_path / "new.sqlite")
    (tmp_path / "text").write_text("no database, and long enough to be looked at " * 50)
    with pytest.raises(RecordError, match="cannot be read or written"):
        open_records(tmp_path / "text")
    with pytest.raises(RecordError, match="cannot be made"):
        open_records(tmp_path / "text" / "f.sqlite")


def test_a_transaction_is_all_or_nothing(file: RecordFile) -> None:
    fleet = FleetRecords(file)
    with pytest.raises(RuntimeError), file.transaction():
        fleet.hear([heard()])
        raise RuntimeError
    assert fleet.devices() == {}
