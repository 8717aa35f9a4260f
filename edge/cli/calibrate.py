"""``walkout-edge calibrate``: set a shop's cameras up before it can be run.

Owns the process: cameras and the wizard until it is told to stop.
"""

from __future__ import annotations

import signal
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import cv2
import typer
from rich.console import Console

from calibration.format import CalibrationError
from edge.calibrating.setting_up import SettingUp
from edge.cli.errors import plain_errors
from edge.cli.logs import log_to_stderr
from edge.config import PageSettings
from edge.config_file import load_config
from edge.dashboard.assembly import Dashboard, Surroundings
from edge.dashboard.views.floor import store_card
from edge.errors import ConfigError
from edge.workers import Crew

_CHECKS_EVERY_S: Final = 0.2
_ENDS_WITHIN_S: Final = 10.0


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("calibrate")(calibrate)


@plain_errors
def calibrate(
    store: Annotated[Path, typer.Argument(metavar="STORE.YAML", help="The shop, or its folder.")],
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of the dashboard instead of the file's."),
    ] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the work instead of the file's.")
    ] = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Set up a shop's cameras with the wizard, before the shop can be run."""
    log_to_stderr(log_json)
    file = store / "store.yaml" if store.is_dir() else store
    config = load_config(file)
    kept = state or file.parent / config.state
    kept.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    try:
        device = SettingUp(config, file.parent, kept)
    except CalibrationError as err:
        raise ConfigError([str(err)]) from err
    settings = config.page or PageSettings()
    if port is not None:
        settings = settings.model_copy(update={"port": port})
    around = Surroundings(
        kept,
        file.parent,
        time.time,
        bench=device.bench,
    )
    with ExitStack() as opened:
        dashboard = Dashboard(store_card(config), settings, around)
        opened.callback(dashboard.close)
        console = Console(soft_wrap=True)
        for line in dashboard.welcome():
            console.print(line, highlight=False)
        crew = Crew([*device.workers(), dashboard.worker()], time.monotonic)
        told_to_stop = threading.Event()

        def stop(number: int, frame: FrameType | None) -> None:
            told_to_stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            opened.callback(signal.signal, number, signal.signal(number, stop))
        crew.start()
        opened.callback(crew.stop, _ENDS_WITHIN_S)
        while not told_to_stop.wait(_CHECKS_EVERY_S) and crew.failed is None:
            crew.check()
