"""Progress bars of commands: on stderr, and only where a person sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)


@contextmanager
def photo_progress(task: str, photos: int) -> Iterator[Callable[[], None]]:
    """Show a bar while the block runs.

    Args:
        task: What is being done.
        photos: How many photos there are.

    Yields:
        A function to call after each photo.
    """
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        bar = progress.add_task(task, total=photos)
        yield lambda: progress.advance(bar)


@contextmanager
def upload_progress(task: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar of bytes while the block runs.

    Args:
        task: What is being sent.

    Yields:
        A function to call with the bytes sent so far and the bytes to send.
    """
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        bar = progress.add_task(task, total=None)
        yield lambda sent, total: progress.update(bar, completed=sent, total=total)
