"""The ``updates`` section as a file, for an agent that runs alone."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ValidationError

from edge.errors import ConfigError
from edge.updates.settings import UpdateSettings


def load_update_settings(path: Path) -> UpdateSettings:
    """Read the settings of an update agent.

    Args:
        path: A YAML file that is the section, or has it under ``updates``, as ``store.yaml`` does.

    Raises:
        ConfigError: It cannot be read or says something wrong; all complaints are in it.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError([f"{path}: cannot be read: {err}"]) from err
    except yaml.YAMLError as err:
        raise ConfigError([f"{path}: this is not YAML: {err}"]) from err
    section = document.get("updates", document) if isinstance(document, dict) else document
    try:
        return UpdateSettings.model_validate(section)
    except ValidationError as err:
        raise ConfigError(
            [
                f"{path}: {'.'.join(map(str, each['loc']))}: "
                f"{each['msg'].removeprefix('Value error, ')}"
                for each in err.errors(include_url=False)
            ]
        ) from err
