"""A figure that a calculation rests on: its value, its unit, and who says so.

Owns how a figure of ``assumptions`` is declared and told about. Which figures there are is declared
there; what is made of them is ``model``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["measured", "published", "assumption"]
MOST = 1e12


@dataclass(frozen=True)
class Figure:
    """One figure, as it stands in a calculation.

    Attributes:
        path: ``section.name``.
        value: What is reckoned with.
        default: What is reckoned with where nobody says otherwise.
        unit: Of all values; money is in the currency of the assumptions.
        low: Low end of what is likely, for the default.
        high: High end of it.
        least: Below this it makes no sense.
        most: Above this it makes no sense.
        whole: Whether it counts things.
        kind: ``measured`` by this system, ``published`` by others, or an ``assumption``.
        source: Who says so.
        as_of: Month or day of the source, ISO 8601; empty for assumptions.
    """

    path: str
    value: float
    default: float
    unit: str
    low: float
    high: float
    least: float
    most: float
    whole: bool
    kind: Kind
    source: str
    as_of: str

    @property
    def is_edited(self) -> bool:
        """Whether somebody says otherwise."""
        return self.value != self.default

    def likely(self) -> tuple[float, float]:
        """What is likely around the value: as far as it is around the default, in proportion."""
        scale = self.value / self.default if self.default else 1.0
        ends = (max(self.least, self.low * scale), min(self.most, self.high * scale))
        return (min(ends[0], self.value), max(ends[1], self.value))


class Section(BaseModel):
    """Figures of one kind; every field is a number declared by a function of this module."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def figures(self, section: str) -> tuple[Figure, ...]:
        """The section's figures, in the order of their declaration."""
        found = []
        for name, field in type(self).model_fields.items():
            told: Any = field.json_schema_extra
            whole = field.annotation is int
            value, default = float(getattr(self, name)), float(field.default)
            found.append(Figure(f"{section}.{name}", value, default, whole=whole, **told))
        return tuple(found)


def measured(
    default: float, unit: str, likely: tuple[float, float], source: str, as_of: str, **limits: float
) -> Any:  # noqa: ANN401 - what a pydantic field is declared by
    """A figure that this system measured of itself."""
    return _figure(default, unit, likely, "measured", source, as_of, **limits)


def published(
    default: float, unit: str, likely: tuple[float, float], source: str, as_of: str, **limits: float
) -> Any:  # noqa: ANN401 - what a pydantic field is declared by
    """A figure that others published."""
    return _figure(default, unit, likely, "published", source, as_of, **limits)


def assumed(
    default: float,
    unit: str,
    likely: tuple[float, float],
    source: str = "assumption",
    **limits: float,
) -> Any:  # noqa: ANN401 - what a pydantic field is declared by
    """A figure that nobody has measured; ``source`` says what it leans on, if anything."""
    return _figure(default, unit, likely, "assumption", source, "", **limits)


def _figure(
    default: float,
    unit: str,
    likely: tuple[float, float],
    kind: Kind,
    source: str,
    as_of: str,
    least: float = 0.0,
    most: float | None = None,
) -> Any:  # noqa: ANN401 - what a pydantic field is declared by
    highest = most if most is not None else 1.0 if unit == "share" else MOST
    told = {
        "unit": unit,
        "low": likely[0],
        "high": likely[1],
        "least": least,
        "most": highest,
        "kind": kind,
        "source": source,
        "as_of": as_of,
    }
    return Field(default, ge=least, le=highest, json_schema_extra=told)  # type: ignore[arg-type]
