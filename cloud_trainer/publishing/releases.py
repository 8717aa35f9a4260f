"""Publish a bundle as the next release of its category, and withdraw one.

What is not a bundle travels in the same way: ``publish_edition`` is given what it is made of.

A file is stored under its checksum and sent only where it is not there yet; networks moreover keep
their path from release to release, so that devices do not fetch them again either. The number of a
release comes from the signed state that the publication is based on: of two publishers at once, the
slower one takes the next number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Generic, TypeVar, cast

from tuf.api.metadata import TargetFile, Targets

from cloud_trainer.publishing.draft import Draft
from cloud_trainer.publishing.errors import ReleaseRefusedError, RepositoryDamagedError
from cloud_trainer.publishing.judging import judge_bundle
from cloud_trainer.publishing.plans import plan_in, put_plan, releases_in
from cloud_trainer.publishing.repository import Repository
from cloud_trainer.store import ObjectStore
from models.bundle import MANIFEST_NAME, Bundle, open_bundle
from models.bundle.folder import record_of
from models.delivery import (
    SOFTWARE,
    DeliveryFormatError,
    Edition,
    Release,
    RolloutPlan,
    bytes_to_fetch,
    category_role,
    decode_edition,
    encode_release,
    release_of,
    release_path,
    require_category,
    stored_target,
)

# Devices read a category's whole list; more releases than one would go back to only cost traffic.
KEPT_RELEASES = 8

# In the signed part of a category's metadata: its greatest number ever, also of a release that is
# not listed any more.
_LAST = "x-walkout-last-release"

_NO_CANDIDATE: Final[Mapping[str, object]] = {
    "candidate": None,
    "candidate_percent": 0.0,
    "candidate_devices": (),
    "paused": False,
    "retry": {},
}

# Called with bytes sent so far and bytes to send.
Progress = Callable[[int, int], None]

EditionT = TypeVar("EditionT", bound=Edition)
# The edition of a number; asked again where another publisher took that number first.
MakeEdition = Callable[[int], EditionT]


@dataclass(frozen=True)
class Publication(Generic[EditionT]):
    """How a publication went.

    Attributes:
        release: The release.
        is_new: Whether it was published now; false where the newest release has the same files.
        sent_bytes: Bytes of bundle files sent to the store.
        stored_bytes: Bytes of bundle files that were there already.
        previous: The release before it, if any.
        update_bytes: Bytes of files that a device with the previous release fetches.
        metadata_bytes: Bytes of signed metadata and documents that devices fetch because of it.
        plan: The rollout plan, where one was signed with it.
    """

    release: EditionT
    is_new: bool
    sent_bytes: int
    stored_bytes: int
    previous: int | None
    update_bytes: int
    metadata_bytes: int
    plan: RolloutPlan | None


@dataclass(frozen=True)
class Withdrawal:
    """How a withdrawal went.

    Attributes:
        category: The category.
        release: The release that must not run any more.
        plan: The plan that says so.
    """

    category: str
    release: int
    plan: RolloutPlan


@dataclass(frozen=True)
class _Listed(Generic[EditionT]):
    """A release as put into a draft; what it costs is known only afterwards."""

    release: EditionT
    is_new: bool
    sent_bytes: int
    previous: Edition | None
    plan: RolloutPlan | None


def publish_bundle(
    repository: Repository,
    path: Path,
    now: datetime,
    *,
    everywhere: bool = False,
    notes: str = "",
    progress: Progress | None = None,
    judge: Callable[[Bundle], None] = judge_bundle,
) -> Publication[Release]:
    """Publish a bundle as the next release of its category.

    The first release of a category is stable at once. Any other runs nowhere until a rollout plan
    says so, unless ``everywhere``.

    Args:
        repository: Where to; begun where nothing was ever published there.
        path: Folder of the bundle.
        now: The time.
        everywhere: Sign a plan as well that makes it the stable release of every device.
        notes: What people should know about it.
        progress: Called while files are sent.
        judge: Refuses what must not be published.

    Raises:
        BundleError: The bundle cannot be used.
        ReleaseRefusedError: A device would refuse it.
        KeysError: A key is missing.
        PublishingError: The repository cannot be believed.
        StoreError: The store cannot be read or written.
    """
    bundle = open_bundle(path)
    category = bundle.manifest.category
    try:
        require_category(category)
    except DeliveryFormatError as err:
        raise ReleaseRefusedError(str(err)) from err
    if category == SOFTWARE:
        raise ReleaseRefusedError(
            f"the category {SOFTWARE!r} is the devices' own software; give the bundle another one"
        )
    judge(bundle)
    record = record_of(bundle.path, MANIFEST_NAME)

    def make(number: int) -> Release:
        return release_of(
            bundle.manifest,
            (record.size_bytes, record.sha256),
            release=number,
            not_before=now.replace(microsecond=0),
            notes=notes,
        )

    return publish_edition(
        repository, category, make, bundle.path, now, everywhere=everywhere, progress=progress
    )


def publish_edition(
    repository: Repository,
    category: str,
    make: MakeEdition[EditionT],
    folder: Path,
    now: datetime,
    *,
    everywhere: bool = False,
    locked: bool = False,
    progress: Progress | None = None,
) -> Publication[EditionT]:
    """Publish whatever can travel as the next release of its category.

    Args:
        repository: Where to; begun where nothing was ever published there.
        category: The category.
        make: Says what the release is made of, given its number.
        folder: Where its files lie, by the names that it has for them.
        now: The time.
        everywhere: Sign a plan as well that makes it the stable release of every device.
        locked: Whether a key that is made for the category is locked with the passphrase.
        progress: Called while files are sent.

    Raises:
        ReleaseRefusedError: What was published before has other content under the same name.
        KeysError: A key is missing.
        PublishingError: The repository cannot be believed.
        StoreError: The store cannot be read or written.
    """
    repository.create(now)

    def put(draft: Draft) -> _Listed[EditionT]:
        role = category_role(category)
        if role not in draft.roles():
            if not repository.keys.of_role(role):
                repository.keys.make(role, locked=locked)
            draft.delegate(role, category, repository.keys, now)
        return _put_release(
            repository, draft, category, make, folder, now, everywhere=everywhere, progress=progress
        )

    committed = repository.commit(put, now)
    listed = committed.result
    return Publication(
        release=listed.release,
        is_new=listed.is_new,
        sent_bytes=listed.sent_bytes,
        stored_bytes=listed.release.size_bytes - listed.sent_bytes,
        previous=listed.previous.release if listed.previous else None,
        update_bytes=bytes_to_fetch(listed.release, listed.previous),
        metadata_bytes=committed.metadata_bytes,
        plan=listed.plan,
    )


def withdraw_release(
    repository: Repository, category: str, release: int, now: datetime, to: int | None = None
) -> Withdrawal:
    """Say that a release must not run, and take it out of what devices can fetch.

    Both in one step. A rollout of it ends. Where it is the stable release, devices go back to
    ``to``, by default the newest one that is left below it.

    Args:
        repository: Where it was published.
        category: Its category.
        release: Its number.
        now: The time.
        to: The release that is stable afterwards.

    Raises:
        ReleaseRefusedError: There is no such release, or none to go back to.
        PlanRefusedError: The release to go back to does not exist.
        KeysError: A key is missing.
        StoreError: The store cannot be read or written.
    """
    return repository.commit(lambda draft: _withdraw(draft, category, release, now, to), now).result


def read_release(repository: Repository, category: str, release: int) -> Edition:
    """A published release.

    Raises:
        ReleaseRefusedError: There is no such release.
        StoreError: The store cannot be read.
    """
    return _release_in(repository.read(), category, release)


def published_releases(repository: Repository, category: str) -> tuple[int, ...]:
    """Numbers of the releases of a category that devices can fetch, in order."""
    return releases_in(repository.read(), category)


def _put_release(
    repository: Repository,
    draft: Draft,
    category: str,
    make: MakeEdition[EditionT],
    folder: Path,
    now: datetime,
    *,
    everywhere: bool,
    progress: Progress | None,
) -> _Listed[EditionT]:
    published = releases_in(draft, category)
    newest = _release_in(draft, category, published[-1]) if published else None
    release = make(_last_number(draft.role(category_role(category)), category) + 1)
    sent_bytes = 0
    is_new = newest is None or _contents(newest) != _contents(release)
    if newest is not None and not is_new:
        # All releases of a category are of one kind.
        release, newest = cast("EditionT", newest), None
        if len(published) > 1:
            newest = _release_in(draft, category, published[-2])
    else:
        sent_bytes = _send(repository.store, folder, release, progress)
        _list(draft, release)
    plan = _plan_for(draft, release, now, everywhere)
    if is_new:
        _forget_old(draft, category, plan or plan_in(draft, category))
    return _Listed(release, is_new, sent_bytes, newest, plan)


def _last_number(targets: Targets, category: str) -> int:
    last = targets.unrecognized_fields.get(_LAST, 0)
    if not isinstance(last, int):
        raise RepositoryDamagedError(f"{_LAST} of {category} is no number")
    return last


def _contents(release: Edition) -> set[tuple[str, str]]:
    return {(file.name, file.sha256) for file in release.files}


def _send(store: ObjectStore, folder: Path, release: Edition, progress: Progress | None) -> int:
    """Send the files that the store lacks; how many bytes that were."""
    keys = {file: stored_target(file.target, file.sha256) for file in release.files}
    lacking = [file for file, key in keys.items() if store.size_bytes(key) != file.length]
    total, done = sum(file.length for file in lacking), 0

    def sent(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    for file in lacking:
        store.put_file(keys[file], folder / file.name, file.sha256, sent)
    return total


def _list(draft: Draft, release: Edition) -> None:
    """Put a release and its files into the list of its category."""
    role = category_role(release.category)
    targets = draft.edit(role)
    for file in release.files:
        before = targets.targets.get(file.target)
        if before is not None and before.hashes.get("sha256") != file.sha256:
            raise ReleaseRefusedError(
                f"{file.name} is published with another content already; what has changed needs "
                "another version, and with it another name"
            )
        targets.targets[file.target] = TargetFile(file.length, {"sha256": file.sha256}, file.target)
    draft.add(role, release_path(release.category, release.release), encode_release(release))
    targets.unrecognized_fields[_LAST] = release.release


def _plan_for(
    draft: Draft, release: Edition, now: datetime, everywhere: bool
) -> RolloutPlan | None:
    """The plan that goes with a release, put into the draft; ``None`` where none does."""
    before = plan_in(draft, release.category)
    issued_at = now.replace(microsecond=0)
    if before is None:
        plan = RolloutPlan(
            category=release.category, serial=1, stable=release.release, issued_at=issued_at
        )
    elif everywhere and (before.stable, before.candidate) != (release.release, None):
        changes = {
            "serial": before.serial + 1,
            "stable": release.release,
            "issued_at": issued_at,
        }
        plan = RolloutPlan.model_validate(before.model_dump() | changes | dict(_NO_CANDIDATE))
    else:
        return None
    put_plan(draft, plan)
    return plan


def _forget_old(draft: Draft, category: str, plan: RolloutPlan | None) -> None:
    """Take old releases out of the list, and networks that none of the others has."""
    published = releases_in(draft, category)
    kept = set(published[-KEPT_RELEASES:])
    if plan is not None:
        kept |= {number for number in (plan.stable, plan.candidate) if number is not None}
    for release in published:
        if release not in kept:
            _unlist(draft, category, release)


def _unlist(draft: Draft, category: str, release: int) -> None:
    targets = draft.edit(category_role(category)).targets
    gone = _release_in(draft, category, release)
    others = [
        _release_in(draft, category, number)
        for number in releases_in(draft, category)
        if number != release
    ]
    needed = {file.target for other in others for file in other.files}
    for file in gone.files:
        if file.target not in needed:
            targets.pop(file.target, None)
    targets.pop(release_path(category, release), None)


def _withdraw(
    draft: Draft, category: str, release: int, now: datetime, to: int | None
) -> Withdrawal:
    published = releases_in(draft, category)
    before = plan_in(draft, category)
    if before is not None and release in before.withdrawn and release not in published:
        return Withdrawal(category, release, before)
    if before is None or release not in published:
        raise ReleaseRefusedError(
            f"{category} has no release {release} (there are "
            f"{', '.join(map(str, published)) or 'none'})"
        )
    changes: dict[str, object] = {
        "serial": before.serial + 1,
        "withdrawn": tuple(sorted({*before.withdrawn, release})),
        "issued_at": now.replace(microsecond=0),
    }
    if before.candidate == release:
        changes.update(_NO_CANDIDATE)
    if before.stable == release or to is not None:
        changes["stable"] = _to_go_back_to(before, published, release, to)
        if changes["stable"] == before.candidate:
            changes.update(_NO_CANDIDATE)
    plan = RolloutPlan.model_validate(before.model_dump() | changes)
    _unlist(draft, category, release)
    put_plan(draft, plan)
    return Withdrawal(category, release, plan)


def _to_go_back_to(
    plan: RolloutPlan, published: tuple[int, ...], release: int, to: int | None
) -> int:
    may = [number for number in published if number != release and number >= plan.floor]
    if to is not None:
        if to not in may:
            raise ReleaseRefusedError(
                f"devices cannot go to release {to}: choose one of {may or 'none that is left'}"
            )
        return to
    older = [number for number in may if number < release]
    if not older:
        raise ReleaseRefusedError(
            f"release {release} is what every device runs, and no older one is left to go back "
            "to; publish a better one first, or name another by --to"
        )
    return older[-1]


def _release_in(draft: Draft, category: str, release: int) -> Edition:
    if release not in releases_in(draft, category):
        raise ReleaseRefusedError(f"{category} has no release {release}")
    content = draft.fetch(category_role(category), release_path(category, release))
    if content is None:
        raise ReleaseRefusedError(f"{category} has no release {release}")
    try:
        return decode_edition(category, content)
    except DeliveryFormatError as err:
        raise RepositoryDamagedError(f"release {release} of {category}: {err}") from err
