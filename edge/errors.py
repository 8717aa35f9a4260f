"""Everything that goes wrong on the device and is somebody's business, as one tree.

::

    WalkoutEdgeError
    +-- RuntimeUnavailableError   an inference backend or provider is not there, or was not used
    +-- EmbedderError             a network cannot be opened or does not give what it promises
    |   +-- GoldenCropsError      golden crops come out differently from what the bundle expects
    +-- MatchingError             bundles that cannot serve together, queries of the wrong shape
    +-- SourceError               a photo folder or a video that cannot be read
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
    +-- CheckoutError             a step of the checkout that the basket's state does not allow
        +-- PriceError            a product has no price that the shop can charge
        +-- LedgerError           the ledger cannot be opened or written
        |   +-- LedgerDamagedError    rows are missing or changed, or the file is no ledger
        |   +-- LedgerConflictError   the same id came again with other content
        +-- DeliveryError         a receiver of receipts is configured in a way that cannot work

A bundle that is wrong in itself raises ``models.bundle.BundleError``, a photo that cannot be read
``models.photos.PhotoError``: those facts are known there.
"""

from __future__ import annotations

from collections.abc import Sequence


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


class NothingRecognisedError(WalkoutEdgeError):
    """None of the given pictures could be looked at."""


class TrackingError(WalkoutEdgeError):
    """Cameras, their calibration or their scans do not allow shoppers to be followed."""


class DetectorError(TrackingError):
    """A person detector cannot be opened or run, or its output is not of its family."""


class CheckoutError(WalkoutEdgeError):
    """A step of the checkout that cannot be taken: an unknown session, a settled review."""


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
