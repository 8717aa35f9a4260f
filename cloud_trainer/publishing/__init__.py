"""From a bundle in a folder to something that devices may believe and fetch.

The parts: ``keys`` files that sign, ``roles`` who signs what, ``verifying`` what is believed,
``draft`` a change in the making, ``repository`` how it becomes visible as one step, ``judging``
what is not published, ``releases`` publish and withdraw, ``software`` the devices' own, ``plans``
who may run what, ``rotation`` keys and expiries over the years, ``errors``.

Example::

    repository = Repository(open_store("s3://bundles/shop"), KeyRing([Path("keys")], ask))
    publication = publish_bundle(repository, Path("bundles/soda"), now)
    sign_plan(repository, plan, now)
"""

from cloud_trainer.publishing.errors import (
    KeysError,
    PlanRefusedError,
    PublishingError,
    ReleaseRefusedError,
    RepositoryDamagedError,
    RepositoryMissingError,
)
from cloud_trainer.publishing.judging import judge_bundle
from cloud_trainer.publishing.keys import ROOT_NAME, AskPassphrase, KeyRing, StoredKey
from cloud_trainer.publishing.plans import current_plan, sign_plan
from cloud_trainer.publishing.releases import (
    Publication,
    Withdrawal,
    publish_bundle,
    published_releases,
    read_release,
    withdraw_release,
)
from cloud_trainer.publishing.repository import Repository
from cloud_trainer.publishing.rotation import RoleOverview, init_keys, overview, refresh, rotate
from cloud_trainer.publishing.software import judge_wheels, publish_software

__all__ = [
    "ROOT_NAME",
    "AskPassphrase",
    "KeyRing",
    "KeysError",
    "PlanRefusedError",
    "Publication",
    "PublishingError",
    "ReleaseRefusedError",
    "Repository",
    "RepositoryDamagedError",
    "RepositoryMissingError",
    "RoleOverview",
    "StoredKey",
    "Withdrawal",
    "current_plan",
    "init_keys",
    "judge_bundle",
    "judge_wheels",
    "overview",
    "publish_bundle",
    "publish_software",
    "published_releases",
    "read_release",
    "refresh",
    "rotate",
    "sign_plan",
    "withdraw_release",
]
