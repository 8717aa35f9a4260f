"""Which pictures and clips the paths on a command line stand for.

Owns finding and naming them; reading them is left to whoever looks at them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final, Literal

from models.photos import PHOTO_SUFFIXES

VIDEO_SUFFIXES: Final = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm"})


@dataclass(frozen=True)
class Source:
    """A photo or a video.

    Attributes:
        path: The file.
        kind: What it is, by its suffix.
        shown_as: Its path below the folder that was given, or its name: the place of what is
            written about it.
    """

    path: Path
    kind: Literal["photo", "video"]
    shown_as: Path


@dataclass(frozen=True)
class SetAside:
    """A path that could not be looked at.

    Attributes:
        path: The path.
        reason: Why, in words.
    """

    path: Path
    reason: str


def find_sources(paths: Iterable[Path]) -> tuple[tuple[Source, ...], tuple[SetAside, ...]]:
    """Photos and videos behind the given paths, folders searched to the bottom.

    Inside a folder other files are passed over in silence; a file given by name is set aside with
    the reason when it is neither photo nor video.

    Args:
        paths: Files and folders.

    Returns:
        What to look at, in the order given and in natural order inside a folder; what was set
        aside.
    """
    sources: list[Source] = []
    aside: list[SetAside] = []
    for path in paths:
        if path.is_dir():
            found = sorted(
                (file for file in path.rglob("*") if file.is_file() and _kind(file)),
                key=lambda file: _natural(file.relative_to(path)),
            )
            sources += [
                Source(file, kind, file.relative_to(path))
                for file in found
                if (kind := _kind(file))
            ]
            if not found:
                aside.append(SetAside(path, "the folder holds no photo and no video"))
        elif kind := _kind(path):
            if path.is_file():
                sources.append(Source(path, kind, Path(path.name)))
            else:
                aside.append(SetAside(path, "there is no such file"))
        elif path.exists():
            aside.append(
                SetAside(
                    path,
                    f"neither a photo ({_list(PHOTO_SUFFIXES)}) nor a video "
                    f"({_list(VIDEO_SUFFIXES)})",
                )
            )
        else:
            aside.append(SetAside(path, "there is no such file or folder"))
    return tuple(sources), tuple(aside)


def photo_groups(photos: Iterable[Source], pool: int) -> Iterator[tuple[Source, ...]]:
    """Consecutive photos of one folder, ``pool`` at a time; a folder's last group may be smaller.

    Args:
        photos: Photos in order.
        pool: Photos that show the same item.
    """
    for _, siblings in groupby(photos, key=lambda photo: photo.path.parent):
        folder = list(siblings)
        for at in range(0, len(folder), pool):
            yield tuple(folder[at : at + pool])


def _kind(path: Path) -> Literal["photo", "video"] | None:
    suffix = path.suffix.lower()
    if suffix in PHOTO_SUFFIXES:
        return "photo"
    return "video" if suffix in VIDEO_SUFFIXES else None


def _natural(path: Path) -> list[tuple[tuple[int, int, str], ...]]:
    """Sort key by which ``photo-2`` comes before ``photo-10``."""
    return [
        tuple(
            (0, int(piece), piece) if piece.isdecimal() else (1, 0, piece)
            for piece in re.split(r"(\d+)", part)
        )
        for part in path.parts
    ]


def _list(suffixes: Iterable[str]) -> str:
    return " ".join(sorted(suffixes))
