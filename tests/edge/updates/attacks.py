"""What somebody with the store, or with some of the keys, can do to a device; all of it in vain.

Each attack works on a cloud whose first release of ``soda`` a device has taken; ``look`` lets the
device look at the store in between.
"""

from __future__ import annotations

from collections.abc import Callable

from models.delivery import ROLLOUTS_ROLE, encode_plan, encode_release, plan_path
from tests.edge.updates.conftest import CATEGORY, Sodas
from tests.simulators.cloud import TIMESTAMP_KEY, Cloud

Look = Callable[[], object]
Attack = Callable[[Cloud, Sodas, Look], object]


def _replayed_timestamp(cloud: Cloud, sodas: Sodas, look: Look) -> None:
    old = cloud.state()
    cloud.publish(sodas.more.path, everywhere=True)
    look()
    cloud.restore(old, TIMESTAMP_KEY)


def _old_snapshot(cloud: Cloud, sodas: Sodas, look: Look) -> None:
    old = cloud.state()
    cloud.publish(sodas.more.path)
    cloud.old_snapshot_under_new_name(old)


def _wrong_category_signs(cloud: Cloud, sodas: Sodas, look: Look) -> None:
    cloud.publish(sodas.more.path, everywhere=True)
    cloud.sign_with_key_of(CATEGORY, "snack")


def _wrong_category_lists(cloud: Cloud, sodas: Sodas, look: Look) -> None:
    cloud.publish(sodas.snack.path)
    cloud.list_foreign("snack", f"{CATEGORY}/rel-9/release.json", b"{}")
    plan = cloud.plan(CATEGORY).model_copy(update={"serial": 2, "stable": 9})
    cloud.repository.commit(
        lambda draft: draft.add(ROLLOUTS_ROLE, plan_path(CATEGORY), encode_plan(plan)), cloud.now
    )


def _other_document_as_release(cloud: Cloud, sodas: Sodas, look: Look) -> None:
    release = cloud.publish(sodas.more.path, everywhere=True).release
    cloud.replace_release(CATEGORY, 2, encode_release(release)[:-20] + b"}")


def _release_of_another_number(cloud: Cloud, sodas: Sodas, look: Look) -> None:
    release = cloud.publish(sodas.more.path, everywhere=True).release
    cloud.replace_release(CATEGORY, 9, encode_release(release))
    cloud.sign(CATEGORY, stable=9)


# What is done: how, and words of what the device says of it.
ATTACKS: dict[str, tuple[Attack, str]] = {
    "old timestamp played again": (_replayed_timestamp, "does not show what was signed"),
    "old snapshot under a new name": (_old_snapshot, "does not show what was signed"),
    "oversized metadata": (
        lambda cloud, sodas, look: cloud.pad(TIMESTAMP_KEY, 20_000),
        "more than was signed",
    ),
    "garbage for metadata": (
        lambda cloud, sodas, look: cloud.store.put(TIMESTAMP_KEY, b"{}"),
        "does not show what was signed",
    ),
    "a category signs for another": (_wrong_category_signs, "have not signed"),
    "a category lists another's": (_wrong_category_lists, "has signed no such release"),
    "another document as a release": (_other_document_as_release, "no acceptable Release"),
    "another release under its number": (_release_of_another_number, "turns out to be 2 of soda"),
    "expired timestamp": (lambda cloud, sodas, look: cloud.expire_timestamp(), "out of date"),
    "revoked key": (
        lambda cloud, sodas, look: cloud.go_on_with_revoked_key("timestamp"),
        "have not signed",
    ),
    "root by one key of two": (lambda cloud, sodas, look: cloud.root_by_one_key(), "not signed"),
}

# What is done to a file of a release, and words of what the device says of it.
SPOILINGS: dict[str, tuple[Callable[[Cloud, str], None], str]] = {
    "one flipped bit": (Cloud.flip_bit, "another content than was signed"),
    "truncated": (Cloud.truncate, "the rest is fetched later"),
    "oversized": (Cloud.pad, "is longer than"),
}
