"""A small cloud: real keys, a real signed repository in a folder or on an S3 server, and attacks.

Owns no rule of its own: what is published here is published by ``cloud_trainer.publishing``, what
attackers sign is signed with the keys that they are said to have. A device that trusts
``Cloud.root`` reads it as it reads any other::

    cloud = Cloud.make(tmp_path)
    release = cloud.publish(make_bundle(tmp_path / "soda", category="soda").path).release
    old = cloud.state()
    cloud.rotate("timestamp")
    cloud.restore(old, "metadata/timestamp.json")     # a replay
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from moto.server import ThreadedMotoServer
from tuf.api.exceptions import DownloadError, DownloadHTTPError
from tuf.api.metadata import Metadata, TargetFile, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer
from tuf.ngclient import FetcherInterface, Updater

from cloud_trainer.publishing import (
    KeyRing,
    Publication,
    Repository,
    Withdrawal,
    current_plan,
    init_keys,
    publish_bundle,
    refresh,
    rotate,
    sign_plan,
    withdraw_release,
)
from cloud_trainer.publishing.draft import Draft
from cloud_trainer.publishing.judging import judge_bundle
from cloud_trainer.publishing.roles import ROOT, SNAPSHOT, TIMESTAMP
from cloud_trainer.store import (
    FolderStore,
    ObjectMissingError,
    ObjectStore,
    S3Store,
    StoreError,
)
from models.bundle import Bundle
from models.delivery import (
    METADATA_FOLDER,
    TARGETS_FOLDER,
    Release,
    RolloutPlan,
    category_role,
    plan_path,
    release_path,
    stored_target,
)

PASSPHRASE = "four words for testing"
TIMESTAMP_KEY = f"{METADATA_FOLDER}/{TIMESTAMP}.json"
BUCKET = "bundles"
S3_REGION = "us-east-1"

_State = Mapping[str, bytes]


@dataclass
class Cloud:
    """What a publisher has: a store, keys, and a clock.

    Attributes:
        repository: The signed state.
        now: The publisher's time; devices compare expiries with the real one.
    """

    repository: Repository
    now: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    @classmethod
    def make(
        cls, folder: Path, store: ObjectStore | None = None, categories: tuple[str, ...] = ("soda",)
    ) -> Cloud:
        """Make keys in ``folder / "keys"`` and begin an empty repository.

        Args:
            folder: An empty folder.
            store: Where to publish; ``folder / "store"`` by default.
            categories: Categories to make keys for already.
        """
        ring = KeyRing([folder / "keys"], lambda _: PASSPHRASE)
        cloud = cls(Repository(store or FolderStore(folder / "store"), ring))
        init_keys(ring, cloud.now, categories, locked=False)
        cloud.repository.create(cloud.now)
        return cloud

    @property
    def store(self) -> ObjectStore:
        """Where it publishes."""
        return self.repository.store

    @property
    def url(self) -> str:
        """Address of the store."""
        return self.store.url

    @property
    def root(self) -> bytes:
        """The first root, with which devices are shipped."""
        return self.repository.keys.root_text()

    def publish(
        self,
        bundle: Path,
        *,
        everywhere: bool = False,
        judge: Callable[[Bundle], None] = judge_bundle,
    ) -> Publication[Release]:
        """Publish a bundle; ``judge=let_through`` signs a bad one as well."""
        return publish_bundle(self.repository, bundle, self.now, everywhere=everywhere, judge=judge)

    def withdraw(self, category: str, release: int, to: int | None = None) -> Withdrawal:
        """Withdraw a release."""
        return withdraw_release(self.repository, category, release, self.now, to)

    def plan(self, category: str) -> RolloutPlan:
        """The newest plan of a category, of which something was published."""
        plan = current_plan(self.repository, category)
        assert plan is not None
        return plan

    def sign(self, category: str, **changes: object) -> RolloutPlan:
        """Sign the newest plan with some fields changed and the next serial."""
        before = self.plan(category)
        fields = before.model_dump() | {"serial": before.serial + 1} | changes
        return sign_plan(self.repository, RolloutPlan.model_validate(fields), self.now)

    def rotate(self, role: str, revoke: str | None = None) -> None:
        """Replace a key of a role."""
        rotate(self.repository, role, self.now, revoke)

    def refresh(self) -> None:
        """Renew what expires."""
        refresh(self.repository, self.now)

    # What somebody with access to the store alone can do.

    def state(self) -> dict[str, bytes]:
        """All signed metadata as it is now."""
        return {key: self.store.get(key) for key in self.store.list(f"{METADATA_FOLDER}/")}

    def restore(self, state: _State, *keys: str) -> None:
        """Put old metadata back: the objects named, or all and nothing that came later."""
        if not keys:
            for key in self.store.list(f"{METADATA_FOLDER}/"):
                if key not in state:
                    self.store.delete(key)
        for key in keys or state:
            self.store.put(key, state[key])

    def old_snapshot_under_new_name(self, state: _State) -> None:
        """Put the snapshot of an old state where the newest one lies."""
        old = Metadata[Timestamp].from_bytes(state[TIMESTAMP_KEY]).signed.snapshot_meta.version
        new = self.repository.read()
        assert new.snapshot is not None and new.snapshot.signed.version > old
        key = f"{METADATA_FOLDER}/{new.snapshot.signed.version}.{SNAPSHOT}.json"
        self.store.put(key, state[f"{METADATA_FOLDER}/{old}.{SNAPSHOT}.json"])

    def target_key(self, category: str, path: str) -> str:
        """Object name of a target that a category's role lists."""
        target = self.repository.read().role(category_role(category)).targets[path]
        return stored_target(path, target.hashes["sha256"])

    def flip_bit(self, key: str) -> None:
        """Flip one bit in the middle of an object."""
        content = bytearray(self.store.get(key))
        content[len(content) // 2] ^= 1
        self.store.put(key, bytes(content))

    def truncate(self, key: str) -> None:
        """Cut the last byte off an object."""
        self.store.put(key, self.store.get(key)[:-1])

    def pad(self, key: str, extra_bytes: int = 1) -> None:
        """Put zeros behind an object."""
        self.store.put(key, self.store.get(key) + bytes(extra_bytes))

    # What somebody with some of the keys can do as well.

    def forge(self, role: str, signed_by: str, edit: Callable[[Targets], None]) -> None:
        """Publish metadata of a delegated role that another role's key has signed.

        The attacker has the keys of snapshot and timestamp too.
        """
        _Forger(self.repository, role, signed_by).commit(
            lambda draft: edit(draft.edit(role)), self.now
        )

    def sign_with_key_of(self, category: str, other: str) -> None:
        """The key of one category signs the releases of another."""
        self.forge(category_role(category), category_role(other), lambda targets: None)

    def list_foreign(self, category: str, path: str, content: bytes) -> None:
        """The role of a category lists a target that is not its own, signed as it should be."""

        def edit(draft: Draft) -> None:
            draft.add(category_role(category), path, content)

        self.repository.commit(edit, self.now)

    def forge_plan(self, category: str, content: bytes) -> None:
        """The role of a category signs a rollout plan."""
        self.list_foreign(category, plan_path(category), content)

    def replace_release(self, category: str, release: int, content: bytes) -> None:
        """Sign any content as a release's document."""
        self.list_foreign(category, release_path(category, release), content)

    def go_on_with_revoked_key(self, role: str) -> None:
        """Rotate the key of a role, and sign its next version with the old one."""
        old = self.repository.keys.of_role(role)[-1].name
        self.rotate(role, old)
        forger = _Forger(self.repository, role, role, old)

        def edit(draft: Draft) -> None:
            if role not in (TIMESTAMP, SNAPSHOT):
                draft.edit(role)
            draft.renew.add(role)

        forger.commit(edit, self.now)

    def expire_timestamp(self) -> None:
        """Sign the next timestamp so that it is out of date: all that a freezer can show."""
        earlier = Cloud(self.repository, self.now - timedelta(days=60))
        earlier.refresh()

    def root_by_one_key(self) -> None:
        """Put a next root that one of the keys has signed where two must."""
        root = self.repository.read().roots[-1]
        root.signed.version += 1
        root.signatures.clear()
        keyids = root.signed.roles[ROOT].keyids
        root.sign(self.repository.keys.signers(ROOT, keyids, 1)[0])
        self.store.put(
            f"{METADATA_FOLDER}/{root.signed.version}.{ROOT}.json",
            root.to_bytes(JSONSerializer(compact=True)),
        )


def let_through(bundle: Bundle) -> None:
    """Judge nothing: a bundle is signed although devices must refuse it."""


class _Forger(Repository):
    """Signs one role with a key that may not."""

    def __init__(
        self, repository: Repository, role: str, signed_by: str, key: str | None = None
    ) -> None:
        super().__init__(repository.store, repository.keys)
        self._role = role
        own = [k for k in repository.keys.of_role(signed_by) if key in (None, k.name)]
        self._signers = repository.keys.signers(role, [own[-1].public.keyid], 1)

    def _signed(self, draft: Draft, role: str, metadata: Metadata, now: datetime) -> bytes:  # type: ignore[type-arg]
        content = super()._signed(draft, role, metadata, now)
        if role != self._role:
            return content
        metadata.signatures.clear()
        for signer in self._signers:
            metadata.sign(signer, append=True)
        return metadata.to_bytes(JSONSerializer(compact=True))


class StoreFetcher(FetcherInterface):
    """Lets the reference client of TUF read a store directly."""

    def __init__(self, store: ObjectStore) -> None:
        """Read ``store``; addresses are object names behind any host."""
        self._store = store

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            content = self._store.get(url.removeprefix("store:///"))
        except ObjectMissingError as err:
            raise DownloadHTTPError(str(err), 404) from err
        except StoreError as err:
            raise DownloadError(str(err)) from err
        return iter([content])


def client(folder: Path, root: bytes, store: ObjectStore) -> Updater:
    """The reference client of TUF over a store; a new one for each poll.

    Args:
        folder: What the device remembers; an empty one is a new or wiped device.
        root: The root that it was shipped with.
        store: The store.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return Updater(
        str(folder),
        f"store:///{METADATA_FOLDER}/",
        str(folder),
        f"store:///{TARGETS_FOLDER}/",
        StoreFetcher(store),
        bootstrap=root,
    )


def fetch_target(updater: Updater, path: str) -> bytes | None:
    """Content of a target, verified; ``None`` where nobody who may has signed one."""
    target: TargetFile | None = updater.get_targetinfo(path)
    return Path(updater.download_target(target)).read_bytes() if target else None


@contextmanager
def s3_server() -> Iterator[str]:
    """An S3 server on loopback; yields its address.

    Set ``s3_environment(address)``, then ``make_bucket(address)``, before anything talks to it.
    """
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    try:
        yield address
    finally:
        server.stop()


def s3_environment(address: str) -> dict[str, str]:
    """Environment variables by which boto3 finds a server; the credentials are any."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": S3_REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def make_bucket(address: str, bucket: str = BUCKET) -> None:
    """Make a bucket on a server that ``s3_environment`` describes."""
    import boto3

    boto3.client("s3", endpoint_url=address).create_bucket(Bucket=bucket)


def s3_store(prefix: str = "") -> S3Store:
    """A store in the bucket ``BUCKET``."""
    return S3Store(BUCKET, prefix)
