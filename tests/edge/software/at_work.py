"""A device that keeps its own software up to date, in the test's own time.

Everything is real but what a wheel contains and who starts the process: a restart is another
``SoftwareDevice`` on the same folder, begun by the launcher's own rules.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge.errors import ReleaseRefusedError
from edge.software import launcher
from edge.software.slots import Slots
from edge.software.steps import SoftwareSeams
from edge.updates.progress import Progress
from edge.updates.settings import SoftwareSettings
from models.bundle import Bundle
from models.delivery import SOFTWARE, State, UpdateEvent
from tests.edge.software.slots_drawn import program
from tests.edge.updates.devices import Device, TurnedClock
from tests.simulators.cloud import Cloud

WATCH_S = 50.0


class DrawnWorkshop:
    """Installs what a wheel's name says; a version that ends in ``.13`` does not start here."""

    def __init__(self) -> None:
        self.installed: list[int] = []

    def install(self, slot: Path, wheels: Path, permit: Callable[[], None]) -> None:
        permit()
        (wheel,) = wheels.glob("walkout-*.whl")
        self.installed.append(int(slot.name))
        program(slot / "bin" / launcher.PROGRAM, wheel.name.split("-")[1])

    def rehearse(self, slot: Path, permit: Callable[[], None]) -> str:
        permit()
        said = (slot / "bin" / launcher.PROGRAM).read_text("utf-8")
        if ".13 " in said:
            raise ReleaseRefusedError("self_test", "it could not start (exit 2): no such camera")
        return "opens the shop"


class SoftwareDevice:
    """One start of a device, from the launcher to the end of its process."""

    def __init__(
        self,
        folder: Path,
        cloud: Cloud,
        bundle: Bundle,
        occupied: Callable[[], bool] = lambda: False,
        unwell: Callable[[], frozenset[str]] = frozenset,
        turned: TurnedClock | None = None,
        **settings: object,
    ) -> None:
        self.slots = Slots(folder / "software")
        _, self.running = launcher.choose(self.slots.folder, "shipped")
        self.workshop = DrawnWorkshop()
        self.restarts: list[str] = []
        chosen = {"watch_s": WATCH_S, "starts_at_most": 2, "unwell_at_most_s": 20.0, **settings}
        seams = SoftwareSeams(
            settings=SoftwareSettings.model_validate(chosen),
            slots=self.slots,
            running=self.running,
            workshop=self.workshop,
            occupied=occupied,
            unwell=unwell,
            restart=self.restarts.append,
        )
        self.device = Device(
            folder, cloud.url, cloud.root, [bundle], clock=turned, software=seams, poll_s=10
        )

    def __enter__(self) -> SoftwareDevice:
        return self

    def __exit__(self, *_: object) -> None:
        self.device.close()

    @property
    def progress(self) -> Progress:
        return self.device.installation.journal.progress(SOFTWARE)

    def until(self, state: State, seconds: float = 1000.0) -> SoftwareDevice:
        end_s = self.device.turned.at_s + seconds
        while self.progress.state != state:
            assert self.device.turned.at_s < end_s, f"{self.progress} instead of {state}"
            self.step()
        return self

    def until_it_restarts(self, seconds: float = 1000.0) -> str:
        end_s = self.device.turned.at_s + seconds
        while not self.restarts:
            assert self.device.turned.at_s < end_s, f"{self.progress} and no restart"
            self.step()
        return self.restarts[0]

    def step(self) -> None:
        wait_s = self.device.agent.step()
        self.device.turned.at_s += min(max(wait_s, 0.01), 5.0)

    def outcomes(self) -> list[tuple[int, str, str | None]]:
        return [(each.release, each.outcome, each.kind) for each in self.events() if each.outcome]

    def events(self) -> list[UpdateEvent]:
        return [each for each in self.device.events() if each.category == SOFTWARE]
