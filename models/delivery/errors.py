"""What can be wrong with what travels between trainer and device, as one tree.

::

    DeliveryFormatError
    ├── DeliveryVersionError     written for a schema that this software does not read
    └── MessageTooLargeError     longer than a broker or a reader takes

Whom to believe is not decided here: a well-formed document may still be forged. Every message says
what is wrong and what to do about it.
"""

from __future__ import annotations


class DeliveryFormatError(ValueError):
    """A name, document or message is not acceptable; the root of this tree."""


class DeliveryVersionError(DeliveryFormatError):
    """The document follows a schema that this software does not read."""


class MessageTooLargeError(DeliveryFormatError):
    """The document is longer than its reader or the broker takes."""
