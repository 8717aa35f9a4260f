"""The configuration for people who look into the device: all of it but its secrets. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

from edge.config import StoreConfig

HIDDEN: Final = "***"
_SECRET_FIELD: Final = re.compile(r"(?i)(password|passwd|secret|token|credential)$")
_SECRET_IN_TEXT: Final = re.compile(
    r"(?i)\b((?:user-)?(?:pw|password|passwd|secret|token))(\s*=\s*)(\"[^\"]*\"|'[^']*'|\S+)"
)
_LOGIN_IN_URL: Final = re.compile(r"(\w+://)[^/@\s\"']+@")


def config_shown(config: StoreConfig) -> dict[str, Any]:
    """A configuration as JSON values, without any secret.

    Fields that name an environment variable stay: they name a secret and hold none.
    """
    shown: dict[str, Any] = without_secrets(config.model_dump(mode="json"))
    return shown


def without_secrets(value: Any) -> Any:  # noqa: ANN401 -- JSON
    """The same JSON value with secrets hidden, wherever they stand."""
    if isinstance(value, dict):
        return {
            name: HIDDEN
            if _SECRET_FIELD.search(name) and each is not None
            else without_secrets(each)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [without_secrets(each) for each in value]
    if isinstance(value, str):
        told = _SECRET_IN_TEXT.sub(rf"\1\2{HIDDEN}", value)
        return _LOGIN_IN_URL.sub(rf"\1{HIDDEN}@", told)
    return value
