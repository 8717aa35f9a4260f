"""``walkout-edge doctor``: what this device has, what it would use and why, what to install."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import cv2
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge.cameras.clock import SystemClock
from edge.cameras.pipelines import PACKAGE_OF_ELEMENT
from edge.cameras.settings import CameraSettings, open_camera
from edge.cli.errors import plain_errors
from edge.cli.support_bundle import write_support_bundle
from edge.config import StoreConfig
from edge.config_file import load_config
from edge.errors import CameraError, RuntimeUnavailableError
from edge.runtime.choice import choose_backend
from edge.runtime.machine import Machine
from edge.runtime.opening import this_machine
from edge.runtime.settings import RuntimeSettings

Verdict = Literal["good", "note", "look"]

_PLAIN_WIDTH: Final = 160
_STYLE: Final[dict[Verdict, str]] = {"good": "green", "note": "dim", "look": "yellow"}
_FOUND_WRONG: Final = 1
_TOOL_TIMEOUT_S: Final = 20.0
# Elements that decoding needs, and whether it is a Jetson that has them.
_ELEMENTS: Final = (
    ("h264parse", False),
    ("avdec_h264", False),
    ("avdec_h265", False),
    ("rtspsrc", False),
    ("nvv4l2decoder", True),
    ("nvvidconv", True),
)


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        topic: What it is about.
        name: Of the thing.
        verdict: ``good``, ``note`` for what is missing and need not be there, ``look`` for what
            somebody should look at.
        words: What was found, and what to do.
    """

    topic: str
    name: str
    verdict: Verdict
    words: str


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("doctor")(doctor)


@plain_errors
def doctor(
    store: Annotated[
        Path | None,
        typer.Argument(metavar="STORE.YAML", help="Also try the cameras of this shop."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT.tar.gz",
            help="Pack for whoever is to help: configuration without secrets, health, metrics, "
            "versions, logs; no picture.",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the ledger instead of the file's."),
    ] = None,
    log: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A file of the log, for --bundle; the journal is asked."),
    ] = None,
) -> None:
    """Look at this device: GPU, software, decoders, cameras; say what is used and what is missing.

    Ends with 1 where something needs to be looked at.
    """
    machine = this_machine()
    settings = RuntimeSettings()
    cameras: list[Finding] = []
    shop: tuple[Path, StoreConfig, Path] | None = None
    if store is not None:
        folder = store if store.is_dir() else store.parent
        config = load_config(store)
        settings = config.runtime
        shop = folder, config, state or folder / config.state
        cameras = [of_camera(name, each, folder) for name, each in sorted(config.cameras.items())]
    findings = [
        *of_machine(machine),
        *of_runtime(machine, settings),
        *of_decoders(machine),
        *cameras,
    ]
    if bundle is not None:
        names = write_support_bundle(
            bundle, _document(machine, settings, findings), shop, log or []
        )
        typer.echo(f"{bundle}: {', '.join(names)}", err=True)
    if as_json:
        typer.echo(json.dumps(_document(machine, settings, findings), indent=2))
    else:
        _print(findings)
    if any(finding.verdict == "look" for finding in findings):
        raise typer.Exit(_FOUND_WRONG)


def of_machine(machine: Machine) -> list[Finding]:
    """Board, processor and GPU."""
    topic = "machine"
    found = [
        Finding(
            topic,
            "processor",
            "good",
            f"{machine.processor}, {machine.cores} cores, {machine.architecture}",
        )
    ]
    jetson = machine.jetson
    if jetson is not None:
        mode = jetson.power_mode if jetson.power_mode is not None else "unknown"
        old = jetson.jetpack.startswith(("5", "older"))
        words = (
            f"{jetson.board}, JetPack {jetson.jetpack} (Jetson Linux {jetson.l4t}), power mode "
            f"{mode}"
        )
        advice = "; JetPack 6 is the oldest that Walkout runs on: flash it anew" if old else ""
        found.append(Finding(topic, "Jetson", "look" if old else "good", words + advice))
    if machine.driver is None:
        # A Jetson without its GPU is broken, another machine may well have none.
        verdict: Verdict = "look" if jetson is not None else "note"
        found.append(Finding(topic, "GPU", verdict, machine.driver_trouble))
    else:
        for gpu in machine.driver.gpus:
            words = (
                f"{gpu.name} ({gpu.architecture}), {gpu.memory_mib} MiB"
                f"{' shared with the CPU' if gpu.integrated else ''}, driver for CUDA "
                f"{'.'.join(map(str, machine.driver.cuda_version))}"
            )
            found.append(Finding(topic, f"GPU {gpu.index}", "good", words))
    return found


def of_runtime(machine: Machine, settings: RuntimeSettings) -> list[Finding]:
    """What runs the networks, why, and what would run them faster."""
    providers = ", ".join(
        each.removesuffix("ExecutionProvider") for each in machine.onnxruntime_providers
    )
    found = [
        Finding("inference", "onnxruntime", "good", f"{machine.onnxruntime}, runs on {providers}"),
        *(
            Finding("inference", name, "good", version)
            for name, version in sorted(machine.versions.items())
        ),
    ]
    try:
        choice = choose_backend(machine, settings)
    except RuntimeUnavailableError as err:
        return [*found, Finding("inference", "in use", "look", str(err))]
    found.append(
        Finding(
            "inference",
            "in use",
            "look" if choice.warnings else "good",
            f"{choice.backend}: {choice.why}",
        )
    )
    # Without a GPU, why the GPU's backends are not taken has been said once already.
    found += [
        Finding("inference", each.backend, "look" if choice.warnings else "note", each.reason)
        for each in choice.passed_over
        if each.reason != machine.driver_trouble
    ]
    return found


def of_decoders(machine: Machine) -> list[Finding]:
    """What pictures of cameras can be had with."""
    ffmpeg = re.search(r"FFMPEG:\s+(\w+)", cv2.getBuildInformation())
    has_ffmpeg = ffmpeg is not None and ffmpeg[1] == "YES"
    words = "FFmpeg inside: files, RTSP" if has_ffmpeg else "without FFmpeg: pip install it anew"
    found = [
        Finding(
            "decoders",
            "OpenCV",
            "good" if has_ffmpeg else "look",
            f"{cv2.__version__}, {words}",
        )
    ]
    if shutil.which("gst-inspect-1.0") is None:
        verdict: Verdict = "look" if machine.jetson is not None else "note"
        words = (
            "not installed, so cameras of kind gstreamer cannot be used: "
            "apt install gstreamer1.0-tools gstreamer1.0-plugins-good gstreamer1.0-plugins-bad "
            "gstreamer1.0-libav"
        )
        return [*found, Finding("decoders", "GStreamer", verdict, words)]
    for element, of_jetson in _ELEMENTS:
        if of_jetson and machine.jetson is None:
            continue
        if _has_element(element):
            found.append(Finding("decoders", element, "good", "there"))
        else:
            words = f"missing: install {PACKAGE_OF_ELEMENT[element]}"
            found.append(Finding("decoders", element, "look" if of_jetson else "note", words))
    return found


def of_camera(name: str, settings: CameraSettings, folder: Path) -> Finding:
    """Whether a camera gives a picture, and how soon.

    Args:
        name: Of the camera.
        settings: What the configuration says.
        folder: What its paths are relative to.
    """
    began_s = time.monotonic()
    try:
        source = open_camera(name, settings, SystemClock(), folder=folder)
        source.open()
        try:
            frame = source.read()
        finally:
            source.close()
    except CameraError as err:
        return Finding("cameras", name, "look", str(err))
    height, width = frame.image.shape[:2]
    took_s = time.monotonic() - began_s
    words = f"{settings.kind}, {width} x {height}, first picture after {took_s:.1f} s"
    return Finding("cameras", name, "good", words)


def _has_element(element: str) -> bool:
    try:
        asked = subprocess.run(
            ["gst-inspect-1.0", "--exists", element],
            capture_output=True,
            timeout=_TOOL_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return asked.returncode == 0


def _document(
    machine: Machine, settings: RuntimeSettings, findings: Sequence[Finding]
) -> dict[str, Any]:
    try:
        choice: dict[str, Any] | None = asdict(choose_backend(machine, settings))
    except RuntimeUnavailableError:
        choice = None
    return {
        "machine": asdict(machine),
        "choice": choice,
        "findings": [asdict(finding) for finding in findings],
        "look": sum(finding.verdict == "look" for finding in findings),
    }


def _print(findings: Sequence[Finding]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    topic = ""
    for finding in findings:
        shown = "" if finding.topic == topic else finding.topic
        topic = finding.topic
        table.add_row(
            Text(shown, style="bold"),
            Text(finding.verdict, style=_STYLE[finding.verdict]),
            Text(finding.name),
            Text(finding.words),
        )
    console.print(table)
