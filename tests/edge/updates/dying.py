"""A device's process that dies by SIGKILL at its nth call that changes the disk; and one that
lets itself be killed.

Nothing in the product knows of this: the functions of ``os`` that change names or bring files to
the disk are wrapped, in a process of its own.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edge.cameras.clock import SystemClock
from edge.updates.trial import TrialRequest, run_trial
from models.bundle import open_bundle
from models.delivery import State
from tests.edge.updates.devices import Device

_CHANGING = ("replace", "rename", "fsync", "link", "unlink", "mkdir", "rmdir")


@dataclass(frozen=True)
class Death:
    """When to die.

    Attributes:
        at_call: Number of the call, counted from 1; 0 counts calls and lives.
        moment: Just before it, or just after.
    """

    at_call: int
    moment: Literal["before", "after"]


@dataclass(frozen=True)
class Life:
    """What a process does.

    Attributes:
        folder: Of the device.
        repository: Where it updates from.
        root: The root that it trusts.
        configured: Folder of the configured bundle.
        release: It ends when this one has been watched.
        death: When it dies.
    """

    folder: Path
    repository: str
    root: bytes
    configured: Path
    release: int
    death: Death


def live(life: Life) -> int:
    """Update a device; how many calls changed the disk."""
    device = Device(
        life.folder,
        life.repository,
        life.root,
        [open_bundle(life.configured)],
        ballast_bytes=10_000,
    )
    calls = wrapped(life.death)
    with device:
        device.update_to(life.release)
    return calls()


def live_slowly(life: Life) -> None:
    """Update a device in real time, lingering in every state of a trial."""

    def try_slowly(
        request: TrialRequest, tell: Callable[[State, str], None], permit: Callable[[], None]
    ) -> str:
        def slowly(state: State, reason: str) -> None:
            tell(state, reason)
            time.sleep(0.3)

        return run_trial(request, slowly)

    with Device(
        life.folder,
        life.repository,
        life.root,
        [open_bundle(life.configured)],
        clock=SystemClock(),
        trial=try_slowly,
        bytes_per_s=100_000,
        watch={"watch_s": 1.0, "starts_at_most": 10},
    ) as device:
        while device.release != life.release or device.progress.state != "done":
            time.sleep(min(0.02, device.agent.step()))


def wrapped(death: Death) -> Callable[[], int]:
    """Wrap the calls of this process; what is returned says how many there were so far."""
    count = 0

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- whatever it takes
            nonlocal count
            count += 1
            number = count
            if (number, "before") == (death.at_call, death.moment):
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                return function(*args, **kwargs)
            finally:  # a call that fails is one as well
                if (number, "after") == (death.at_call, death.moment):
                    os.kill(os.getpid(), signal.SIGKILL)

        return call

    for name in _CHANGING:
        setattr(os, name, wrap(getattr(os, name)))
    return lambda: count
