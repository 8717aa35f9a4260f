"""How a slot is made of wheels, and tried before it is ever started: child processes with an end.

Owns the commands. A child is nicer than the shop, ends with its parent and within its time, and
nothing that it does ends the shop.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from edge.errors import ReleaseRefusedError, UpdateError, UpdateHeldError
from edge.software import launcher
from models.delivery import FailureKind

_LOOK_AGAIN_S: Final = 0.1
_WORDS_KEPT: Final = 600
# A child of the service is not the service: it must not speak to whoever watches that.
_NOT_HANDED_ON: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "PYTHONPATH")


class Workshop(Protocol):
    """Makes and tries slots."""

    def install(self, slot: Path, wheels: Path, permit: Callable[[], None]) -> None:
        """Fill an empty slot with all wheels of a folder.

        Raises:
            ReleaseRefusedError: They cannot be installed.
            UpdateError: It failed otherwise; it may go well another time.
        """
        ...

    def rehearse(self, slot: Path, permit: Callable[[], None]) -> str:
        """Have a slot's software open everything that a start needs; what it said.

        Raises:
            ReleaseRefusedError: It does not start here.
            UpdateError: It failed otherwise.
        """
        ...


@dataclass(frozen=True)
class ChildWorkshop:
    """A workshop of child processes.

    Attributes:
        lock: A file that each child holds: one that outlives its parent is waited for.
        rehearsal: What a slot's ``walkout-edge`` is told to rehearse with.
        system_packages: Whether a slot sees the system's packages, as TensorRT on a Jetson needs.
        timeout_s: Of each child.
        niceness: Of all of them.
        environment: Of all of them.
    """

    lock: Path
    rehearsal: tuple[str, ...]
    system_packages: bool = False
    timeout_s: float = 1800.0
    niceness: int = 10
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def install(self, slot: Path, wheels: Path, permit: Callable[[], None]) -> None:
        """Fill an empty slot with all wheels of a folder; see ``Workshop``."""
        seen = ["--system-site-packages"] if self.system_packages else []
        # Links to this interpreter, so the slot outlives the slot that makes it.
        base = getattr(sys, "_base_executable", sys.executable)
        self._run([base, "-m", "venv", "--clear", *seen, str(slot)], permit, "make a slot")
        files = [str(path) for path in sorted(wheels.glob("*.whl"))]
        python = str(slot / "bin" / "python")
        options = ["--no-index", "--no-deps", "--no-input", "--disable-pip-version-check"]
        self._run(
            [python, "-m", "pip", "install", "--quiet", "--no-cache-dir", *options, *files],
            permit,
            "install the wheels",
        )
        if not (slot / "bin" / launcher.PROGRAM).exists():
            raise ReleaseRefusedError("build", f"there is no {launcher.PROGRAM} in it")

    def rehearse(self, slot: Path, permit: Callable[[], None]) -> str:
        """Have a slot's software open everything that a start needs; see ``Workshop``."""
        program = str(slot / "bin" / launcher.PROGRAM)
        said = self._run([program, *self.rehearsal], permit, "start", "self_test")
        lines = [line for line in said.splitlines() if line.strip()]
        return lines[-1] if lines else "it says nothing"

    def _run(
        self,
        command: Sequence[str],
        permit: Callable[[], None],
        what: str,
        kind: FailureKind = "build",
    ) -> str:
        with tempfile.TemporaryFile() as said, self._alone() as held:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env={k: v for k, v in self.environment.items() if k not in _NOT_HANDED_ON},
                cwd="/",
                start_new_session=True,
                pass_fds=(held,),
            )
            try:
                os.setpriority(os.PRIO_PROCESS, child.pid, self.niceness)
                code = self._ended(child, permit, what, kind)
            finally:
                _end(child)
            said.seek(0)
            words = said.read().decode(errors="replace")
        if code == -signal.SIGKILL:
            raise UpdateError(f"the attempt to {what} was killed; memory may have run out")
        if code != 0:
            told = " ".join(words.split())[-_WORDS_KEPT:]
            raise ReleaseRefusedError(kind, f"it could not {what} (exit {code}): {told}")
        return words

    @contextlib.contextmanager
    def _alone(self) -> Iterator[int]:
        """A lock that ends with this process and all of its children, however they end."""
        held = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield held
        except BlockingIOError as err:
            raise UpdateHeldError("an earlier attempt is still coming to its end") from err
        finally:
            os.close(held)

    def _ended(
        self,
        child: subprocess.Popen[bytes],
        permit: Callable[[], None],
        what: str,
        kind: FailureKind,
    ) -> int:
        until_s = time.monotonic() + self.timeout_s
        while True:
            try:
                return child.wait(_LOOK_AGAIN_S)
            except subprocess.TimeoutExpired:
                permit()
            if time.monotonic() > until_s:
                raise ReleaseRefusedError(
                    kind, f"the attempt to {what} took longer than {self.timeout_s:.0f} s"
                )


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child with all that it began."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
