"""Names that trainer and device agree on: store folders, signing roles, target paths, MQTT topics.

Pure text. Target paths have no wildcard character in them and at most three parts, as the patterns
of the signing roles do not cross a slash::

    soda/net-<network_id>/embedder.onnx      a network; the same files always have the same path
    soda/rel-7/release.json                  what release 7 is made of: all a device looks up
    soda/rel-7/vectors.safetensors           the rest of its bundle
    soda/rel-7/golden/000.png
    rollouts/soda.json                       who may run which release
    software/wheels/<file name>.whl          a wheel of the device's own software
    software/rel-7/release.json              which wheels the seventh release of it is made of
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from models.bundle import NETWORK_FILES
from models.delivery.errors import DeliveryFormatError

METADATA_FOLDER = "metadata"
TARGETS_FOLDER = "targets"
RELEASE_NAME = "release.json"

# The device's own software travels like a category of this name, and no bundle may have it.
SOFTWARE: Final = "software"

ROLLOUTS_ROLE = "rollouts"
ROLLOUTS_PATTERNS = ("rollouts/*",)

CATEGORY_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"
DEVICE_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"
NETWORK_ID_PATTERN = r"^[0-9a-f]{16}$"

TOPIC_PREFIX = "fleet/v1"
ANNOUNCEMENTS = f"{TOPIC_PREFIX}/announce/+"
ALL_STATUS = f"{TOPIC_PREFIX}/d/+/status"
ALL_UPDATE_EVENTS = f"{TOPIC_PREFIX}/d/+/evt/update"

TopicKind = Literal["announce", "status", "update_event", "command"]

_DEVICE_TOPICS: Mapping[str, TopicKind] = {
    "status": "status",
    "evt/update": "update_event",
    "cmd": "command",
}


@dataclass(frozen=True)
class Topic:
    """An MQTT topic, taken apart.

    Attributes:
        kind: What is said there.
        name: The category of an announcement, the device id of all others.
    """

    kind: TopicKind
    name: str


def require_category(category: str) -> str:
    """The category itself, where it can be part of paths, roles and topics.

    Raises:
        DeliveryFormatError: It cannot.
    """
    if not re.fullmatch(CATEGORY_PATTERN[1:-1], category) or category == ROLLOUTS_ROLE:
        raise DeliveryFormatError(
            f"category {category[:80]!r} cannot travel: it takes 1 to 63 letters, digits, '.', "
            f"'_' or '-', begins with a letter or digit, and is not {ROLLOUTS_ROLE!r}; rename it"
        )
    return category


def require_device_id(device_id: str) -> str:
    """The device id itself, where it can be part of topics.

    Raises:
        DeliveryFormatError: It cannot.
    """
    if not re.fullmatch(DEVICE_PATTERN[1:-1], device_id):
        raise DeliveryFormatError(
            f"{device_id[:80]!r} is no device id: 1 to 63 lower-case letters, digits or '-', "
            "beginning with a letter or digit"
        )
    return device_id


def category_role(category: str) -> str:
    """Name of the role that signs the releases of a category."""
    return f"category-{require_category(category)}"


def category_patterns(category: str) -> tuple[str, ...]:
    """Target paths that the role of a category may sign."""
    require_category(category)
    return (f"{category}/*/*", f"{category}/*/golden/*")


def network_id_of(sha256_by_name: Mapping[str, str]) -> str:
    """Identity of a network as it travels: 16 hexadecimal digits over all its files.

    Unlike the space id of a bundle it counts the INT8 and TensorRT files: the same embedding space
    with another INT8 file is another download.

    Args:
        sha256_by_name: Checksums by name; names that are no network files are left out.
    """
    lines = [
        f"{name} {sha256}\n"
        for name, sha256 in sorted(sha256_by_name.items())
        if name in NETWORK_FILES
    ]
    return hashlib.sha256("".join(lines).encode("ascii")).hexdigest()[:16]


def release_path(category: str, release: int) -> str:
    """Target path of the document that says what a release is made of."""
    return f"{_release_folder(category, release)}/{RELEASE_NAME}"


def parse_release_path(path: str) -> tuple[str, int] | None:
    """Category and number of the release whose document this target is; ``None`` for any other."""
    match = re.fullmatch(rf"([^/]+)/rel-([1-9][0-9]{{0,8}})/{re.escape(RELEASE_NAME)}", path)
    return (match[1], int(match[2])) if match else None


def file_path(category: str, release: int, network_id: str, name: str) -> str:
    """Target path of a bundle's file.

    Args:
        category: The category.
        release: The release.
        network_id: Identity of its network.
        name: Name of the file in the bundle, with forward slashes.
    """
    if name in NETWORK_FILES:
        return f"{require_category(category)}/net-{network_id}/{name}"
    return f"{_release_folder(category, release)}/{name}"


def wheel_path(name: str) -> str:
    """Target path of a wheel of the device's software."""
    return f"{SOFTWARE}/wheels/{name}"


def plan_path(category: str) -> str:
    """Target path of the rollout plan of a category."""
    return f"rollouts/{require_category(category)}.json"


def stored_target(path: str, sha256: str) -> str:
    """Object key of a target: TUF's consistent snapshots put the checksum before the file name."""
    folder, _, name = path.rpartition("/")
    return f"{TARGETS_FOLDER}/{folder}/{sha256}.{name}"


def announce_topic(category: str) -> str:
    """Where the trainer hints that something changed for a category; retained."""
    return f"{TOPIC_PREFIX}/announce/{require_category(category)}"


def status_topic(device_id: str) -> str:
    """Where a device says how it is; retained, with the last will."""
    return f"{TOPIC_PREFIX}/d/{require_device_id(device_id)}/status"


def update_event_topic(device_id: str) -> str:
    """Where a device tells of its updates."""
    return f"{TOPIC_PREFIX}/d/{require_device_id(device_id)}/evt/update"


def command_topic(device_id: str) -> str:
    """Where a device takes hints meant for it alone."""
    return f"{TOPIC_PREFIX}/d/{require_device_id(device_id)}/cmd"


def parse_topic(topic: str) -> Topic:
    """Take a topic apart.

    Raises:
        DeliveryFormatError: It is none of the fleet's.
    """
    rest = topic.removeprefix(f"{TOPIC_PREFIX}/")
    area, _, tail = rest.partition("/")
    if rest != topic and area == "announce":
        return Topic("announce", require_category(tail))
    device_id, _, purpose = tail.partition("/")
    if rest == topic or area != "d" or purpose not in _DEVICE_TOPICS:
        raise DeliveryFormatError(f"{topic[:120]!r} is no topic of the fleet; leave it alone")
    return Topic(_DEVICE_TOPICS[purpose], require_device_id(device_id))


def _release_folder(category: str, release: int) -> str:
    if release < 1:
        raise DeliveryFormatError(f"releases count from 1, not {release}; give its number")
    return f"{require_category(category)}/rel-{release}"
