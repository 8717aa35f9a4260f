"""Which wheels of a release fit this device's Python and processor."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.tags import Tag, sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from edge.errors import ReleaseRefusedError
from models.delivery import DISTRIBUTION, SoftwareRelease, WheelFile


def fitting(release: SoftwareRelease, tags: Iterable[Tag] | None = None) -> SoftwareRelease:
    """The release with those wheels alone that are installed here: the best fitting of each thing.

    Args:
        release: With wheels for several kinds of device.
        tags: What fits, the best first; this interpreter's when left out.

    Raises:
        ReleaseRefusedError: Walkout itself does not fit, or a name is no wheel's.
    """
    rank = {tag: place for place, tag in enumerate(sys_tags() if tags is None else tags)}
    best: dict[str, tuple[int, WheelFile]] = {}
    for file in release.files:
        try:
            name, _, _, fits = parse_wheel_filename(file.name)
        except InvalidWheelFilename as err:
            raise ReleaseRefusedError("build", f"{file.name} is no wheel: {err}") from err
        places = [rank[tag] for tag in fits if tag in rank]
        key = canonicalize_name(name)
        if places and (key not in best or min(places) < best[key][0]):
            best[key] = (min(places), file)
    if DISTRIBUTION not in best:
        raise ReleaseRefusedError(
            "build",
            f"release {release.release} of the software has no {DISTRIBUTION} for this device's "
            "Python and processor; publish it with such wheels",
        )
    files = tuple(sorted((file for _, file in best.values()), key=lambda file: file.name))
    return release.model_copy(update={"files": files})
