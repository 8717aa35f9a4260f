"""Publishing and withdrawing, as devices and the store see it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cloud_trainer.publishing import (
    PlanRefusedError,
    ReleaseRefusedError,
    Repository,
    RepositoryMissingError,
    current_plan,
    publish_bundle,
    published_releases,
    read_release,
)
from cloud_trainer.publishing.releases import KEPT_RELEASES
from cloud_trainer.store import FolderStore
from models.bundle import (
    EMBEDDER_NAME,
    MANIFEST_NAME,
    VECTORS_NAME,
    BundleCorruptError,
    open_bundle,
)
from models.bundle.manifest import manifest_text, parse_manifest, sealed
from models.delivery import (
    Release,
    decode_plan,
    decode_release,
    plan_path,
    release_path,
    stored_target,
)
from tests.cloud_trainer.publishing.conftest import Bundles
from tests.cloud_trainer.publishing.dying import DyingStore
from tests.simulators.bundles import make_bundle
from tests.simulators.cloud import Cloud, client, fetch_target, let_through

NEVER = 10**6


def renamed(bundle: Path, version: str, to: Path) -> Path:
    """The same bundle under another version: other content, same network."""
    shutil.copytree(bundle, to)
    manifest = parse_manifest((to / MANIFEST_NAME).read_bytes())
    changed = sealed(manifest.model_copy(update={"version": version}))
    (to / MANIFEST_NAME).write_bytes(manifest_text(changed))
    return to


def fetched(cloud: Cloud, device: Path, release: int, to: Path) -> Release:
    """A release as the reference client gets it, file for file, into the folder ``to``."""
    updater = client(device, cloud.root, cloud.store)
    content = fetch_target(updater, release_path("soda", release))
    assert content is not None
    document = decode_release(content)
    for file in document.files:
        part = fetch_target(updater, file.target)
        assert part is not None and len(part) == file.length
        (to / file.name).parent.mkdir(parents=True, exist_ok=True)
        (to / file.name).write_bytes(part)
    return document


def test_a_device_gets_the_bundle_that_was_published(
    cloud: Cloud, bundles: Bundles, tmp_path: Path
) -> None:
    publication = cloud.publish(bundles.first)

    release = fetched(cloud, tmp_path / "device", 1, tmp_path / "got")

    assert release == publication.release
    assert open_bundle(tmp_path / "got").manifest == open_bundle(bundles.first).manifest
    assert publication.previous is None
    assert publication.update_bytes == publication.sent_bytes == release.size_bytes


def test_a_network_with_weights_of_its_own_travels_as_a_whole(
    cloud: Cloud, bundles: Bundles, tmp_path: Path
) -> None:
    release = cloud.publish(bundles.weights).release
    assert len(release.network) == 2
    fetched(cloud, tmp_path / "device", 1, tmp_path / "got")
    assert open_bundle(tmp_path / "got").manifest.version == "1"


def test_the_first_release_runs_everywhere_and_the_next_nowhere_yet(
    cloud: Cloud, bundles: Bundles
) -> None:
    first = cloud.publish(bundles.first).plan
    assert first is not None and (first.serial, first.stable, first.candidate) == (1, 1, None)
    assert cloud.publish(bundles.product).plan is None
    assert cloud.plan("soda") == first


def test_everywhere_makes_a_release_stable_and_ends_a_rollout(
    cloud: Cloud, bundles: Bundles, tmp_path: Path
) -> None:
    cloud.publish(bundles.first)
    cloud.publish(bundles.product)
    cloud.sign("soda", candidate=2, candidate_percent=10, retry={"shelf-1": 1}, paused=True)

    plan = cloud.publish(bundles.network, everywhere=True).plan

    assert plan is not None and plan == cloud.plan("soda")
    assert (plan.serial, plan.stable, plan.candidate, plan.paused, plan.retry) == (
        3, 3, None, False, {},
    )  # fmt: skip
    content = fetch_target(client(tmp_path, cloud.root, cloud.store), plan_path("soda"))
    assert content is not None and decode_plan(content) == plan


def test_a_new_product_is_sent_without_the_network(
    cloud: Cloud, bundles: Bundles, tmp_path: Path
) -> None:
    first = cloud.publish(bundles.first).release
    counting = DyingStore(tmp_path / "cloud/store", NEVER)
    publisher = Cloud(Repository(counting, cloud.repository.keys), cloud.now)

    publication = publisher.publish(bundles.product)

    assert publication.release.network_id == first.network_id
    assert not [key for key in counting.puts if EMBEDDER_NAME in key]
    network_bytes = sum(file.length for file in first.network)
    assert publication.stored_bytes == network_bytes
    assert publication.sent_bytes == publication.release.size_bytes - network_bytes
    # The golden crops are the same files, which a device does not fetch again either.
    lengths = {file.name: file.length for file in publication.release.files}
    assert publication.update_bytes == lengths[MANIFEST_NAME] + lengths[VECTORS_NAME]
    assert publication.previous == 1


def test_a_new_network_is_sent_and_fetched(cloud: Cloud, bundles: Bundles) -> None:
    first = cloud.publish(bundles.first).release
    publication = cloud.publish(bundles.network)
    assert publication.release.network_id != first.network_id
    assert publication.stored_bytes == 0
    assert publication.update_bytes == publication.release.size_bytes


def test_progress_ends_with_all_that_was_to_be_sent(cloud: Cloud, bundles: Bundles) -> None:
    steps: list[tuple[int, int]] = []
    publication = publish_bundle(
        cloud.repository, bundles.first, cloud.now, progress=lambda *step: steps.append(step)
    )
    assert steps[-1] == (publication.sent_bytes, publication.sent_bytes)
    assert [sent for sent, _ in steps] == sorted(sent for sent, _ in steps)


def test_the_same_bundle_again_is_the_same_release(cloud: Cloud, bundles: Bundles) -> None:
    first = cloud.publish(bundles.first)
    state = cloud.state()

    again = cloud.publish(bundles.first)

    assert first.is_new and not again.is_new
    assert again.release == first.release
    assert (again.sent_bytes, again.metadata_bytes) == (0, 0)
    assert cloud.state() == state


def test_a_bundle_that_is_published_already_can_still_go_everywhere(
    cloud: Cloud, bundles: Bundles
) -> None:
    cloud.publish(bundles.first)
    cloud.publish(bundles.product)
    publication = cloud.publish(bundles.product, everywhere=True)
    assert not publication.is_new and publication.previous == 1
    assert cloud.plan("soda").stable == 2


def test_a_number_is_never_used_again_also_after_a_withdrawal(
    cloud: Cloud, bundles: Bundles
) -> None:
    cloud.publish(bundles.first)
    cloud.publish(bundles.product)
    cloud.withdraw("soda", 2)
    assert published_releases(cloud.repository, "soda") == (1,)
    assert cloud.publish(bundles.product).release.release == 3


def test_a_withdrawn_release_cannot_be_fetched_and_must_not_run(
    cloud: Cloud, bundles: Bundles, tmp_path: Path
) -> None:
    cloud.publish(bundles.first)
    network = cloud.publish(bundles.network).release.network[0]
    cloud.sign("soda", candidate=2, candidate_percent=50)

    plan = cloud.withdraw("soda", 2).plan

    assert (plan.serial, plan.stable, plan.candidate, plan.withdrawn) == (3, 1, None, (2,))
    assert plan == cloud.plan("soda")
    updater = client(tmp_path, cloud.root, cloud.store)
    assert fetch_target(updater, release_path("soda", 2)) is None
    assert fetch_target(updater, network.target) is None
    assert fetch_target(updater, release_path("soda", 1)) is not None
    with pytest.raises(ReleaseRefusedError, match="no release 2"):
        read_release(cloud.repository, "soda", 2)


def test_a_network_that_another_release_has_stays_when_one_is_withdrawn(
    cloud: Cloud, bundles: Bundles, tmp_path: Path
) -> None:
    network = cloud.publish(bundles.first).release.network[0]
    cloud.publish(bundles.product)
    cloud.withdraw("soda", 2)
    assert fetch_target(client(tmp_path, cloud.root, cloud.store), network.target) is not None


def test_withdrawing_what_all_devices_run_sends_them_back(cloud: Cloud, bundles: Bundles) -> None:
    cloud.publish(bundles.first)
    cloud.publish(bundles.product)
    cloud.publish(bundles.network, everywhere=True)
    assert cloud.withdraw("soda", 3).plan.stable == 2
    assert cloud.withdraw("soda", 2, to=1).plan.stable == 1
    with pytest.raises(ReleaseRefusedError, match="no older one is left"):
        cloud.withdraw("soda", 1)
    with pytest.raises(ReleaseRefusedError, match="cannot go to release 3"):
        cloud.withdraw("soda", 1, to=3)


def test_withdrawing_twice_is_withdrawing_once(cloud: Cloud, bundles: Bundles) -> None:
    cloud.publish(bundles.first)
    cloud.publish(bundles.product)
    once = cloud.withdraw("soda", 2)
    state = cloud.state()
    assert cloud.withdraw("soda", 2) == once
    assert cloud.state() == state


@pytest.mark.parametrize("release", [0, 2, 99])
def test_what_was_never_published_cannot_be_withdrawn(
    cloud: Cloud, bundles: Bundles, release: int
) -> None:
    cloud.publish(bundles.first)
    with pytest.raises(ReleaseRefusedError, match=f"no release {release} "):
        cloud.withdraw("soda", release)
    with pytest.raises(ReleaseRefusedError, match="snack has no release 1 "):
        cloud.withdraw("snack", 1)


def test_old_releases_leave_the_list_but_not_those_that_run(
    cloud: Cloud, bundles: Bundles, tmp_path: Path
) -> None:
    for number in range(1, KEPT_RELEASES + 3):
        cloud.publish(
            renamed(bundles.first, str(number), tmp_path / f"b{number}"), judge=let_through
        )
    published = published_releases(cloud.repository, "soda")
    assert published == (1, *range(3, KEPT_RELEASES + 3))
    fetched(cloud, tmp_path / "device", 1, tmp_path / "got")


def test_categories_do_not_get_into_each_others_way(
    cloud: Cloud, bundles: Bundles, tmp_path: Path
) -> None:
    cloud.publish(bundles.first)
    snack = make_bundle(tmp_path / "snack", seed=2, category="snack")
    assert cloud.publish(snack.path).release.release == 1
    cloud.publish(bundles.product)
    assert published_releases(cloud.repository, "soda") == (1, 2)
    assert published_releases(cloud.repository, "snack") == (1,)
    assert cloud.plan("snack").serial == 1
    assert current_plan(cloud.repository, "bread") is None


def test_a_plan_that_came_too_late_is_refused(cloud: Cloud, bundles: Bundles) -> None:
    cloud.publish(bundles.first)
    cloud.sign("soda", salt="a")
    with pytest.raises(PlanRefusedError, match="not newer than 2"):
        cloud.sign("soda", serial=2)


def test_a_plan_of_what_is_not_published_is_refused(cloud: Cloud, bundles: Bundles) -> None:
    cloud.publish(bundles.first)
    with pytest.raises(PlanRefusedError, match="candidate release 2 of soda is not published"):
        cloud.sign("soda", candidate=2)
    with pytest.raises(PlanRefusedError, match="stable release 7 of soda"):
        cloud.sign("soda", stable=7)
    assert cloud.plan("soda").serial == 1


def test_a_plan_that_no_device_would_read_is_refused(cloud: Cloud, bundles: Bundles) -> None:
    cloud.publish(bundles.first, judge=let_through)
    crowd = tuple(f"device-{number:055d}" for number in range(20_000))
    with pytest.raises(PlanRefusedError, match="the plan of soda cannot travel"):
        cloud.sign("soda", candidate_devices=crowd)
    assert cloud.plan("soda").serial == 1


def test_a_damaged_bundle_is_not_published(cloud: Cloud, bundles: Bundles, tmp_path: Path) -> None:
    shutil.copytree(bundles.first, tmp_path / "bad")
    with (tmp_path / "bad" / EMBEDDER_NAME).open("r+b") as stream:
        stream.seek(100)
        stream.write(b"?")
    with pytest.raises(BundleCorruptError):
        cloud.publish(tmp_path / "bad")
    assert published_releases(cloud.repository, "soda") == ()


def test_a_category_that_cannot_be_a_path_is_not_published(cloud: Cloud, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", category="Soft drinks")
    with pytest.raises(ReleaseRefusedError, match="rename it"):
        cloud.publish(bundle.path)


def test_nothing_is_known_of_a_store_where_nothing_was_published(
    cloud: Cloud, tmp_path: Path
) -> None:
    nowhere = Repository(FolderStore(tmp_path / "other"), cloud.repository.keys)
    with pytest.raises(RepositoryMissingError, match="nothing was ever published"):
        current_plan(nowhere, "soda")


def test_a_file_is_stored_under_its_checksum(cloud: Cloud, bundles: Bundles) -> None:
    for file in cloud.publish(bundles.first).release.files:
        assert cloud.store.size_bytes(stored_target(file.target, file.sha256)) == file.length
