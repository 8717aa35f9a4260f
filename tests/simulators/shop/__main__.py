"""``python -m tests.simulators.shop``: renders a recorded shop into a folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.simulators.shop.errors import SimulatorError
from tests.simulators.shop.recording import Plan, frames_to_render, stage, write


def main(arguments: Sequence[str] | None = None) -> int:
    """Render what the command line asks for; the exit status."""
    asked = _parser().parse_args(arguments)
    try:
        staged = stage(_plan(asked))
    except SimulatorError as err:
        print(f"error: {err}", file=sys.stderr)
        return 1
    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("rendering", total=frames_to_render(staged))
        write(staged, asked.out, jobs=asked.jobs, advance=lambda done: progress.advance(task, done))
    story = staged.story
    print(
        f"{asked.out}: {story.seconds:.1f} s, {len(story.people)} people, "
        f"{len(story.interactions)} interactions, {len(staged.products)} products"
    )
    return 0


def _plan(asked: argparse.Namespace) -> Plan:
    size_px: tuple[int, int] = asked.size or ((320, 180) if asked.fast else (1280, 720))
    return Plan(
        seed=asked.seed,
        shoppers=asked.shoppers,
        seconds=asked.seconds,
        products=asked.products,
        shelf_cameras=asked.shelf_cameras,
        overhead_cameras=asked.overhead_cameras,
        size_px=size_px,
        fps=asked.fps or (5 if asked.fast else 15),
        photos=asked.photos or (3 if asked.fast else 12),
        photo_px=128 if asked.fast else 384,
        crf=asked.crf,
        meshes=tuple(asked.meshes),
        staff=asked.shoppers >= 3 if asked.staff is None else asked.staff,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulators.shop",
        description="Render a recorded shop: videos, catalogue, calibration, planogram, truth.",
    )
    parser.add_argument("--seed", type=int, required=True, help="fixes everything")
    parser.add_argument("--shoppers", type=_at_least(1), default=4, help="staff not counted")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument(
        "--meshes", type=Path, nargs="+", default=[], help="folders of OBJ files to sell"
    )
    parser.add_argument("--seconds", type=float, help="length (default: what the shoppers need)")
    parser.add_argument("--products", type=_at_least(1), default=16)
    parser.add_argument("--shelf-cameras", type=_at_least(1), default=3, help="and fixtures")
    parser.add_argument("--overhead-cameras", type=_at_least(1), default=2)
    parser.add_argument("--size", type=_size, help="of the videos (default: 1280x720)")
    parser.add_argument("--fps", type=_at_least(1), help="of the videos (default: 15)")
    parser.add_argument("--photos", type=_at_least(1), help="a product (default: 12)")
    parser.add_argument("--crf", type=int, default=28, help="x264's rate factor")
    parser.add_argument("--jobs", type=_at_least(1), default=1, help="processes")
    parser.add_argument("--fast", action="store_true", help="small and coarse, for tests")
    parser.add_argument(
        "--staff",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="somebody restocks (default: with three shoppers or more)",
    )
    return parser


def _at_least(least: int) -> type[int]:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, not {value}")
        return value

    return number  # type: ignore[return-value]


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()) or int(width) % 2 or int(height) % 2:
        raise argparse.ArgumentTypeError(f"write an even size such as 1280x720, not {text!r}")
    return int(width), int(height)


if __name__ == "__main__":
    sys.exit(main())
