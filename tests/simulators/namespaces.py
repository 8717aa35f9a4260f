"""A shop's network: every device in a network namespace of its own, a switch between them.

Owns the cables. Nothing of it is seen by the machine's own network, and nothing leaves it: the
switch is a bridge in a namespace without any other link. It needs root.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from types import TracebackType
from typing import Final

_PATH: Final = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_BRIDGE: Final = "switch"
_NET: Final = "10.77.0"


class Network:
    """Devices on one switch; a context manager that takes all of it away again.

    Args:
        devices: Their names, at most twenty.
    """

    def __init__(self, devices: tuple[str, ...]) -> None:
        self._tag = f"wk{os.getpid()}"
        self._devices = {name: number for number, name in enumerate(devices, start=2)}
        # Where the broker listens, beside the switch.
        self.broker = f"{_NET}.1"

    def __enter__(self) -> Network:
        try:
            self._build()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for name in (*self._devices, _BRIDGE):
            with contextlib.suppress(RuntimeError):
                _ip("netns", "del", self._space(name))

    def within(self, device: str) -> tuple[str, ...]:
        """What a command begins with to run on a device, or on the ``switch``."""
        return (_program(), "netns", "exec", self._space(device))

    def pull(self, device: str) -> None:
        """Pull a device's cable out of the switch."""
        self._switch("link", "set", self._port(device), "down")

    def plug(self, device: str) -> None:
        """Put it back."""
        self._switch("link", "set", self._port(device), "up")

    def _build(self) -> None:
        _ip("netns", "add", self._space(_BRIDGE))
        self._switch("link", "add", _BRIDGE, "type", "bridge")
        self._switch("addr", "add", f"{self.broker}/24", "dev", _BRIDGE)
        for link in ("lo", _BRIDGE):
            self._switch("link", "set", link, "up")
        for name, number in self._devices.items():
            space = self._space(name)
            _ip("netns", "add", space)
            self._switch(
                "link", "add", self._port(name), "type", "veth", "peer", "eth0", "netns", space
            )
            self._switch("link", "set", self._port(name), "master", _BRIDGE, "up")
            _ip("-n", space, "addr", "add", f"{_NET}.{number}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                _ip("-n", space, "link", "set", link, "up")

    def _switch(self, *words: str) -> None:
        _ip("-n", self._space(_BRIDGE), *words)

    def _space(self, name: str) -> str:
        return f"{self._tag}-{name}"

    def _port(self, name: str) -> str:
        return f"port{self._devices[name]}"


def networks_are_permitted() -> bool:
    """Whether namespaces can be made here."""
    try:
        with Network(("one",)):
            return True
    except (RuntimeError, OSError):
        return False


def _program() -> str:
    found = shutil.which("ip", path=_PATH)
    if found is None:
        raise RuntimeError("no ip: apt-get install iproute2")
    return found


def _ip(*words: str) -> None:
    done = subprocess.run([_program(), *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
