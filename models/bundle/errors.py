"""What can be wrong with a bundle, as one tree.

::

    BundleError
    ├── BundleIncompleteError   a file that belongs there is missing, or there is no bundle at all
    ├── BundleCorruptError      something there is not what the manifest promises, or is not allowed
    ├── BundleVersionError      written for a schema that this software does not read
    ├── BundleSpaceError        embeddings of different networks would be compared
    └── BundleWriteError        a bundle could not be written

Every message says what is wrong and what to do about it.
"""

from __future__ import annotations

_EXCERPT_LENGTH = 200


def excerpt(foreign: object) -> str:
    """Text from a bundle as a message may quote it: short, and nothing a terminal would obey."""
    text = str(foreign)
    text = "".join(character if character.isprintable() else "?" for character in text[:1000])
    return text if len(text) <= _EXCERPT_LENGTH else f"{text[:_EXCERPT_LENGTH]}..."


class BundleError(Exception):
    """A bundle cannot be used or made; the root of this tree."""


class BundleIncompleteError(BundleError):
    """A file that belongs to the bundle is missing, or there is no bundle."""


class BundleCorruptError(BundleError):
    """Something in the bundle is not what the manifest promises, or is not allowed there."""


class BundleVersionError(BundleError):
    """The bundle follows a schema that this software does not read."""


class BundleSpaceError(BundleError):
    """Embeddings of different networks would be compared."""


class BundleWriteError(BundleError):
    """A bundle could not be written; nothing half-written is left behind."""
