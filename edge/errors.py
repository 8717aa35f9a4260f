"""Everything that goes wrong on the device and is somebody's business, as one tree.

::

    WalkoutEdgeError
    +-- RuntimeUnavailableError   an inference backend or provider is not there, or was not used
    +-- EmbedderError             a network cannot be opened or does not give what it promises
    |   +-- GoldenCropsError      golden crops come out differently from what the bundle expects
    +-- MatchingError             bundles that cannot serve together, queries of the wrong shape
    +-- SourceError               a photo folder or a video that cannot be read
    +-- SearchError               a picture cannot be searched as it was asked for
    |   +-- SearchBusyError         too many pictures wait; ask again
    +-- NothingRecognisedError    not one of the given pictures could be looked at
    +-- CameraError               a camera that gives no frame
    |   +-- CameraSetupError        its settings or its software are wrong; waiting mends nothing
    |   +-- CameraUnavailableError  it cannot be reached now; worth trying again
    |   +-- CameraLostError         it gave frames and gives none any more
    |   |   +-- CameraStalledError    no newer frame came in the time given
    |   +-- CameraEndedError        a recording was read to its end
    +-- TrackingError             cameras or scans that shoppers cannot be followed with
    |   +-- DetectorError         a person detector cannot be opened or does not give what it should
    +-- ConfigError               store.yaml, or what it names, cannot be used
    +-- QueueFullError            a channel that drops nothing had no room in time
    +-- LinkError                 what one device of a shop told another cannot be used
    +-- KeepingError              a backup cannot be made, opened or brought back
    +-- ProvisioningError         the device cannot get an identity, or has one already
    +-- UpdateError               a step of an update that could not be taken; what serves goes on
    |   +-- UpdateHeldError         the step waits: the device ends, or it is not the time for it
    |   +-- FetchError              bytes do not come now; they are asked for again later
    |   |   +-- FetchMissingError     the store has no such object
    |   |   +-- FetchDamagedError     what came is not what was promised
    |   +-- TrustError              what the store says is not believed
    |   +-- ReleaseRefusedError     a release failed a test on this device
    |   +-- DiskRoomError           there is no room for a release
    |   +-- JournalError            what the agent remembers cannot be read or written
    +-- CheckoutError             a step of the checkout that the basket's state does not allow
        +-- NotThereError         there is no such thing here (any more)
        +-- PriceError            a product has no price that the shop can charge
        +-- LedgerError           the ledger cannot be opened or written
        |   +-- LedgerDamagedError    rows are missing or changed, or the file is no ledger
        |   +-- LedgerConflictError   the same id came again with other content
        +-- DeliveryError         a receiver of receipts is configured in a way that cannot work

A bundle that is wrong in itself raises ``models.bundle.BundleError``, a photo that cannot be read
``models.photos.PhotoError``, people and tokens ``web.errors.WebError``: those facts are known
there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.delivery import FailureKind


class WalkoutEdgeError(Exception):
    """Base of every error the device raises on purpose; its text says what to do."""


class RuntimeUnavailableError(WalkoutEdgeError):
    """An inference backend or execution provider is missing, or was silently not used."""


class EmbedderError(WalkoutEdgeError):
    """A network cannot be opened or run, or its output is not what its bundle promises."""


class GoldenCropsError(EmbedderError):
    """The golden crops' embeddings deviate from the bundle's expectation."""


class MatchingError(WalkoutEdgeError):
    """Bundles cannot serve together, or a query does not fit the index."""


class SourceError(WalkoutEdgeError):
    """A path given to be recognised is no photo, folder or video that can be read."""


class SearchError(WalkoutEdgeError):
    """A picture cannot be searched as it was asked for: another filter, or another polygon."""


class SearchBusyError(SearchError):
    """Too many pictures wait to be searched, or the answer did not come in time."""


class NothingRecognisedError(WalkoutEdgeError):
    """None of the given pictures could be looked at."""


class TrackingError(WalkoutEdgeError):
    """Cameras, their calibration or their scans do not allow shoppers to be followed."""


class DetectorError(TrackingError):
    """A person detector cannot be opened or run, or its output is not of its family."""


class CheckoutError(WalkoutEdgeError):
    """A step of the checkout that cannot be taken: an unknown session, a settled review."""


class NotThereError(CheckoutError):
    """There is no such session, review, line, camera or picture here (any more)."""


class PriceError(CheckoutError):
    """A product has no price, or one that the shop's currency cannot express."""


class LedgerError(CheckoutError):
    """The ledger cannot be opened or written; what was written before is safe."""


class LedgerDamagedError(LedgerError):
    """The ledger's rows are missing or changed, or the file is no ledger."""


class LedgerConflictError(LedgerError):
    """An id that the ledger has came again with other content."""


class DeliveryError(CheckoutError):
    """A receiver of receipts is configured in a way that cannot work."""


class CameraError(WalkoutEdgeError):
    """A camera gives no frame; nothing else escapes from a camera source."""


class CameraSetupError(CameraError):
    """A camera's settings or software are wrong: somebody has to change them."""


class CameraUnavailableError(CameraError):
    """A camera cannot be reached now; it may be up later."""


class CameraLostError(CameraError):
    """A camera gave frames and gives none any more."""


class CameraStalledError(CameraLostError):
    """No newer frame came in the time given."""


class CameraEndedError(CameraError):
    """A recording was read to its end."""


class ConfigError(WalkoutEdgeError):
    """A configuration cannot be used.

    Attributes:
        complaints: What is wrong, one line each, with file, line, field and what to do.
    """

    def __init__(self, complaints: Sequence[str]) -> None:
        self.complaints = tuple(complaints)
        more = len(self.complaints) - 1
        also = f" ({more} more: walkout-edge config check shows them all)" if more else ""
        super().__init__(f"{self.complaints[0]}{also}")


class QueueFullError(WalkoutEdgeError):
    """A channel that drops nothing had no room in the time given."""


class LinkError(WalkoutEdgeError):
    """A message between the devices of a shop is none, or does not come."""


class KeepingError(WalkoutEdgeError):
    """A backup cannot be made, opened, or brought back as a whole."""


class ProvisioningError(WalkoutEdgeError):
    """The device cannot get an identity of its own, or has one already."""


class UpdateError(WalkoutEdgeError):
    """A step of an update could not be taken; the device goes on with what it serves."""


class UpdateHeldError(UpdateError):
    """A step was left for later on purpose; nothing is wrong."""


class FetchError(UpdateError):
    """Bytes of an object did not come; what came is kept and the rest asked for later."""


class FetchMissingError(FetchError):
    """The store says that it has no such object."""


class FetchDamagedError(FetchError):
    """What came has another length or checksum than was promised."""


class TrustError(UpdateError):
    """What the store says is not signed as it must be, is too old, or is meant for others."""


class ReleaseRefusedError(UpdateError):
    """A release failed a test on this device, so it does not serve.

    Attributes:
        kind: Which test, as fleets count failures.
    """

    def __init__(self, kind: FailureKind, reason: str) -> None:
        self.kind: FailureKind = kind
        super().__init__(reason)


class DiskRoomError(UpdateError):
    """There is no room for a release within the disk or its budget."""


class JournalError(UpdateError):
    """What the update agent remembers cannot be read or written."""
