"""What systemd is told, on a real socket: ready, alive, and the end."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from edge.supervision import Supervision
from edge.workers import WorkerState, WorkerStatus


class Listener:
    """A supervisor's end of the socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def close(self) -> None:
        self._socket.close()

    def heard(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return found


class Turned:
    def __init__(self) -> None:
        self.at_s = 100.0

    def __call__(self) -> float:
        return self.at_s


def workers(*statuses: WorkerStatus) -> list[WorkerState]:
    return [WorkerState(f"w{number}", each, "", 0) for number, each in enumerate(statuses)]


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    with closing(Listener(tmp_path / "notify")) as opened:
        yield opened


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "30000000", "PATH": "/bin"}


def test_ready_once_all_workers_have_begun(listener: Listener, environment: dict[str, str]) -> None:
    with Supervision(environment, Turned()) as supervision:
        supervision.look(workers("working", "starting"))
        assert "READY=1" not in listener.heard()
        supervision.look(workers("working", "working"))
        supervision.look(workers("working", "working"))
        assert listener.heard().count("READY=1") == 1
    assert listener.heard() == ["STOPPING=1"]


def test_alive_three_times_within_the_watchdog_and_not_more(
    listener: Listener, environment: dict[str, str]
) -> None:
    clock = Turned()
    with Supervision(environment, clock) as supervision:
        for _ in range(301):
            supervision.look(workers("working"))
            clock.at_s += 0.2
    assert 5 <= listener.heard().count("WATCHDOG=1") <= 7  # in 60 s, 10 s apart


@pytest.mark.parametrize("status", ["stuck", "given_up"])
def test_a_worker_that_is_lost_ends_the_signs_of_life(
    listener: Listener, environment: dict[str, str], status: WorkerStatus
) -> None:
    clock = Turned()
    with Supervision(environment, clock) as supervision:
        supervision.look(workers("working", "working"))
        listener.heard()
        for _ in range(10):
            clock.at_s += 15.0
            supervision.look(workers("working", status))
        assert listener.heard() == []


def test_children_do_not_speak_for_it(listener: Listener, environment: dict[str, str]) -> None:
    Supervision(environment, Turned())
    assert environment == {"PATH": "/bin"}


def test_a_watchdog_that_is_anothers_is_not_fed(
    listener: Listener, environment: dict[str, str]
) -> None:
    environment["WATCHDOG_PID"] = str(os.getpid() + 1)
    with Supervision(environment, Turned()) as supervision:
        supervision.look(workers("working"))
    assert listener.heard() == ["READY=1", "STOPPING=1"]


def test_without_a_supervisor_nobody_is_told(listener: Listener) -> None:
    with Supervision({}, Turned()) as supervision:
        supervision.look(workers("working"))
    assert listener.heard() == []


def test_a_supervisor_that_is_gone_ends_nothing_and_is_told_again_when_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    address = tmp_path / "nobody"
    with ExitStack() as back:
        with Supervision({"NOTIFY_SOCKET": str(address)}, Turned()) as supervision:
            supervision.look(workers("working"))
            assert "cannot be told" in caplog.text
            listener = back.enter_context(closing(Listener(address)))
        assert listener.heard() == ["STOPPING=1"]


def test_what_it_is_doing_is_told_now_and_then(
    listener: Listener, environment: dict[str, str]
) -> None:
    clock = Turned()
    with Supervision(environment, clock) as supervision:
        told = []
        for number in range(100):
            supervision.look(workers("working"), f"{number} baskets")
            clock.at_s += 1.0
            told += [each for each in listener.heard() if each.startswith("STATUS=")]
    assert 9 <= len(told) <= 11


def test_a_supervisor_that_does_not_listen_holds_nothing_up(
    listener: Listener, environment: dict[str, str]
) -> None:
    clock = Turned()
    with Supervision(environment, clock) as supervision:
        for _ in range(2000):  # more than any socket's queue takes
            supervision.look(workers("working"))
            clock.at_s += 15.0
    assert listener.heard()
