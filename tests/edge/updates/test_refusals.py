"""What must never serve: forged, replayed, spoilt, and what is signed and yet no good."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from models.bundle import MANIFEST_NAME
from models.bundle.manifest import parse_manifest
from models.delivery import encode_release, release_of
from tests.edge.bundles import look_at
from tests.edge.updates.attacks import ATTACKS, SPOILINGS
from tests.edge.updates.bad_bundles import BAD, mixed_spaces
from tests.edge.updates.conftest import CATEGORY, Sodas
from tests.edge.updates.devices import device, edited
from tests.edge.updates.test_trial import verify_events
from tests.simulators.cloud import Cloud, let_through
from tests.simulators.photos import sku_of


@pytest.mark.parametrize("what", ATTACKS)
def test_under_every_attack_a_device_goes_on_serving_and_says_why(
    what: str, cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    attack, words = ATTACKS[what]
    cloud.publish(sodas.first.path)
    with device(cloud, tmp_path, sodas.first) as shelf:
        shelf.update_to(1)
        attack(cloud, sodas, lambda: shelf.update_to(2))
        serving = shelf.release
        shelf.go(300)
        assert (shelf.release, shelf.deciding) == (serving, str(serving))
        assert words in shelf.status.reason
        assert shelf.live.recognise([look_at(sodas.first, 0, 0)])


@pytest.mark.parametrize("what", SPOILINGS)
def test_a_spoilt_file_is_never_served_and_the_right_one_is_taken_when_it_is_back(
    what: str, cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    spoil, words = SPOILINGS[what]
    cloud.publish(sodas.first.path)
    with device(cloud, tmp_path, sodas.first) as shelf:
        shelf.update_to(1)
        cloud.publish(sodas.more.path, everywhere=True)
        key = cloud.target_key(CATEGORY, f"{CATEGORY}/rel-2/vectors.safetensors")
        right = cloud.store.get(key)
        spoil(cloud, key)
        shelf.go(300)
        assert (shelf.release, shelf.deciding, shelf.progress.state) == (1, "1", "fetching")
        assert words in shelf.status.reason
        cloud.store.put(key, right)
        shelf.update_to(2, 10_000)


def test_a_replay_on_a_device_whose_trust_and_journal_were_wiped_is_refused(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    cloud.publish(sodas.first.path)
    old = cloud.state()
    cloud.publish(sodas.more.path, everywhere=True)
    with device(cloud, tmp_path, sodas.first) as shelf:
        shelf.go_until("done")
        assert shelf.release == 2
    cloud.restore(old)
    updates = tmp_path / "device" / "updates"
    shutil.rmtree(updates / "trust")
    for path in updates.glob("journal*"):
        path.unlink()
    with device(cloud, tmp_path, sodas.first) as shelf:
        shelf.go(300)
        assert (shelf.release, shelf.deciding) == (2, "2")
        assert "this device has seen" in shelf.status.reason


# Mixed spaces cannot even be published without forging: a test of its own below.
@pytest.mark.parametrize("what", [what for what in BAD if what != "mixed spaces"])
def test_a_signed_but_bad_release_is_refused_and_selling_goes_on(
    what: str, cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    make, kind, words = BAD[what]
    bad = make(sodas.more, tmp_path / "bad")
    with device(cloud, tmp_path, sodas.first, slower_at_most=1.5) as shelf:
        cloud.publish(sodas.first.path)
        shelf.go_until("done")
        cloud.publish(bad, everywhere=True, judge=let_through)
        shelf.go_until("quarantined").go(300)
        assert (shelf.release, shelf.deciding) == (1, "1")
        assert shelf.outcomes()[-1] == (2, "refused", kind)
        assert words in shelf.status.quarantined[0].reason
        assert shelf.live.recognise([look_at(sodas.first, 0, 0)])
        tries = [event for event in shelf.events() if event.state == "noticed"]
        assert [event.release for event in tries] == [1, 2]


def test_a_forged_release_of_mixed_spaces_is_refused(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    cloud.publish(sodas.first.path)
    bad = mixed_spaces(sodas.more, tmp_path / "bad")
    text = (bad / MANIFEST_NAME).read_bytes()
    release = release_of(
        parse_manifest(text),
        (len(text), hashlib.sha256(text).hexdigest()),
        release=2,
        not_before=cloud.now,
    )
    for file in release.files:
        cloud.list_foreign(CATEGORY, file.target, (bad / file.name).read_bytes())
    cloud.replace_release(CATEGORY, 2, encode_release(release))
    cloud.sign(CATEGORY, stable=2)
    with device(cloud, tmp_path, sodas.first) as shelf:
        shelf.go_until("quarantined").go(100)
        assert shelf.outcomes() == [(2, "refused", "verify")]
        assert "not the one that its vectors were made with" in shelf.status.quarantined[0].reason
        assert shelf.deciding == "first"


def test_a_release_that_does_worse_on_what_people_verified_here_never_serves(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    eager = edited(sodas.first, tmp_path / "eager", tl=1.0, tl_full=1.2, th=2.0)
    timid = edited(sodas.more, tmp_path / "timid", tl=-5.0, tl_full=-4.0, th=2.0)
    settled = [(product, sku_of(product)) for product in range(6)]
    with device(cloud, tmp_path, sodas.first) as shelf:
        cloud.publish(eager, judge=let_through)
        shelf.update_to(1)
        verify_events(tmp_path / "device" / "verified", sodas.first, list(settled))
        cloud.publish(timid, everywhere=True, judge=let_through)
        shelf.go_until("quarantined").go(100)
        assert shelf.outcomes()[-1] == (2, "refused", "shadow")
        (refused,) = shelf.status.quarantined
        assert "the new one accepts 0 rightly and 0 wrongly" in refused.reason
        assert (shelf.release, shelf.deciding) == (1, "1")
        assert shelf.live.recognise([look_at(sodas.first, 0, 0)])
