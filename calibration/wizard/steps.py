"""Which steps there are, how far each is, and what comes next. Pure.

A step is named as the page addresses it: ``floor``, ``fixtures``, ``camera/<name>/lens``,
``camera/<name>/place``, ``facings``, ``zones``, ``save``. Nothing forbids another order than the
one given; a step whose ground is missing says what it waits for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from calibration.wizard.work import CameraWork, ShopWork

Progress = Literal["todo", "begun", "waits", "done", "bad"]


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        name: Its address.
        progress: ``waits`` for another step, is ``bad`` where its result is red.
        light: Of its result; ``None`` without one.
        missing: What keeps it from being done, as the key of a text; empty when it is done.
    """

    name: str
    progress: Progress
    light: str | None = None
    missing: str = ""


def steps(work: ShopWork) -> tuple[Step, ...]:
    """All steps in the order in which they are best taken."""
    found = [
        Step("floor", "todo", None, "floor_size") if work.floor is None else Step("floor", "done"),
        _fixtures(work),
    ]
    for name, each in work.cameras.items():
        found += [_lens(name, each), _place(name, each, work)]
    return (*found, _facings(work), _zones(work), _save(work, tuple(found)))


def next_step(work: ShopWork) -> str:
    """The first step that is not done."""
    return next((each.name for each in steps(work) if each.progress != "done"), "save")


def _fixtures(work: ShopWork) -> Step:
    if work.floor is None:
        return Step("fixtures", "waits", None, "floor_first")
    if not work.fixtures:
        return Step("fixtures", "todo", None, "no_fixture")
    return Step("fixtures", "done")


def _lens(name: str, work: CameraWork) -> Step:
    address = f"camera/{name}/lens"
    if work.role is None:
        return Step(address, "todo", None, "role")
    if work.lens is not None:
        bad = work.lens.light == "red"
        return Step(address, "bad" if bad else "done", work.lens.light, "lens_red" if bad else "")
    if work.before is not None and not work.views:
        return Step(address, "done")
    return Step(address, "begun" if work.views else "todo", None, "views")


def _place(name: str, work: CameraWork, shop: ShopWork) -> Step:
    address = f"camera/{name}/place"
    if work.place is not None:
        return Step(address, "done", work.place.light)
    if work.placed is not None:
        return Step(address, "done")
    if work.own_lens is None or (work.lens is not None and work.lens.light == "red"):
        return Step(address, "waits", None, "lens_first")
    if shop.floor is None:
        return Step(address, "waits", None, "floor_first")
    if work.role == "shelf" and not shop.fixtures:
        return Step(address, "waits", None, "fixture_first")
    begun = bool(work.marks) or work.fixture is not None
    return Step(address, "begun" if begun else "todo", None, f"place_{work.role}")


def _facings(work: ShopWork) -> Step:
    if not work.fixtures:
        return Step("facings", "waits", None, "fixture_first")
    kept = {each.fixture for each in work.facings.values()}
    seen = {each.fixture for each in work.cameras.values() if each.placed is not None}
    empty = [
        name
        for name in work.fixtures
        if not (work.grids[name].skus if name in work.grids else name in kept)
    ]
    if empty and not any(name in seen for name in empty):
        return Step("facings", "waits", None, "place_first")
    if empty:
        begun = any(name in work.grids for name in empty)
        return Step("facings", "begun" if begun else "todo", None, "no_facings")
    return Step("facings", "done")


def _zones(work: ShopWork) -> Step:
    if work.floor is None:
        return Step("zones", "waits", None, "floor_first")
    if not any(zone.kind == "entry" for zone in work.floor.zones):
        return Step("zones", "todo", None, "no_entry")
    return Step("zones", "done")


def _save(work: ShopWork, others: tuple[Step, ...]) -> Step:
    if any(each.progress != "done" for each in (*others, _facings(work), _zones(work))):
        return Step("save", "waits", None, "others_first")
    return Step("save", "todo", None, "unsaved") if work.changed else Step("save", "done")
