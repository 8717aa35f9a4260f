"""What can go wrong with publishing, as one tree under ``WalkoutTrainerError``.

::

    PublishingError
    ├── KeysError                 keys are missing, locked, or not what they should be
    ├── RepositoryMissingError    nothing was ever published in the store
    ├── RepositoryDamagedError    the store holds what nobody with a key has signed
    ├── ReleaseRefusedError       a device would refuse the bundle, or the release does not exist
    └── PlanRefusedError          the rollout plan contradicts what is published or was signed since

A store that cannot be reached or written raises ``cloud_trainer.store.StoreError``.
"""

from __future__ import annotations

from cloud_trainer.errors import WalkoutTrainerError


class PublishingError(WalkoutTrainerError):
    """Something cannot be published; the message says what to do."""


class KeysError(PublishingError):
    """Keys are missing, locked, or not what they should be."""


class RepositoryMissingError(PublishingError):
    """Nothing was ever published in the store."""


class RepositoryDamagedError(PublishingError):
    """The store holds what nobody with a key has signed."""


class ReleaseRefusedError(PublishingError):
    """A device would refuse the bundle, or there is no such release."""


class PlanRefusedError(PublishingError):
    """The rollout plan contradicts what is published, or another one was signed since."""
