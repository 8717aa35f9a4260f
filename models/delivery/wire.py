"""Documents to bytes and back: canonical JSON out, closed and bounded schemas in."""

from __future__ import annotations

import json
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from models.bundle.errors import excerpt
from models.bundle.manifest import first_complaint
from models.delivery.errors import DeliveryFormatError, DeliveryVersionError, MessageTooLargeError

SCHEMA_VERSION = 1

# AWS IoT Core takes no longer message.
MAX_MESSAGE_BYTES = 128 * 1024

# One line that a terminal may show: cut and cleaned, whoever wrote it.
Words = Annotated[
    str, BeforeValidator(lambda text: excerpt(text) if isinstance(text, str) else text)
]

_Document = TypeVar("_Document", bound=BaseModel)


class Closed(BaseModel):
    """A part of a document: frozen, and nothing in it that the schema does not name."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def encode(document: BaseModel, limit_bytes: int = MAX_MESSAGE_BYTES) -> bytes:
    """The document as JSON: sorted keys, UTF-8, no spaces; equal documents give equal bytes.

    Raises:
        MessageTooLargeError: It would be longer than ``limit_bytes``.
    """
    text = json.dumps(
        document.model_dump(mode="json"),
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    ).encode()
    if len(text) > limit_bytes:
        raise MessageTooLargeError(
            f"this {type(document).__name__} has {len(text)} bytes, over {limit_bytes}; say less"
        )
    return text


def decode(
    kind: type[_Document], content: bytes, limit_bytes: int = MAX_MESSAGE_BYTES
) -> _Document:
    """Read a document.

    Args:
        kind: Its class.
        content: JSON as ``encode`` writes it.
        limit_bytes: Longer ones are not looked at.

    Raises:
        MessageTooLargeError: It is longer than ``limit_bytes``.
        DeliveryVersionError: It follows a schema that this software does not read.
        DeliveryFormatError: It is not such a document.
    """
    if len(content) > limit_bytes:
        raise MessageTooLargeError(
            f"a {kind.__name__} of {len(content)} bytes is over {limit_bytes} and is not read"
        )
    try:
        return kind.model_validate_json(content, strict=True)
    except ValidationError as err:
        for complaint in err.errors(include_url=False, include_context=False):
            if complaint["loc"] == ("schema_version",):
                raise DeliveryVersionError(
                    f"this software reads a {kind.__name__} of schema version {SCHEMA_VERSION}, "
                    f"this one says {excerpt(complaint['input'])!r}; update the software"
                ) from err
        raise DeliveryFormatError(
            f"this is no acceptable {kind.__name__}: {first_complaint(err)}; have it sent again"
        ) from err
