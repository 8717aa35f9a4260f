"""A recorded shop split over several devices, each ``walkout-edge run`` in a process of its own."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml

PREFIX = "walkout-link"


def split(
    shop: Path,
    folder: Path,
    port: int,
    shelf_devices: Mapping[str, tuple[str, ...]],
    host: str = "127.0.0.1",
) -> None:
    """Write a store file a device beside the files of a shop.

    Args:
        shop: The recorded shop; not written to.
        folder: Where the copy goes; ``<device>.yaml`` and ``hub.yaml`` in it.
        port: Of the broker.
        shelf_devices: Their cameras by device; all others are the hub's.
        host: Of the broker; this machine when left out.
    """
    shutil.copytree(shop, folder, dirs_exist_ok=True)
    whole = yaml.safe_load((folder / "store.yaml").read_text(encoding="utf-8"))
    link: dict[str, object] = {"host": host, "port": port, "prefix": PREFIX}
    link |= {"reconnects_within_s": 1, "acknowledged_within_s": 1, "silent_after_s": 2}
    cameras = whole["cameras"]
    for name, own in shelf_devices.items():
        part = {key: value for key, value in whole.items() if key != "checkins"}
        part |= {
            "role": "shelf",
            "link": {**link, "device": name},
            "cameras": {camera: cameras[camera] for camera in own},
        }
        _write(folder / f"{name}.yaml", part)
    taken = {camera for own in shelf_devices.values() for camera in own}
    hub = whole | {
        "role": "hub",
        "link": {**link, "device": "hub", "shelf_devices": sorted(shelf_devices)},
        "cameras": {name: each for name, each in cameras.items() if name not in taken},
    }
    _write(folder / "hub.yaml", hub)


def _write(path: Path, values: dict[str, object]) -> None:
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
