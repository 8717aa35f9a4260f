"""How a command ends: errors are one line on stderr and exit code 2, never a traceback."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

import typer

from edge.errors import WalkoutEdgeError
from models.bundle import BundleError
from models.packtext import PackTextError
from web.errors import WebError

PROGRAM = "walkout-edge"
FAILED = 2

_Arguments = ParamSpec("_Arguments")
_Returned = TypeVar("_Returned")


def complain(message: str) -> None:
    """Print one line on stderr in the program's name."""
    sys.stderr.write(f"{PROGRAM}: {' '.join(message.split())}\n")


def fail(message: str) -> NoReturn:
    """Print one line on stderr and end the command."""
    complain(message)
    raise typer.Exit(FAILED)


def plain_errors(
    command: Callable[_Arguments, _Returned],
) -> Callable[_Arguments, _Returned]:
    """Turn the errors that a command may run into into one line and exit code 2."""

    @functools.wraps(command)
    def wrapped(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Returned:
        try:
            return command(*args, **kwargs)
        except (WalkoutEdgeError, WebError, BundleError, PackTextError) as err:
            fail(str(err))
        except OSError as err:
            fail(f"{err.filename or 'the system'}: {err.strerror or err}")

    return wrapped
