"""Assumptions in files: YAML or JSON in, and a YAML file to begin with out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from cloud_trainer.cost.assumptions import Assumptions
from cloud_trainer.cost.figures import Figure
from cloud_trainer.errors import WalkoutTrainerError
from models.bundle.manifest import first_complaint


def read_assumptions(path: Path) -> Assumptions:
    """Assumptions from a file; what it does not name keeps its default.

    Raises:
        WalkoutTrainerError: It cannot be read, or says something that there is not.
    """
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except OSError as err:
        raise WalkoutTrainerError(f"{path}: {err.strerror or err}; name a YAML file") from err
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        raise WalkoutTrainerError(f"{path} is no YAML file: {err}") from err
    try:
        return assumptions_of({} if document is None else document)
    except WalkoutTrainerError as err:
        raise WalkoutTrainerError(f"{path}: {err}") from err


def assumptions_of(document: Any) -> Assumptions:  # noqa: ANN401 - any JSON value
    """Assumptions from a JSON value.

    Raises:
        WalkoutTrainerError: It says something that there is not, or that makes no sense.
    """
    try:
        return Assumptions.model_validate(document)
    except ValidationError as err:
        raise WalkoutTrainerError(
            f"{first_complaint(err)}; 'walkout-trainer cost --template' lists what there is"
        ) from err


def template(assumptions: Assumptions) -> str:
    """A YAML file that says all of it, each figure with its unit, its range and its source."""
    lines = [
        "# What 'walkout-trainer cost --assumptions FILE' reckons with. Delete what you do",
        "# not change: figures that stand here are taken as they are, others may be measured.",
        f"currency: {assumptions.currency}",
    ]
    for name, section in assumptions.sections().items():
        lines.append(f"{name}:")
        for each in section.figures(name):
            lines.append(f"  # {_remark(each)}")
            lines.append(f"  {each.path.partition('.')[2]}: {each.value:.12g}")
    return "\n".join(lines) + "\n"


def _remark(figure: Figure) -> str:
    when = f", {figure.as_of}" if figure.as_of else ""
    about = (
        figure.source
        if figure.source.startswith(figure.kind)
        else f"{figure.kind}: {figure.source}"
    )
    return f"{figure.unit}, {figure.low:.6g} to {figure.high:.6g}; {about}{when}"
