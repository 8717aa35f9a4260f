"""The portal at work: its pages, and beside them the process that works.

Owns starting, watching and ending both. The working process is started again when it ends, later
and later; pages go on meanwhile and say so where it matters: what the pipeline last did has a time.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.portal.assembly import PortalServer

_LOGGER: Final = logging.getLogger(__name__)
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_WELL_AFTER_S: Final = 60.0
_ENDS_WITHIN_S: Final = 30.0
_FORGETS_EVERY_S: Final = 3600.0
_LOOKS_EVERY_S: Final = 120.0


class Standing:
    """What tells the server when to end."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop

    def beat(self) -> None:
        """Nobody watches a portal but whatever started it."""


class Working:
    """The process that works, kept at it.

    Args:
        portal: The portal's file or folder.
        stop: Set when it should end.
        command: What is run; the pipeline's process when left out.
    """

    def __init__(
        self, portal: Path, stop: threading.Event, command: tuple[str, ...] | None = None
    ) -> None:
        self._stop = stop
        self._command = command or (
            sys.executable,
            "-m",
            "cloud_trainer.portal.working",
            str(portal),
            "--under",
            str(os.getpid()),
        )

    def run(self) -> None:
        """Start it, and start it again; the body of a thread."""
        pause_s = _FIRST_PAUSE_S
        while not self._stop.is_set():
            began_s = time.monotonic()
            process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)
            try:
                while process.poll() is None and not self._stop.wait(0.2):
                    pass
            finally:
                _end(process)
            if self._stop.is_set():
                return
            if time.monotonic() - began_s > _WELL_AFTER_S:
                pause_s = _FIRST_PAUSE_S
            _LOGGER.error(
                "the process that works ended (%s); it is started again in %.0f s",
                process.returncode,
                pause_s,
            )
            self._stop.wait(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)


def serve(
    server: PortalServer, portal: Path, stop: threading.Event, say: Callable[[str], None]
) -> None:
    """Serve until told to stop.

    Args:
        server: The portal, opened.
        portal: Its file or folder, for the process that works.
        stop: Set when it should end.
        say: Prints a line.
    """
    for line in server.welcome():
        say(line)
    threads = [
        threading.Thread(target=_forget, args=(server, stop), name="retention"),
        threading.Thread(target=_look_anew, args=(server, stop), name="looks"),
    ]
    if server.works:
        threads.append(threading.Thread(target=Working(portal, stop).run, name="working"))
    for each in threads:
        each.start()
    try:
        server.run(Standing(stop))
    finally:
        stop.set()
        for each in threads:
            each.join()


def _forget(server: PortalServer, stop: threading.Event) -> None:
    """Forget what was kept for long enough, from time to time; the body of a thread."""
    while True:
        try:
            while server.portal.forget_old():
                pass
        except WalkoutTrainerError as err:
            _LOGGER.warning("what is old is forgotten later: %s", err)
        except Exception:
            _LOGGER.exception("what is old is forgotten later")
        if stop.wait(_FORGETS_EVERY_S):
            return


def _look_anew(server: PortalServer, stop: threading.Event) -> None:
    """Look at photos anew once another network serves; the body of a thread."""
    while not stop.wait(_LOOKS_EVERY_S):
        try:
            while not stop.is_set() and server.portal.refresh_looks():
                pass
        except WalkoutTrainerError as err:
            _LOGGER.warning("photos are looked at later: %s", err)
        except Exception:
            _LOGGER.exception("photos are looked at later")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            # Whatever it was at is gone on with by the next one.
            process.kill()
            process.wait()
