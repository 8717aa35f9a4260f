"""``store.yaml`` as a file: read, checked, and complained about by file, line and field.

Owns that keys stand once, that secrets come from the environment alone, what is said about a
mistake and what to do, and the published JSON schema. The fields are ``edge.config``'s.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from edge.config import StoreConfig, part
from edge.errors import ConfigError


def load_config(path: Path, environment: Mapping[str, str] | None = None) -> StoreConfig:
    """Read a ``store.yaml``.

    Args:
        path: The file, or the folder it lies in.
        environment: Where secrets are looked up; the process's own when left out.

    Raises:
        ConfigError: It cannot be read or says something wrong; all complaints are in it.
    """
    path = path / "store.yaml" if path.is_dir() else path
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError([f"{path}: cannot be read: {err}"]) from err
    return parse_config(text, str(path), os.environ if environment is None else environment)


def parse_config(text: str, name: str, environment: Mapping[str, str]) -> StoreConfig:
    """Read the YAML text of a configuration; see ``load_config``.

    Args:
        text: The text.
        name: What complaints call the file.
        environment: Where secrets are looked up.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError([f"{name}: it is no mapping; begin with schema_version: 1"])
        doubled = [
            f"{name}:{key.start_mark.line + 1}: {key.value} stands here for the second time; "
            "keep one of them"
            for key in _doubled_keys(node)
        ]
        if doubled:
            raise ConfigError(doubled)
        values = loader.construct_document(node)
    except yaml.YAMLError as err:
        mark = getattr(err, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        problem = getattr(err, "problem", None) or str(err)
        raise ConfigError([f"{name}{line}: this is not YAML: {problem}"]) from err
    finally:
        loader.dispose()
    complaints = list(_secrets_into(values, node, name, environment))
    if complaints:
        raise ConfigError(complaints)
    try:
        return StoreConfig.model_validate(values)
    except ValidationError as err:
        raise ConfigError(
            [_complaint(each, node, name) for each in err.errors(include_url=False)]
        ) from err


def secret(named: str | None, environment: Mapping[str, str]) -> str | None:
    """The value of a secret by the variable that the file names.

    Raises:
        ConfigError: The variable is not set.
    """
    if named is None:
        return None
    value = environment.get(named)
    if not value:
        raise ConfigError(
            [f"the environment has no {named}, which the configuration names; set it"]
        )
    return value


def config_schema() -> dict[str, Any]:
    """The JSON schema of ``store.yaml``."""
    schema = StoreConfig.model_json_schema()
    for definition in schema["$defs"].values():
        properties = definition.get("properties", {})
        if "password" in properties:
            # Nobody writes a password into the file; see ``_secrets_into``.
            del properties["password"]
            properties["password_env"] = {
                "title": "Password Env",
                "type": "string",
                "description": "Environment variable with the password.",
            }
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Walkout store.yaml"
    return schema


def _secrets_into(
    values: dict[str, Any], node: yaml.Node, name: str, environment: Mapping[str, str]
) -> Iterator[str]:
    """Put cameras' passwords where they belong; complaints about those that are not there."""
    for camera, each in part(values, "cameras").items():
        if not isinstance(each, dict):
            continue
        where = f"{name}:{_line(node, ('cameras', camera))}: cameras.{camera}"
        url = each.get("url")
        if "password" in each or (isinstance(url, str) and ":" in url.rpartition("@")[0][7:]):
            yield (
                f"{where}: a password does not belong into the file; put it into the environment "
                "and name the variable with password_env"
            )
        if "password_env" in each:
            variable = each.pop("password_env")
            value = environment.get(str(variable))
            if not value:
                yield f"{where}.password_env: the environment has no {variable}; set it"
            each["password"] = value


def _doubled_keys(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                yield key
            seen.add(key.value)
            yield from _doubled_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _doubled_keys(value)


def _line(node: yaml.Node, place: Sequence[object]) -> int:
    """The line of a field, or of the nearest one around it that is in the file."""
    line = node.start_mark.line
    for step in place:
        if isinstance(node, yaml.MappingNode):
            found = [pair for pair in node.value if pair[0].value == str(step)]
            if not found:
                continue  # the name of a kind, which pydantic puts between the fields
            line, node = found[0][0].start_mark.line, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
            line = node.start_mark.line
    return line + 1


def _complaint(error: Any, node: yaml.Node, name: str) -> str:  # noqa: ANN401 -- pydantic's own
    place = ".".join(str(step) for step in error["loc"])
    said = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        said = "there is no such setting; walkout-edge config schema shows those there are"
    elif error["type"] == "missing":
        said = "it is missing; add it"
    return f"{name}:{_line(node, error['loc'])}: {place}: {said}" if place else f"{name}: {said}"
