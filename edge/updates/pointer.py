"""``serving.json``: which release of each category serves, as one file that is replaced whole.

It is read before anything else when the device starts, and a device that can read it sells, with
or without a network, a journal or a store. It also keeps a copy of the numbers that only grow
(floors against old releases being played again), for when the journal is lost.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.errors import UpdateError
from edge.updates.files import write_whole

POINTER_NAME: Final = "serving.json"


class Served(BaseModel):
    """What serves for a category.

    Attributes:
        release: The release; ``None`` is the bundle that the configuration names.
        previous: What to roll back to, likewise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    release: Annotated[int, Field(ge=1)] | None = None
    previous: Annotated[int, Field(ge=1)] | None = None


class Pointer(BaseModel):
    """All of ``serving.json``.

    Attributes:
        schema_version: Always 1.
        categories: What serves, by category.
        numbers: Numbers that only grow, by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    categories: dict[str, Served] = Field(default_factory=dict)
    numbers: dict[str, int] = Field(default_factory=dict)

    def served(self, category: str) -> Served:
        """What serves for a category."""
        return self.categories.get(category, Served())

    def pointing(self, category: str, served: Served) -> Pointer:
        """The same with something else for one category."""
        return self.model_copy(update={"categories": {**self.categories, category: served}})


def read_pointer(path: Path) -> Pointer:
    """What serves; nothing where no release has served yet.

    Raises:
        UpdateError: The file is there but cannot be read.
    """
    try:
        return Pointer.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Pointer()
    except (OSError, ValidationError) as err:
        raise UpdateError(f"{path} does not say any more what serves: {err}") from err


def write_pointer(path: Path, pointer: Pointer) -> None:
    """Replace what is said to serve; on the disk when this returns."""
    write_whole(path, pointer.model_dump_json(indent=1).encode())
