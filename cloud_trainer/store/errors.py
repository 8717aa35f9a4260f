"""What can go wrong with an object store, as one tree under ``WalkoutTrainerError``.

::

    StoreError
    ├── ObjectMissingError     there is no object of this name
    └── ConditionFailedError   the object is not, or no longer, what the writer thought
"""

from __future__ import annotations

from cloud_trainer.errors import WalkoutTrainerError


class StoreError(WalkoutTrainerError):
    """The store cannot be reached or refuses; the message says what to do."""


class ObjectMissingError(StoreError):
    """There is no object of this name."""


class ConditionFailedError(StoreError):
    """The object exists already, or was changed by somebody else; nothing was written."""
