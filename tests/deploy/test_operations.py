"""What docs/operations.md says can be typed is typed here, in its order, beside a broker at work.

Blocks marked ``on hardware`` are left out, and their commands looked up instead: whatever of
Walkout's own programs they name must exist with those options.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import typer
import yaml

from cloud_trainer.__main__ import app as trainer_app
from cloud_trainer.cli.fleet_options import utc_now
from cloud_trainer.devices.authority import Authority
from cloud_trainer.devices.enrolment import Enrolment
from cloud_trainer.devices.register import Register
from cloud_trainer.devices.service import Enroller
from cloud_trainer.fleet.link import Tls
from edge.__main__ import app as edge_app
from models.bundle import Bundle
from tests.simulators.bundles import make_bundle
from tests.simulators.fleet_broker import FleetBroker, NoMosquittoError
from tests.simulators.shop.errors import SimulatorError
from tests.simulators.shop.recording import Plan, stage, write

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh([^\n]*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TYPED = [body for mark, body in BLOCKS if not mark.strip()]
HARDWARE = [body for mark, body in BLOCKS if mark.strip() == "on hardware"]
APPS = {"walkout-edge": edge_app, "walkout-trainer": trainer_app}
# The trainer without the networks that it trains, which take seconds to import.
_PROGRAMS = {
    "walkout-edge": "from edge.__main__ import main\nmain()",
    "walkout-trainer": "import typer\nfrom cloud_trainer.cli import devices, keys, publish\n"
    "app = typer.Typer()\n[each.register(app) for each in (devices, keys, publish)]\napp()",
}


def _commands(bodies: list[str]) -> list[str]:
    lines = "\n".join(bodies).replace("\\\n", " ").splitlines()
    found = (re.sub(r"\s+#.*$", "", line).strip() for line in lines)
    return [line for line in found if re.match(r"(/\S*/)?walkout-\w+ ", line)]


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Bundle]:
    """An empty desk with a shop on it."""
    folder = tmp_path_factory.mktemp("operations")
    bundle = make_bundle(folder / "bundle", products=6, category="dairy")
    plan = Plan(
        seed=3, shoppers=1, products=6, shelf_cameras=1, overhead_cameras=1, size_px=(160, 90),
        fps=2, photos=1, photo_px=64, behaviours=("take",), staff=False,
    )  # fmt: skip
    try:
        write(stage(plan), folder / "shop")
    except SimulatorError as err:
        pytest.skip(f"no shop can be rendered here: {err}")
    store = yaml.safe_load((folder / "shop" / "store.yaml").read_text("utf-8"))
    store["bundles"] = [str(bundle.path)]
    (folder / "shop" / "store.yaml").write_text(yaml.safe_dump(store), "utf-8")
    return folder, bundle


@contextmanager
def _broker_and_enroller(folder: Path) -> Iterator[FleetBroker]:
    """What section 1 says is to be running: the deployed broker, and an enroller."""
    broker = FleetBroker(folder, folder / "broker")
    broker.start()
    register, stop = Register(folder / "ca"), threading.Event()
    ca = folder / "ca"
    own = replace(
        broker.cloud_address("unused", "cloud.enroller"),
        tls=Tls(ca / "devices-ca.crt", ca / "cloud.enroller.crt", ca / "cloud.enroller.key"),
    )
    enrolment = Enrolment(
        Authority(ca, "devices"), register, (ca / "enrolment.secret").read_bytes()
    )
    thread = threading.Thread(target=Enroller(enrolment, own, utc_now).run, args=(stop,))
    thread.start()
    try:
        yield broker
    finally:
        stop.set()
        thread.join()
        register.close()
        broker.kill()


def _programs(folder: Path) -> Path:
    """The programs as commands, from this checkout."""
    place = folder / "bin"
    place.mkdir()
    for name, program in _PROGRAMS.items():
        script = place / name
        script.write_text(f"#!{sys.executable}\n{program}\n", "utf-8")
        script.chmod(0o755)
    return place


def _type(body: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", body],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{body}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_a_newcomer_who_types_it_has_a_cloud_a_device_and_a_replacement(
    furnished: tuple[Path, Bundle],
) -> None:
    folder, bundle = furnished
    environment = {
        **os.environ,
        "PATH": f"{_programs(folder)}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "CLOUD": "127.0.0.1",
        "BUNDLE": str(bundle.path),
    }
    first = next(place for place, body in enumerate(TYPED) if "devices expect" in body)
    for body in TYPED[:first]:
        _type(body, folder, environment)
    try:
        broker = _broker_and_enroller(folder)
        with broker as at_work:
            environment["CLAIM_PORT"] = str(at_work.claim_port)
            said = [_type(body, folder, environment) for body in TYPED[first:]]
    except NoMosquittoError as err:
        pytest.skip(str(err))
    together = "\n".join(said)
    assert "shelf-1 has its identity" in together
    assert "opens" in together
    replaced = folder / "replaced"
    assert (replaced / "identity" / "device.crt").read_bytes() != (
        folder / "shop" / "identity" / "device.crt"
    ).read_bytes()
    assert not (folder / "stick" / "claim.key").exists()
    assert not list(replaced.rglob("*.mp4"))


@pytest.mark.parametrize("line", _commands(HARDWARE))
def test_what_is_typed_on_hardware_exists(line: str) -> None:
    program, *words = shlex.split(line)
    command = typer.main.get_command(APPS[Path(program).name])
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]  # type: ignore[attr-defined]
    assert not getattr(command, "commands", {}), f"{line}: no such command"
    options = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_files_that_the_page_installs_are_there() -> None:
    named = set(re.findall(r"(?<![\w/])((?:deploy|edge)/[\w./*-]+[\w*])", PAGE))
    assert named
    assert [name for name in sorted(named) if not list(ROOT.glob(name))] == []


def test_every_block_says_where_it_is_typed() -> None:
    assert {mark.strip() for mark, _ in BLOCKS} == {"", "on hardware"}
    assert len(TYPED) >= 8
