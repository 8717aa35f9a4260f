"""Errors of the trainer, as one tree.

::

    WalkoutTrainerError   photos, plan or machine keep the trainer from going on
    +-- RolloutError      a rollout cannot begin, or cannot be changed as asked
    +-- RecordError       a record file (rollouts, fleet, receipts) cannot be used
    +-- BrokerError       the MQTT broker cannot be reached, or does not let us in
    +-- DevicesError      devices cannot be given identities as asked
    +-- StoreError        the object store, with a tree of its own: cloud_trainer.store.errors
    +-- PublishingError   keys and releases, with a tree of its own: cloud_trainer.publishing.errors
    +-- PortalError       the portal, with a tree of its own: cloud_trainer.portal.errors

Each message says what is wrong and what to do. Errors of the shared ground (catalogue, photos,
bundles, delivery) have trees of their own beside their code in ``models``.
"""


class WalkoutTrainerError(Exception):
    """What went wrong and what to do about it, in one line for a person."""


class RolloutError(WalkoutTrainerError):
    """A rollout cannot begin, or cannot be changed as asked."""


class RecordError(WalkoutTrainerError):
    """A record file (rollouts, fleet, receipts) cannot be opened, read or written."""


class BrokerError(WalkoutTrainerError):
    """The MQTT broker cannot be reached with what was given, or does not let us in."""


class DevicesError(WalkoutTrainerError):
    """An authority is missing or there already, or a device cannot be given what is asked."""
