"""How updates stand on this device, as the fleet and people are told."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from edge.errors import UpdateError
from edge.updates.agent import UpdateAgent
from edge.updates.installation import JOURNAL_NAME, Installation, utc
from edge.updates.journal import Journal
from edge.updates.pointer import POINTER_NAME, Served, read_pointer
from models.delivery import CategoryStatus, DeviceStatus, Quarantined

_QUARANTINED_SHOWN = 20


def device_status(
    installation: Installation,
    agent: UpdateAgent,
    *,
    online: bool,
    wall_time_s: float,
    walkout_version: str,
) -> DeviceStatus:
    """Everything that the fleet is told of the device.

    Args:
        installation: What is installed.
        agent: What is being done.
        online: Whether the device is connected.
        wall_time_s: The device's time.
        walkout_version: Version of this software.
    """
    trouble = "; ".join(filter(None, (agent.store_trouble, agent.clock_trouble)))
    return DeviceStatus(
        device_id=installation.device_id,
        online=online,
        boot=installation.boot,
        sent_at=utc(wall_time_s),
        walkout_version=walkout_version,
        agents=tuple(
            category_status(installation.journal, installation.served(category), category, trouble)
            for category in agent.categories
        ),
        disk_free_bytes=agent.free_bytes,
    )


def category_status(
    journal: Journal, served: Served, category: str, trouble: str = ""
) -> CategoryStatus:
    """How a category stands.

    Args:
        journal: What the agent remembers.
        served: What serves.
        category: The category.
        trouble: What else people should know, beside the reason of its state.
    """
    progress = journal.progress(category)
    quarantined = list(journal.quarantined(category).items())
    swapped_at_s = progress.swapped_at_s
    return CategoryStatus(
        category=category,
        serving_release=served.release,
        previous_release=served.previous,
        state=progress.state,
        target_release=progress.target,
        percent=progress.percent,
        reason="; ".join(filter(None, (trouble, progress.reason))),
        quarantined=tuple(
            Quarantined(release=release, reason=each.reason, failures=each.failures)
            for release, each in quarantined[-_QUARANTINED_SHOWN:]
        ),
        accepts=progress.since.accepts,
        reviews=progress.since.reviews,
        rejects=progress.since.rejects,
        swapped_at=None if swapped_at_s is None else utc(swapped_at_s),
    )


def read_status(folder: Path) -> tuple[CategoryStatus, ...]:
    """How all categories stand, read beside an agent that may be at work.

    Args:
        folder: The agent's folder.

    Raises:
        UpdateError: Nothing was ever installed there, or it cannot be read.
    """
    path = folder / JOURNAL_NAME
    if not path.exists():
        raise UpdateError(
            f"no update agent has worked in {folder} yet; start one with walkout-edge updates agent"
        )
    pointer = read_pointer(folder / POINTER_NAME)
    with closing(Journal(path)) as journal:
        categories = dict.fromkeys([*pointer.categories, *journal.categories()])
        return tuple(
            category_status(journal, pointer.served(category), category)
            for category in sorted(categories)
        )
