"""``walkout-edge recognise``: photos, folders and videos in, products out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from edge.annotate import WORDS, annotate_result, annotate_video
from edge.cli.errors import complain, plain_errors
from edge.errors import NothingRecognisedError
from edge.matching.recogniser import Recogniser
from edge.recognise import Result, Sampling, recognise_sources
from edge.runtime.opening import open_embedders
from edge.runtime.settings import RuntimeSettings
from edge.sources import SetAside, Source, find_sources
from models.bundle import Bundle, open_bundle
from models.packtext import PackTextReader

_STYLE = {"accept": "green", "review": "yellow", "reject": "red"}
_PLAIN_WIDTH = 160


class PrecisionName(str, Enum):
    """What can be asked for with ``--precision``."""

    AUTO = "auto"
    FP32 = "fp32"
    INT8 = "int8"


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("recognise")(recognise)


@plain_errors
def recognise(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PHOTO|FOLDER|VIDEO...", help="What to look at.")
    ],
    bundle: Annotated[
        list[Path],
        typer.Option(metavar="DIR", help="Bundle to recognise with; repeat for more categories."),
    ],
    pool: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Photos of a folder, or sampled frames, that make one decision. "
            "[default: each photo by itself, each video as a whole]",
        ),
    ] = None,
    every: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Look at every so many frames of a video. "
            "[default: 24 frames of a whole video, 3 a second in windows]",
        ),
    ] = None,
    whole_picture: Annotated[
        bool, typer.Option("--whole-picture", help="Look at all of a picture, not its centre.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    annotate: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Folder for annotated pictures and videos.")
    ] = None,
    precision: Annotated[PrecisionName, typer.Option(help="Network to run.")] = PrecisionName.AUTO,
    pack_text: Annotated[
        bool,
        typer.Option(
            "--pack-text", help="Read the words on packs to settle reviews (extra 'packtext')."
        ),
    ] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the network. [default: every core]")
    ] = None,
) -> None:
    """Recognise products in photos, folders of photos, and videos."""
    bundles = [open_bundle(path) for path in bundle]
    settings = RuntimeSettings.for_a_person(precision=precision.value)
    embedders = open_embedders(bundles, settings, threads)
    recogniser = Recogniser(bundles, embedders, PackTextReader() if pack_text else None)
    sources, aside = find_sources(paths)
    sampling = Sampling(pool=pool, every=every, whole_picture=whole_picture)
    results: list[Result] = []
    for outcome in _followed(recognise_sources(recogniser, sources, sampling), sources):
        if isinstance(outcome, Result):
            results.append(outcome)
        else:
            aside = (*aside, outcome)
    for each in aside:
        complain(f"set aside {each.path}: {each.reason}")
    if annotate is not None:
        _annotate_all(results, annotate, bundles)
    if as_json:
        typer.echo(json.dumps(_document(recogniser, results, aside), indent=2, ensure_ascii=False))
    elif results:
        _print_table(recogniser, results, aside, annotate)
    if not results:
        raise NothingRecognisedError(
            "nothing could be looked at; give at least one photo, folder of photos or video "
            "that can be read"
        )


def _followed(
    outcomes: Iterator[Result | SetAside], sources: Sequence[Source]
) -> Iterator[Result | SetAside]:
    """The same outcomes, with a bar and the time left on a terminal's stderr."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("looking at pictures"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    seen: set[Path] = set()
    with bar:
        task = bar.add_task("", total=len(sources))
        for outcome in outcomes:
            seen.update(outcome.files if isinstance(outcome, Result) else (outcome.path,))
            bar.update(task, completed=len(seen))
            yield outcome


def _annotate_all(results: Sequence[Result], out: Path, bundles: Iterable[Bundle]) -> None:
    names = {
        product.sku: product.name for bundle in bundles for product in bundle.manifest.products
    }
    clips: dict[Path, list[Result]] = {}
    for result in results:
        if result.kind == "photo":
            annotate_result(result, out, names)
        else:
            clips.setdefault(result.files[0], []).append(result)
    for windows in clips.values():
        annotate_video(windows, out, names)


def _document(
    recogniser: Recogniser, results: Sequence[Result], aside: Sequence[SetAside]
) -> dict[str, Any]:
    serving = recogniser.serving
    return {
        "bundles": [
            {
                "path": str(served.bundle.path),
                "category": served.category,
                "version": served.bundle.manifest.version,
                "space_id": served.space_id,
                "products": len(served.bundle.skus),
                "index": served.choice.kind,
                "index_reason": served.choice.reason,
                "embedder": asdict(serving.embedders[served.space_id].describe()),
            }
            for served in serving.sets
        ],
        "results": [
            {
                "kind": result.kind,
                "files": [str(file) for file in result.files],
                "frames": result.frames,
                "over": result.over,
                "elapsed_ms": round(result.elapsed_ms, 3),
                **_plain(asdict(result.recognition)),
            }
            for result in results
        ],
        "set_aside": [{"path": str(each.path), "reason": each.reason} for each in aside],
        "summary": {
            **{outcome: _outcomes(results)[outcome] for outcome in ("accept", "review", "reject")},
            "results": len(results),
            "set_aside": len(aside),
        },
    }


def _plain(recognition: dict[str, Any]) -> dict[str, Any]:
    """A recognition as JSON takes it; thresholds are the one value that is no dataclass."""
    decision = recognition["decision"]
    return {
        **recognition,
        "decision": {**decision, "thresholds": decision["thresholds"].model_dump(mode="json")},
    }


def _outcomes(results: Iterable[Result]) -> Counter[str]:
    return Counter(result.recognition.decision.outcome for result in results)


def _print_table(
    recogniser: Recogniser,
    results: Sequence[Result],
    aside: Sequence[SetAside],
    annotated: Path | None,
) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    table = Table(box=None, pad_edge=False)
    for heading in ("picture", "product", "decision", "why"):
        table.add_column(heading, overflow="fold")
    for heading in ("agree", "distance", "margin", "ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        recognition, decision = result.recognition, result.recognition.decision
        why = (
            f"{decision.reason}; {recognition.routing}" if recognition.routing else decision.reason
        )
        table.add_row(
            Text(_picture(result)),
            Text(recognition.product_name or "-"),
            Text(WORDS[decision.outcome], style=_STYLE[decision.outcome]),
            Text(why),
            f"{recognition.crops_agreed} of {recognition.crops_given}",
            f"{decision.distance:.3f}",
            f"{decision.margin:.3f}",
            f"{result.elapsed_ms:.1f}",
        )
    console.print(table)
    counted = _outcomes(results)
    shown = [f"{counted[outcome]} {words}" for outcome, words in WORDS.items() if counted[outcome]]
    mean_ms = sum(result.elapsed_ms for result in results) / len(results)
    summary = f"{len(results)} looked at: {', '.join(shown)}; {mean_ms:.1f} ms each on average"
    if aside:
        summary += f"; {len(aside)} set aside"
    if annotated is not None:
        summary += f"; annotated pictures in {annotated}"
    console.print(Text(summary), style="bold")
    clips = {result.shown_as[0]: result.over for result in results if result.kind == "video"}
    for clip, over in clips.items():
        console.print(Text(f"{clip}: consensus over {over}"), style="dim")
    for served in recogniser.serving.sets:
        network = recogniser.serving.embedders[served.space_id].describe()
        console.print(
            Text(
                f"{served.category} {served.bundle.manifest.version}: {network.backend} "
                f"{network.precision} ({network.why}); index {served.choice.reason}"
            ),
            style="dim",
        )


def _picture(result: Result) -> str:
    first = str(result.shown_as[0])
    if result.frames is not None:
        return f"{first} [{result.frames[0]}..{result.frames[1]}]"
    more = len(result.files) - 1
    return f"{first} and {more} more" if more else first
