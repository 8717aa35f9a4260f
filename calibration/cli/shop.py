"""`check` and `planogram`: whether a shop's calibration and planogram hold together."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from calibration.cli.answers import FAILED, AsJson, answer, plain_errors
from calibration.consistency import overlaps, unseen_floor
from calibration.drift.effect import Outlook
from calibration.drift.registration import Reference
from calibration.format import Calibration, CalibrationError, read_calibration
from calibration.history import read_reference
from calibration.lens import lens_of
from calibration.pictures import PICTURE_SUFFIXES, read_picture
from calibration.planogram import Planogram, read_planogram
from calibration.planogram_table import difference, read_table, to_csv
from calibration.sight import sights
from models.catalogue import load_catalogue

planogram_app = typer.Typer(help="Planograms as tables.", no_args_is_help=True)

_SAME_SHARE = 0.2

PlanogramPath = Annotated[Path, typer.Argument(help="The planogram.json.")]
ShopOption = Annotated[
    Path | None, typer.Option("--calibration", help="Check against this calibration.json.")
]
CatalogueOption = Annotated[
    Path | None, typer.Option(help="Check SKUs against this catalogue folder.")
]


@plain_errors
def check(
    shop: Annotated[Path, typer.Argument(help="The shop's calibration.json.")],
    planogram: Annotated[Path | None, typer.Option(help="Its planogram.json.")] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder of pictures taken now: CAMERA.jpg.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a shop: facings well seen, floor covered, cameras still where they were.

    Ends with exit code 2 where something has to be done.
    """
    calibration = read_calibration(shop)
    plan = read_planogram(planogram) if planogram is not None else None
    complaints: list[str] = []
    document: dict[str, object] = {}
    lines: list[str] = []
    overhead = [name for name, each in calibration.cameras.items() if each.role == "overhead"]
    if overhead:
        unseen = unseen_floor(calibration)
        document["unseen_floor"] = unseen
        document["overlaps"] = {
            " ".join(each): share for each, share in overlaps(calibration).items()
        }
        lines.append(f"{unseen * 100:.0f} % of the floor is seen by no overhead camera")
    if plan is not None:
        plan.check(calibration, {each.sku for each in plan.facings.values()})
        seen = sights(calibration, plan)
        document["facings"] = [asdict(each) for each in seen]
        bad = [each for each in seen if not each.good]
        complaints += [f"facing {each.facing}: {each.complaint}" for each in bad]
        lines.append(f"{len(seen) - len(bad)} of {len(seen)} facings are seen well")
    if pictures is not None:
        moved = _moved(shop, calibration, plan, pictures)
        document["pictures"] = moved
        complaints += [str(each) for each in moved.values() if each]
        lines.append(f"{len(moved)} cameras were compared with their reference")
    document["complaints"] = complaints
    answer(as_json, document, [*lines, *complaints])
    if complaints:
        raise typer.Exit(FAILED)


@planogram_app.command("import")
@plain_errors
def import_table(
    table: Annotated[Path, typer.Argument(help="The CSV to read.")],
    out: Annotated[Path, typer.Option(help="The planogram.json to write.", show_default=False)],
    calibration: ShopOption = None,
    catalogue: CatalogueOption = None,
    as_json: AsJson = False,
) -> None:
    """Read a CSV, say what it changes, and write the planogram."""
    new = read_table(table)
    old = read_planogram(out) if out.exists() else Planogram(facings={})
    _checked(new, calibration, catalogue)
    changes = difference(old, new)
    out.write_text(new.model_dump_json(indent=2) + "\n", encoding="utf-8")
    lines = [
        f"Wrote {out}: {len(new.facings)} facings; {len(changes.added)} new, "
        f"{len(changes.removed)} gone, {len(changes.changed)} changed"
    ]
    lines += [
        f"  {name}: " + ", ".join(f"{field} {a} -> {b}" for field, (a, b) in fields.items())
        for name, fields in changes.changed.items()
    ]
    answer(as_json, {"out": str(out), **asdict(changes)}, lines)


@planogram_app.command("export")
@plain_errors
def export_table(
    planogram: PlanogramPath,
    out: Annotated[Path, typer.Option(help="The CSV to write.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Write a planogram as CSV, a line for each facing."""
    plan = read_planogram(planogram)
    out.write_text(to_csv(plan), encoding="utf-8")
    count = len(plan.facings)
    answer(as_json, {"out": str(out), "facings": count}, [f"Wrote {out}: {count} facings."])


@planogram_app.command("check")
@plain_errors
def check_planogram(
    planogram: PlanogramPath,
    calibration: ShopOption = None,
    catalogue: CatalogueOption = None,
    as_json: AsJson = False,
) -> None:
    """Check that facings lie on calibrated fixtures, hold known SKUs and do not overlap."""
    plan = read_planogram(planogram)
    _checked(plan, calibration, catalogue)
    count = len(plan.facings)
    answer(as_json, {"facings": count}, [f"{count} facings are good."])


def _checked(plan: Planogram, calibration: Path | None, catalogue: Path | None) -> None:
    skus = {each.sku for each in plan.facings.values()}
    if catalogue is not None:
        skus = {each.sku for each in load_catalogue(catalogue).products}
    if calibration is not None:
        plan.check(read_calibration(calibration), skus)
    elif catalogue is not None:
        unknown = sorted({each.sku for each in plan.facings.values()} - skus)
        if unknown:
            raise CalibrationError(f"SKU {unknown[0]} is not in the catalogue; add the product")
    overlap = plan.overlap()
    if overlap is not None:
        raise CalibrationError(
            f"facings {overlap[0]} and {overlap[1]} lie over each other; make one smaller"
        )


def _moved(
    shop: Path, calibration: Calibration, plan: Planogram | None, folder: Path
) -> dict[str, str | None]:
    """What is wrong with each camera whose picture lies in the folder; None where nothing is."""
    found: dict[str, str | None] = {}
    references = {
        name: Reference(read_reference(shop, name), lens_of(camera))
        for name, camera in calibration.cameras.items()
        if (shop.parent / "calibration" / "reference" / f"{name}.png").exists()
    }
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in PICTURE_SUFFIXES or path.stem not in references:
            continue
        name, grey = path.stem, read_picture(path)
        own = references[name].register(grey)
        if own.found and own.share >= _SAME_SHARE:
            effect = Outlook(name, calibration, plan).effect(own.rotation)
            off_m = max(effect.floor_m or 0.0, effect.front_m or 0.0)
            moved = off_m >= 0.03 or (effect.facing_share or 0.0) >= 0.25
            found[name] = (
                f"{name} has moved by {own.turn_deg:.2f} degrees, {off_m * 100:.0f} cm: repair it"
                if moved
                else None
            )
            continue
        found[name] = f"{name} does not show what it was calibrated on: calibrate it again"
        for other, reference in references.items():
            if other == name or reference.size_px != (grey.shape[1], grey.shape[0]):
                continue
            there = reference.register(grey)
            if there.found and there.share >= _SAME_SHARE:
                found[name] = (
                    f"{name} shows what {other} was calibrated on: the two are swapped; exchange "
                    "their cables or addresses"
                )
    if not found:
        raise CalibrationError(f"{folder}: holds no picture of a camera that has a reference")
    return found
