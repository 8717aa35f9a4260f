"""What the device tells whoever started it: that it is ready, that it lives, that it ends.

Speaks systemd's notification protocol (``man sd_notify``): one datagram a message, on the socket
that the environment names; to nobody where it names none. A container's runtime may pass the same
socket on. Owns when something is said and nothing of what it means.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, MutableMapping, Sequence
from types import TracebackType
from typing import Final

from edge.workers import WorkerState

_LOGGER: Final = logging.getLogger(__name__)
_SOCKET: Final = "NOTIFY_SOCKET"
_WATCHDOG: Final = ("WATCHDOG_USEC", "WATCHDOG_PID")
# systemd's own advice: at half of the time or more often.
_PINGS_A_TIME: Final = 3.0
_STATUS_APART_S: Final = 10.0
_BEGUN: Final = ("working", "ended")


class Supervision:
    """Tells a supervisor how the process is; a context manager that says good-bye.

    Args:
        environment: Where the supervisor has left its address. It is taken out, so that children of
            this process do not speak for it.
        monotonic_s: A clock that never jumps.
        pid: Of this process.
    """

    def __init__(
        self,
        environment: MutableMapping[str, str],
        monotonic_s: Callable[[], float],
        pid: int | None = None,
    ) -> None:
        self._monotonic_s = monotonic_s
        self._address = environment.pop(_SOCKET, "")
        usec, meant = (environment.pop(name, "") for name in _WATCHDOG)
        mine = meant in ("", str(os.getpid() if pid is None else pid))
        self._pings_every_s = (
            int(usec) / 1e6 / _PINGS_A_TIME if usec.isdigit() and int(usec) and mine else None
        )
        self._pinged_at_s = self._told_at_s = float("-inf")
        self._is_ready = False
        self._status = ""

    def __enter__(self) -> Supervision:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._say("STOPPING=1")

    def look(self, workers: Sequence[WorkerState], status: str = "") -> None:
        """Say what there is to say of the workers; to be called several times a second.

        Ready once all of them have begun; alive as long as none is stuck or given up. So a device
        whose worker hangs is started anew even where its own end does not come about.

        Args:
            workers: How they are now.
            status: How the device is, for people.
        """
        now_s = self._monotonic_s()
        if not self._is_ready and all(each.status in _BEGUN for each in workers):
            self._is_ready = True
            self._say("READY=1")
        sick = any(each.status in ("stuck", "given_up") for each in workers)
        due = self._pings_every_s is not None and (now_s - self._pinged_at_s >= self._pings_every_s)
        if due and not sick:
            self._pinged_at_s = now_s
            self._say("WATCHDOG=1")
        if status != self._status and now_s - self._told_at_s >= _STATUS_APART_S:
            self._status, self._told_at_s = status, now_s
            self._say(f"STATUS={status}")

    def _say(self, words: str) -> None:
        if not self._address:
            return
        # An abstract socket's name begins with a zero byte, which is written as @.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                # A supervisor that does not listen must not hold the shop up.
                line.sendto(words.encode(), socket.MSG_DONTWAIT, address)
        except OSError as err:
            _LOGGER.warning("the supervisor at %s cannot be told: %s", self._address, err)
