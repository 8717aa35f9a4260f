"""Everything that goes wrong on the device and is somebody's business, as one tree.

::

    WalkoutEdgeError
    +-- RuntimeUnavailableError   an inference backend or provider is not there, or was not used
    +-- EmbedderError             a network cannot be opened or does not give what it promises
    |   +-- GoldenCropsError      golden crops come out differently from what the bundle expects
    +-- MatchingError             bundles that cannot serve together, queries of the wrong shape
    +-- SourceError               a photo folder or a video that cannot be read
    +-- NothingRecognisedError    not one of the given pictures could be looked at

A bundle that is wrong in itself raises ``models.bundle.BundleError``, a photo that cannot be read
``models.photos.PhotoError``: those facts are known there.
"""

from __future__ import annotations


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
