"""Updates of the device's own software put together from their settings."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from edge.software.launcher import LAUNCHED_VARIABLE
from edge.software.slots import Slots
from edge.software.steps import SoftwareSeams
from edge.software.workshop import ChildWorkshop
from edge.updates.settings import SoftwareSettings

_LOGGER: Final = logging.getLogger(__name__)
_LOCK_NAME: Final = "workshop.lock"


def software_updates(
    settings: SoftwareSettings,
    store_file: Path,
    state: Path,
    environment: Mapping[str, str],
    *,
    occupied: Callable[[], bool],
    unwell: Callable[[], frozenset[str]],
    restart: Callable[[str], None],
) -> SoftwareSeams | None:
    """What updates of the software work with; ``None`` where the launcher did not start this.

    Without the launcher nobody would start another release, or take back one that does not start.

    Args:
        settings: What they are told.
        store_file: ``store.yaml``, whose folder paths are relative to.
        state: Where its ledger is.
        environment: Of this process.
        occupied: Whether somebody is shopping.
        unwell: Names of what does not work now.
        restart: Asks the process to end.
    """
    folder = (store_file.parent / settings.folder).resolve()
    launched = environment.get(LAUNCHED_VARIABLE)
    if launched is None or Path(launched).resolve() != folder:
        _LOGGER.warning(
            "the software is not kept up to date: this process was not started by the launcher "
            "with --software %s",
            folder,
        )
        return None
    slots = Slots(folder)
    return SoftwareSeams(
        settings=settings,
        slots=slots,
        running=slots.number_of(Path(sys.prefix)),
        workshop=ChildWorkshop(
            folder / _LOCK_NAME,
            ("updates", "rehearse", str(store_file.resolve()), "--state", str(state.resolve())),
            settings.system_packages,
            settings.timeout_s,
            environment=dict(environment),
        ),
        occupied=occupied,
        unwell=unwell,
        restart=restart,
    )
