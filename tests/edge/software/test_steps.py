"""Updates of the software, from a signed plan to what is started: real signatures and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud_trainer.publishing import ReleaseRefusedError, publish_software
from edge.software import launcher
from edge.updates.pointer import Served
from models.bundle import Bundle
from models.delivery import SOFTWARE
from tests.edge.software.at_work import WATCH_S, SoftwareDevice
from tests.edge.software.conftest import Publish
from tests.simulators.cloud import Cloud
from tests.simulators.wheels import walkout_wheel, write_wheel


def updated(folder: Path, cloud: Cloud, bundle: Bundle, release: int) -> None:
    """Take a device to a release that proves itself."""
    with SoftwareDevice(folder, cloud, bundle) as before:
        before.until_it_restarts()
    with SoftwareDevice(folder, cloud, bundle) as after:
        assert after.running == release
        after.until("done")


def test_a_release_is_installed_tried_started_and_watched(
    tmp_path: Path, cloud: Cloud, bundle: Bundle, publish: Publish
) -> None:
    publish("0.2.0")
    folder = tmp_path / "device"
    with SoftwareDevice(folder, cloud, bundle) as device:
        assert device.running is None
        assert "0.2.0" in device.until_it_restarts()
        states = [each.state for each in device.events()]
    assert states == [
        "noticed", "fetching", "verifying", "building", "self_testing", "waiting_to_swap",
        "swapping",
    ]  # fmt: skip
    with SoftwareDevice(folder, cloud, bundle) as device:
        assert device.running == 1
        device.until("watching")
        assert device.slots.on_trial() == 1
        device.until("done")
        assert device.slots.on_trial() is None
        assert device.outcomes() == [(1, "serving", None)]
        status = {each.category: each for each in device.device.updates.status(True).agents}
        assert (status[SOFTWARE].serving_release, status[SOFTWARE].state) == (1, "done")


def test_what_two_releases_share_is_fetched_once(
    tmp_path: Path, cloud: Cloud, bundle: Bundle, publish: Publish
) -> None:
    publish("0.2.0")
    folder = tmp_path / "device"
    updated(folder, cloud, bundle, 1)
    second = publish("0.3.0")
    wheel = max(second.release.files, key=lambda file: "walkout" in file.name)
    assert second.update_bytes == wheel.length
    updated(folder, cloud, bundle, 2)
    with SoftwareDevice(folder, cloud, bundle) as device:
        assert device.slots.served() == Served(release=2, previous=1)


def test_one_that_does_not_start_here_is_never_started(
    tmp_path: Path, cloud: Cloud, bundle: Bundle, publish: Publish
) -> None:
    publish("0.2.13")
    with SoftwareDevice(tmp_path / "device", cloud, bundle) as device:
        device.until("quarantined")
        assert device.slots.served() == Served()
        assert device.slots.slot(1) is None
        assert device.outcomes() == [(1, "refused", "self_test")]
        assert device.restarts == []


def test_one_that_keeps_crashing_is_taken_back_by_the_launcher_and_not_tried_again(
    tmp_path: Path, cloud: Cloud, bundle: Bundle, publish: Publish
) -> None:
    publish("0.2.0")
    folder = tmp_path / "device"
    updated(folder, cloud, bundle, 1)
    publish("0.3.0")
    with SoftwareDevice(folder, cloud, bundle) as device:
        device.until_it_restarts()
    for _ in range(2):  # it is started, and crashes before its agent does anything
        assert launcher.choose(folder / "software", "shipped")[1] == 2
    with SoftwareDevice(folder, cloud, bundle) as device:
        assert device.running == 1
        device.step()
        assert device.progress.state == "rolled_back"
        assert "started 2 times" in device.progress.reason
        assert device.outcomes()[-1] == (2, "rolled_back", "start")
        for _ in range(20):
            device.step()
        assert device.restarts == []
        assert device.slots.served().release == 1


def test_killed_while_it_is_watched_it_goes_on_being_watched(
    tmp_path: Path, cloud: Cloud, bundle: Bundle, publish: Publish
) -> None:
    publish("0.2.0")
    folder = tmp_path / "device"
    with SoftwareDevice(folder, cloud, bundle, starts_at_most=5) as device:
        device.until_it_restarts()
    for _ in range(3):
        with SoftwareDevice(folder, cloud, bundle, starts_at_most=5) as device:
            device.until("watching")
    with SoftwareDevice(folder, cloud, bundle, starts_at_most=5) as device:
        device.until("done")
        assert device.running == 1


def test_the_restart_waits_for_who_is_shopping_but_not_for_ever(
    tmp_path: Path, cloud: Cloud, bundle: Bundle, publish: Publish
) -> None:
    publish("0.2.0")
    with SoftwareDevice(
        tmp_path / "device", cloud, bundle, occupied=lambda: True, occupied_at_most_s=300.0
    ) as device:
        device.until("waiting_to_swap")
        began_s = device.device.turned.at_s
        device.step()
        assert "somebody is shopping" in device.progress.reason
        device.until_it_restarts()
        assert device.device.turned.at_s - began_s >= 300.0


def test_a_release_that_loses_a_camera_is_taken_back_by_itself(
    tmp_path: Path, cloud: Cloud, bundle: Bundle, publish: Publish
) -> None:
    publish("0.2.0")
    folder = tmp_path / "device"
    before = frozenset({"camera shelf-9"})  # broken already, and no fault of any release
    with SoftwareDevice(folder, cloud, bundle, unwell=lambda: before) as device:
        device.until_it_restarts()
    after = before | {"camera shelf-1"}
    with SoftwareDevice(folder, cloud, bundle, unwell=lambda: after) as device:
        assert "camera shelf-1 does not work with it" in device.until_it_restarts()
        assert device.progress.state == "rolled_back"
        assert device.slots.served() == Served()


def test_a_camera_that_was_broken_before_takes_nothing_back(
    tmp_path: Path, cloud: Cloud, bundle: Bundle, publish: Publish
) -> None:
    publish("0.2.0")
    folder = tmp_path / "device"
    for _ in range(2):
        with SoftwareDevice(
            folder, cloud, bundle, unwell=lambda: frozenset({"camera shelf-9"})
        ) as device:
            if device.running is None:
                device.until_it_restarts()
            else:
                device.until("done")
    assert device.device.turned.at_s > WATCH_S / 2


def test_a_withdrawn_release_is_left_for_the_one_before(
    tmp_path: Path, cloud: Cloud, bundle: Bundle, publish: Publish
) -> None:
    folder = tmp_path / "device"
    for release, version in ((1, "0.2.0"), (2, "0.3.0")):
        publish(version)
        updated(folder, cloud, bundle, release)
    cloud.withdraw(SOFTWARE, 2)
    with SoftwareDevice(folder, cloud, bundle, occupied=lambda: True) as device:
        assert "release 1" in device.until_it_restarts(60.0)
    with SoftwareDevice(folder, cloud, bundle) as device:
        assert device.running == 1
        device.until("done")


def test_a_rollout_lets_some_devices_in_and_leaves_others(
    tmp_path: Path, cloud: Cloud, bundle: Bundle, publish: Publish
) -> None:
    publish("0.2.0")
    updated(tmp_path / "device", cloud, bundle, 1)
    folder = tmp_path / "wheels-0.3.0"
    walkout_wheel(folder, "0.3.0")
    write_wheel(folder, "shared", "1.0", {"shared.py": "SHARED = 1\n"})
    publish_software(cloud.repository, folder, cloud.now)
    cloud.sign(SOFTWARE, candidate=2, candidate_devices=("shelf-2",))
    with SoftwareDevice(tmp_path / "device", cloud, bundle) as device:
        for _ in range(20):
            device.step()
        assert device.restarts == []
    cloud.sign(SOFTWARE, candidate_devices=("shelf-1", "shelf-2"))
    with SoftwareDevice(tmp_path / "device", cloud, bundle) as device:
        assert "release 2" in device.until_it_restarts()


def test_what_was_changed_under_its_name_is_not_published(
    tmp_path: Path, cloud: Cloud, publish: Publish
) -> None:
    publish("0.2.0")
    folder = tmp_path / "again"
    walkout_wheel(folder, "0.2.0", "def main():\n    print('something else')")
    with pytest.raises(ReleaseRefusedError, match="another content already"):
        publish_software(cloud.repository, folder, cloud.now)


@pytest.mark.parametrize(
    ("names", "complaint"),
    [((), "no wheel of walkout"), (("0.2.0", "0.3.0"), "more than one version of walkout")],
)
def test_a_folder_that_is_no_release_is_not_published(
    names: tuple[str, ...], complaint: str, tmp_path: Path, cloud: Cloud
) -> None:
    folder = tmp_path / "wheels"
    write_wheel(folder, "shared", "1.0", {"shared.py": ""})
    for version in names:
        walkout_wheel(folder, version)
    with pytest.raises(ReleaseRefusedError, match=complaint):
        publish_software(cloud.repository, folder, cloud.now)


def test_a_broken_wheel_is_not_published(tmp_path: Path, cloud: Cloud) -> None:
    wheel = walkout_wheel(tmp_path / "wheels", "0.2.0")
    wheel.write_bytes(wheel.read_bytes()[:-60])
    with pytest.raises(ReleaseRefusedError, match="is no wheel"):
        publish_software(cloud.repository, wheel.parent, cloud.now)
