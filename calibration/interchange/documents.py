"""What all foreign files have in common: text to plain values, and fields that must be there.

Owns the refusals. ``%YAML:1.0`` with ``!!opencv-matrix`` is OpenCV's own dialect of YAML: its
header line and its tag are no standard ones, so both are taken care of here.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

import yaml

from calibration.format import CalibrationError

_OPENCV_MATRIX: Final = "tag:yaml.org,2002:opencv-matrix"


class _Loader(yaml.SafeLoader):
    """Safe, and knows OpenCV's matrix for the mapping that it is."""


def _matrix(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(_OPENCV_MATRIX, _matrix)


def parse_yaml(text: str, name: str) -> Mapping[str, Any]:
    """The mapping that a YAML text holds.

    Raises:
        CalibrationError: It is no YAML, or no mapping.
    """
    lines = text.splitlines()
    if lines and lines[0].startswith("%YAML:"):
        text = "\n".join(lines[1:])
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - derived from SafeLoader
    except yaml.YAMLError as err:
        mark = getattr(err, "problem_mark", None)
        where = f"line {mark.line + 1} " if mark is not None else ""
        raise CalibrationError(f"{name}: {where}is not YAML") from err
    if not isinstance(document, Mapping):
        raise CalibrationError(f"{name}: holds no fields; is it a calibration?")
    return document


def field(document: Mapping[str, Any], key: str, name: str) -> Any:  # noqa: ANN401 - as parsed
    """A field that must be there.

    Raises:
        CalibrationError: It is not.
    """
    if key not in document:
        raise CalibrationError(f"{name}: {key} is missing")
    return document[key]


def numbers(values: object, count: int, what: str) -> tuple[float, ...]:
    """A list of exactly so many numbers.

    Raises:
        CalibrationError: It is something else.
    """
    flat: list[object] = []
    for each in values if isinstance(values, Sequence) and not isinstance(values, str) else [None]:
        flat.extend(each if isinstance(each, Sequence) and not isinstance(each, str) else [each])
    try:
        found = tuple(float(each) for each in flat)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        found = ()
    if len(found) != count:
        raise CalibrationError(f"{what} must be {count} numbers")
    return found


def distortion(values: object, what: str) -> tuple[float, float, float, float, float]:
    """Four or five distortion terms, in OpenCV's order, as five.

    Raises:
        CalibrationError: They are more: a model that shops do not have.
    """
    count = len(values) if isinstance(values, Sequence) and not isinstance(values, str) else 0
    if count == 1 and isinstance(values, Sequence):  # a row of a matrix
        return distortion(values[0], what)
    terms = numbers(values, count, what) if count else ()
    if len(terms) > 5 and any(terms[5:]):
        raise CalibrationError(
            f"{what}: {len(terms)} terms are a rational or thin prism model; calibrate with k1, "
            "k2, p1, p2, k3 only"
        )
    if len(terms) < 4:
        raise CalibrationError(f"{what} must be k1, k2, p1, p2 and perhaps k3")
    k1, k2, p1, p2 = terms[:4]
    return (k1, k2, p1, p2, terms[4] if len(terms) > 4 else 0.0)
