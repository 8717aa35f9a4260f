"""Slots made by real child processes: environments, wheels, and programs that do not end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.errors import ReleaseRefusedError, UpdateError, UpdateHeldError
from edge.software.slots import Slots
from edge.software.workshop import ChildWorkshop
from tests.edge.software.slots_drawn import program
from tests.simulators.wheels import walkout_wheel


def always() -> None:
    """Go on."""


def workshop(folder: Path, timeout_s: float = 120.0) -> ChildWorkshop:
    return ChildWorkshop(folder / "lock", ("rehearse", "store.yaml"), timeout_s=timeout_s)


def test_a_slot_is_an_environment_of_its_own_with_the_release_in_it(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    walkout_wheel(
        wheels,
        "0.9.1",
        "def main():\n    import os, sys\n    print(VERSION, sys.prefix, *sys.argv[1:])",
    )
    slot = Slots(tmp_path / "software").clear(4)
    workshop(tmp_path).install(slot, wheels, always)
    said = workshop(tmp_path).rehearse(slot, always)
    assert said == f"0.9.1 {slot} rehearse store.yaml"
    assert Slots(tmp_path / "software").number_of(slot) == 4
    # An environment made by another that goes away later still runs.
    (python,) = {path.resolve() for path in (slot / "bin").glob("python3")}
    assert python == Path(getattr(sys, "_base_executable")).resolve()  # noqa: B009


def test_what_cannot_be_installed_is_refused_with_its_reason(tmp_path: Path) -> None:
    wheel = walkout_wheel(tmp_path / "wheels", "0.9.1")
    wheel.write_bytes(b"no wheel at all")
    slot = Slots(tmp_path / "software").clear(1)
    with pytest.raises(ReleaseRefusedError, match="could not install") as refused:
        workshop(tmp_path).install(slot, wheel.parent, always)
    assert refused.value.kind == "build"


@pytest.mark.parametrize("code", [1, 2, 139])
def test_one_that_does_not_start_is_refused_in_its_own_words(tmp_path: Path, code: int) -> None:
    program(tmp_path / "slot" / "bin" / "walkout-edge", "no camera shelf-1 in", code)
    with pytest.raises(ReleaseRefusedError, match="no camera shelf-1 in rehearse") as refused:
        workshop(tmp_path).rehearse(tmp_path / "slot", always)
    assert refused.value.kind == "self_test"


def _sleeper(tmp_path: Path) -> Path:
    place = program(tmp_path / "slot" / "bin" / "walkout-edge", "")
    place.write_text(f"#!/bin/sh\nsleep 300 &\necho $! > {tmp_path}/grandchild\nwait\n")
    return tmp_path / "slot"


def _has_ended(tmp_path: Path) -> bool:
    until_s = time.monotonic() + 10.0
    pid = (tmp_path / "grandchild").read_text().strip()
    while time.monotonic() < until_s:
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().split()[2] == "Z":
            return True
        time.sleep(0.02)
    return False


def test_one_that_hangs_is_refused_and_ended_with_all_it_began(tmp_path: Path) -> None:
    with pytest.raises(ReleaseRefusedError, match="took longer than 1 s"):
        workshop(tmp_path, timeout_s=1.0).rehearse(_sleeper(tmp_path), always)
    assert _has_ended(tmp_path)


def test_a_device_that_ends_breaks_it_off(tmp_path: Path) -> None:
    def ends() -> None:
        if (tmp_path / "grandchild").exists():
            raise UpdateHeldError("the device ends")

    with pytest.raises(UpdateHeldError):
        workshop(tmp_path).rehearse(_sleeper(tmp_path), ends)
    assert _has_ended(tmp_path)


def test_one_that_is_killed_from_outside_is_tried_again_and_not_condemned(tmp_path: Path) -> None:
    place = program(tmp_path / "slot" / "bin" / "walkout-edge", "")
    place.write_text("#!/bin/sh\nkill -9 $$\n")
    with pytest.raises(UpdateError, match="was killed") as failed:
        workshop(tmp_path).rehearse(tmp_path / "slot", always)
    assert not isinstance(failed.value, ReleaseRefusedError)


def test_a_child_that_outlives_its_device_is_waited_for(tmp_path: Path) -> None:
    slot = _sleeper(tmp_path)
    script = (
        "from pathlib import Path; from edge.software.workshop import ChildWorkshop; "
        f"ChildWorkshop(Path({str(tmp_path / 'lock')!r}), ()).rehearse(Path({str(slot)!r}), "
        "lambda: None)"
    )
    root = str(Path(__file__).resolve().parents[3])
    device = subprocess.Popen(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": root}
    )
    until_s = time.monotonic() + 30.0
    while not (tmp_path / "grandchild").exists():
        assert time.monotonic() < until_s
        time.sleep(0.02)
    device.kill()
    device.wait()
    try:
        with pytest.raises(UpdateHeldError, match="earlier attempt"):
            workshop(tmp_path).rehearse(slot, always)
    finally:
        sleeping = int((tmp_path / "grandchild").read_text())
        os.killpg(os.getpgid(sleeping), 9)
