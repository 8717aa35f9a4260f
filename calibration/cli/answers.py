"""How a command answers: words or one JSON document, and errors as one line with exit code 2."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NoReturn, ParamSpec, TypeVar

import typer

from calibration.format import CalibrationError
from models.catalogue import CatalogueError

PROGRAM = "walkout-calibrate"
FAILED = 2

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

_Arguments = ParamSpec("_Arguments")
_Returned = TypeVar("_Returned")


def fail(message: str) -> NoReturn:
    """Print one line on stderr and end the command."""
    sys.stderr.write(f"{PROGRAM}: {' '.join(message.split())}\n")
    raise typer.Exit(FAILED)


def plain_errors(command: Callable[_Arguments, _Returned]) -> Callable[_Arguments, _Returned]:
    """Turn the errors that a command may run into into one line and exit code 2."""

    @functools.wraps(command)
    def wrapped(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Returned:
        try:
            return command(*args, **kwargs)
        except (CalibrationError, CatalogueError) as err:
            fail(str(err))
        except OSError as err:
            fail(f"{err.filename or 'the system'}: {err.strerror or err}")

    return wrapped


def answer(as_json: bool, document: Mapping[str, Any], lines: Sequence[str]) -> None:
    """Print a document or lines of words."""
    if as_json:
        typer.echo(json.dumps(document))
    else:
        for line in lines:
            typer.echo(line)


def number_pairs(text: str, what: str, width: int = 2) -> list[tuple[float, ...]]:
    """Numbers written as ``1,2 3,4``.

    Raises:
        CalibrationError: They are written otherwise.
    """
    try:
        found = [tuple(float(each) for each in part.split(",")) for part in text.split()]
    except ValueError:
        found = []
    if not found or any(len(each) != width for each in found):
        example = " ".join(",".join("12"[:1] * width) for _ in range(2))
        raise CalibrationError(
            f"{what}: write {width} numbers with commas, groups with spaces: '{example}'"
        )
    return found
