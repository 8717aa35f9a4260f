"""``walkout-edge bench``: how fast this device is at what a shop asks of it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import models
from edge.bench.load import Demand, Sustained, density, play
from edge.bench.speed import BatchSpeed, batch_speeds
from edge.bench.video import decode_ms, film
from edge.cli.errors import complain, plain_errors
from edge.matching.recogniser import Recogniser
from edge.runtime.golden import golden_deviation
from edge.runtime.opening import open_embedder, this_machine
from edge.runtime.settings import RuntimeSettings
from models.bundle import Bundle, open_bundle

DEFAULT_BUNDLE = Path(models.__file__).parent / "pretrained" / "groceries"
_PLAIN_WIDTH = 140


class Device(str, Enum):
    """What can be asked for with ``--device``: the backends of ``runtime:``."""

    AUTO = "auto"
    CPU = "onnxruntime"
    CUDA = "onnxruntime_cuda"
    CUDA_TENSORRT = "onnxruntime_tensorrt"
    OPENVINO = "openvino"
    TENSORRT = "tensorrt"
    TENSORRT_RTX = "tensorrt_rtx"


class PrecisionName(str, Enum):
    """What can be asked for with ``--precision``."""

    AUTO = "auto"
    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"
    INT8 = "int8"


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("bench")(bench)


@plain_errors
def bench(
    bundle: Annotated[
        Path, typer.Option(metavar="DIR", help="Bundle to measure. [default: the one that ships]")
    ] = DEFAULT_BUNDLE,
    device: Annotated[Device, typer.Option(help="Backend; auto takes what a shop would.")] = (
        Device.AUTO
    ),
    precision: Annotated[PrecisionName, typer.Option(help="Of the network.")] = PrecisionName.AUTO,
    threads: Annotated[
        int, typer.Option(min=1, help="Threads of the network on a CPU, as in store.yaml.")
    ] = 1,
    video: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What cameras play. [default: MPEG-4 made for it]"),
    ] = None,
    cameras: Annotated[int, typer.Option(min=1, help="Cameras at once.")] = 4,
    crops: Annotated[int, typer.Option(min=1, help="Crops recognised of every frame.")] = 3,
    still: Annotated[
        bool,
        typer.Option(
            "--still",
            help="Crops stay at their places, as a shelf camera's; else none is like one before.",
        ),
    ] = False,
    seconds: Annotated[float, typer.Option(min=1, help="How long cameras are played.")] = 10.0,
    rounds: Annotated[int, typer.Option(min=2, help="Rounds of each comparison.")] = 30,
    find_density: Annotated[
        bool, typer.Option("--density", help="Also find how many cameras this machine carries.")
    ] = False,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where built engines are kept. [default: ~/.cache]"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Measure this device: the network alone, crop to decision, decoding, cameras kept up with."""
    opened = open_bundle(bundle)
    settings = RuntimeSettings.for_a_person(
        backend=device.value,
        precision=precision.value,
        # A benchmark that quietly measures something else is worth nothing.
        fallback=device is Device.AUTO,
        **({"cache": cache} if cache is not None else {}),
    )
    load_before = os.getloadavg()[0]
    embedder = open_embedder(
        opened,
        settings,
        threads,
        tell=lambda phase, percent: complain(f"building the engine: {percent:.0f} % ({phase})"),
    )
    with _played(video) as shown:
        frame_ms, fps = decode_ms(shown)
        speeds = batch_speeds(opened, embedder, settings.batches, rounds)
        recogniser = Recogniser([opened], [embedder], sharing=settings.sharing)
        demand = Demand(cameras, fps, crops, seconds, still)
        sustained = play(recogniser, shown, demand)
        most, tries = density(recogniser, shown, demand) if find_density else (None, ())
    document: dict[str, Any] = {
        "machine": asdict(this_machine()),
        "load": {"before": load_before, "after": os.getloadavg()[0]},
        "bundle": _bundle_figures(opened),
        "embedder": asdict(embedder.describe()),
        "golden_deviation": golden_deviation(opened, embedder),
        "decode_ms_a_frame": frame_ms,
        "batches": [asdict(each) for each in speeds],
        "sustained": _with_verdict(sustained),
        "density": {
            "cameras": most.demand.cameras if most else 0,
            "tries": [_with_verdict(each) for each in tries],
        }
        if find_density
        else None,
    }
    if as_json:
        typer.echo(json.dumps(document, indent=2))
    else:
        _print(document, speeds, (sustained, *tries))


@contextmanager
def _played(video: Path | None) -> Iterator[Path]:
    if video is not None:
        yield video
        return
    with tempfile.TemporaryDirectory(prefix="walkout-bench-") as folder:
        made = Path(folder) / "shelf.mp4"
        film(made)
        yield made


def _bundle_figures(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "category": manifest.category,
        "version": manifest.version,
        "input_size_px": manifest.preprocessing.input_size_px,
        "embedding_dim": manifest.embedding_dim,
        "products": len(manifest.products),
        "evaluation": manifest.evaluation,
        "quantisation": manifest.quantisation.model_dump(mode="json"),
    }


def _with_verdict(sustained: Sustained) -> dict[str, Any]:
    return {**asdict(sustained), "kept_up": sustained.kept_up}


def _print(
    document: dict[str, Any], speeds: Sequence[BatchSpeed], plays: Sequence[Sustained]
) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    machine, embedder = document["machine"], document["embedder"]
    jetson = machine["jetson"]
    where = f"{machine['processor']}, {machine['cores']} cores"
    if jetson:
        where = f"{jetson['board']}, JetPack {jetson['jetpack']}, power mode {jetson['power_mode']}"
    console.print(f"{where}; load {document['load']['before']:.1f}", highlight=False)
    console.print(
        f"{embedder['backend']} {embedder['precision']} on {', '.join(embedder['providers'])}: "
        f"{embedder['why']}",
        highlight=False,
    )
    console.print(_speed_table(speeds))
    console.print(
        f"decoding alone {document['decode_ms_a_frame']:.2f} ms of a core a frame; golden crops "
        f"within {document['golden_deviation']:.4f}",
        highlight=False,
    )
    console.print(_load_table(plays))
    if document["density"] is not None:
        console.print(f"this machine carries {document['density']['cameras']} cameras")


def _speed_table(speeds: Sequence[BatchSpeed]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in (
        "batch",
        "engine p50",
        "p99 ms",
        "crop to decision p50",
        "p99 ms",
        "engine crops/s",
        "crop to decision crops/s",
        "embed / engine",
    ):
        table.add_column(heading, justify="right")
    for each in speeds:
        table.add_row(
            str(each.batch),
            f"{each.engine_p50_ms:.2f}",
            f"{each.engine_p99_ms:.2f}",
            f"{each.whole_p50_ms:.2f}",
            f"{each.whole_p99_ms:.2f}",
            f"{each.engine_crops_s:.0f}",
            f"{each.whole_crops_s:.0f}",
            f"{each.whole_to_engine:.2f}",
        )
    return table


def _load_table(plays: Sequence[Sustained]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("cameras", "fps", "crops/s", "lost", "late p50", "p99 ms", "cores", "MiB", "W"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for each in plays:
        table.add_row(
            str(each.demand.cameras),
            f"{each.demand.fps:g}",
            f"{each.crops_s:.0f}",
            str(each.frames_lost),
            f"{each.late_p50_ms:.0f}",
            f"{each.late_p99_ms:.0f}",
            f"{each.cores:.2f}",
            f"{each.memory_mib:.0f}",
            "-" if each.watts is None else f"{each.watts:.1f}",
            "kept up" if each.kept_up else "did not keep up",
        )
    return table
