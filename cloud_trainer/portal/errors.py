"""What goes wrong at the portal and is somebody's business, as one tree.

::

    WalkoutTrainerError
    +-- PortalError              what was asked of the portal is not done
        +-- PortalMissingError     there is no such thing, or not for whoever asks
        +-- PortalRefusedError     it cannot be done as things are
        +-- PortalUnusableError    what was sent cannot be used
        +-- PortalRecordsError     the database cannot be read or written now
"""

from __future__ import annotations

from cloud_trainer.errors import WalkoutTrainerError


class PortalError(WalkoutTrainerError):
    """What was asked of the portal is not done; the text says why and what to do."""


class PortalMissingError(PortalError):
    """There is no such thing, or not for whoever asks."""


class PortalRefusedError(PortalError):
    """It cannot be done as things are."""


class PortalUnusableError(PortalError):
    """What was sent cannot be used: no photo, no table, a field that cannot be."""


class PortalRecordsError(PortalError):
    """The database cannot be read or written now; what was written before is safe."""
