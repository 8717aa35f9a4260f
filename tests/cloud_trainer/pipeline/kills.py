"""``python -m tests.cloud_trainer.pipeline.kills``: the pipeline dies in place of each write.

A product is approved; the pipeline dies, another one comes after it and has to finish the work:
the product is served by every device, published once, by one run. Prints a line a write.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from cloud_trainer.publishing import published_releases
from tests.cloud_trainer.pipeline.dying import DiedError, Fate, approved, work_until_fate
from tests.cloud_trainer.pipeline.scene import CATEGORY, copied, open_scene, publish_first


def writes_of(published: Path, folder: Path) -> int:
    """How many durable writes an enrolment makes until its rollout has begun.

    Args:
        published: Of a cloud with one release.
        folder: An empty folder.
    """
    copied(published, folder / "cloud")
    fate = Fate(0)
    work_until_fate(folder, fate)
    return fate.writes


def die_and_finish(published: Path, folder: Path, writes: Iterable[int]) -> int:
    """Die in place of each of some writes and finish the work; how often that was done."""
    done = 0
    for at in writes:
        place = folder / str(at)
        copied(published, place / "cloud")
        try:
            work_until_fate(place, Fate(at))
        except DiedError:
            done += 1
        else:
            raise AssertionError(f"write {at} never came")
        finish(place)
    return done


def finish(folder: Path) -> None:
    """Another process comes after the dead one, and devices are there by now."""
    with open_scene(folder, None) as scene:
        scene.keeper.approve("carton-04", approved(folder).photos("carton-04"))
        scene.clock.pass_s(60.0)
        scene.work()
        assert scene.cloud.plan(CATEGORY).stable == 2
        assert published_releases(scene.cloud.repository, CATEGORY) == (1, 2)
        assert "carton-04" in scene.serving().skus
        assert {device.serving for device in scene.devices} == {2}
        (run,) = scene.records.runs()
        assert (run.status, run.release) == ("done", 2)
        assert scene.keeper.told[-1] == (2, {"carton-04": "1"})
        assert scene.rollouts.overview(CATEGORY).rollout.number == 1


def main() -> int:
    """Every write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        publish_first(folder / "published")
        writes = writes_of(folder / "published", folder / "whole")
        died = die_and_finish(folder / "published", folder, range(1, writes + 1))
    sys.stdout.write(f"{writes} writes, died in place of {died}, finished after each\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
