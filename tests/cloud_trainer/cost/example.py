"""The worked example of ``docs/cost.md``: its figures as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import yaml

from cloud_trainer.cost.assumptions import Assumptions
from cloud_trainer.cost.reading import assumptions_of

PAGE: Final = Path(__file__).resolve().parents[3] / "docs" / "cost.md"


def document() -> dict[str, Any]:
    """The figures, as a JSON value."""
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def example() -> Assumptions:
    """The figures."""
    return assumptions_of(document())
