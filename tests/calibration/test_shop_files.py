"""Files of a shop: planograms as tables, grids, how facings are seen, and the history."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.format import Calibration, CalibrationError, Floor, read_calibration
from calibration.grid import even_edges, facings, positions
from calibration.history import (
    read_record,
    read_reference,
    save_calibration,
    save_reference,
    version_before,
)
from calibration.lens import Lens, lens_of, read_lens, resized
from calibration.planogram import Facing, Planogram, Standing
from calibration.planogram_table import difference, from_csv, to_csv
from calibration.sight import sights
from tests.calibration.test_shelf import FIXTURE, SHOP, TRUTH
from tests.simulators.shop.layout import looking

CELLS = positions(FIXTURE, even_edges(1.08, 3), [even_edges(1.3, 4)] * 3)
PLAN = Planogram(
    facings=facings(
        "fixture-1",
        FIXTURE,
        CELLS,
        {
            (row, column): Standing(sku=f"sku-{row}{column}", capacity=6, stock=5)
            for row in range(3)
            for column in range(4)
        },
    )
)

lengths = st.floats(0.001, 3, allow_nan=False)
names = st.text("abc-1;,\" '", min_size=1, max_size=8).filter(lambda each: each == each.strip())


@given(st.dictionaries(names, st.tuples(lengths, lengths, lengths, names), max_size=6))
@settings(max_examples=50, deadline=None)
def test_a_planogram_comes_back_from_its_table_to_the_last_digit(
    rows: dict[str, tuple[float, float, float, str]],
) -> None:
    plan = Planogram(
        facings={
            name: Facing(
                fixture=sku, u_m=u, v_m=v, width_m=w, height_m=w, depth_m=w, sku=sku,
                capacity=3, stock=2,
            )
            for name, (u, v, w, sku) in rows.items()
        }
    )  # fmt: skip
    assert from_csv(to_csv(plan)) == plan


def test_how_pieces_stand_and_their_size_may_be_left_out_of_a_table() -> None:
    sized = PLAN.facings["fixture-1-1-1"].model_copy(
        update={
            "columns": 2,
            "piece_width_m": 0.1,
            "piece_depth_m": 0.05,
            "piece_height_m": 0.2,
        }
    )
    plan = Planogram(facings={**PLAN.facings, "fixture-1-1-1": sized})
    assert sized.piece_m == (0.1, 0.05, 0.2)
    assert from_csv(to_csv(plan)) == plan
    without = "\n".join(",".join(line.split(",")[:10]) for line in to_csv(PLAN).splitlines())
    assert from_csv(without) == PLAN
    assert PLAN.facings["fixture-1-1-1"].piece_m is None


def test_a_grids_facings_say_how_pieces_stand_and_how_large_they_are() -> None:
    stands = Standing(
        sku="tea",
        capacity=6,
        stock=5,
        columns=2,
        piece_width_m=0.1,
        piece_depth_m=0.05,
        piece_height_m=0.2,
    )
    made = facings("fixture-1", FIXTURE, CELLS, {(0, 1): stands})["fixture-1-1-2"]
    assert (made.sku, made.capacity, made.stock, made.columns) == ("tea", 6, 5, 2)
    assert made.piece_m == (0.1, 0.05, 0.2)
    assert (made.u_m, made.depth_m) == (CELLS[1].u_m, FIXTURE.depth_m)


def test_a_table_from_a_spreadsheet_with_semicolons_is_read() -> None:
    assert from_csv("\ufeff" + to_csv(PLAN).replace(",", ";")) == PLAN


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda text: text.replace("width_m", "width"), "misses width_m"),
        (lambda text: text.replace("0.325", "wide", 1), "line 2: "),
        (lambda text: text.replace(",6,5", ",6", 1), "line 2 has not 14 columns"),
        (lambda text: text + text.splitlines()[1] + "\n", "is there twice"),
        (lambda text: text.replace(",6,5", ",6,9", 1), "stock 9 is more than the capacity 6"),
        (lambda text: text.replace(",6,5,,", ",6,5,7,", 1), "columns 7 are more than the capacity"),
        (lambda text: text.replace(",6,5,,", ",6,5,2,0.1", 1), "a depth and a height, or none"),
    ],
)
def test_a_wrong_table_is_refused_with_the_line(change: object, complaint: str) -> None:
    with pytest.raises(CalibrationError, match=complaint):
        from_csv(change(to_csv(PLAN)))  # type: ignore[operator]


def test_the_difference_names_what_came_went_and_changed() -> None:
    new = dict(PLAN.facings)
    new["extra"] = new.pop("fixture-1-1-1")
    new["fixture-1-1-2"] = new["fixture-1-1-2"].model_copy(update={"sku": "tea"})
    found = difference(PLAN, Planogram(facings=new))
    assert found.added == ("extra",)
    assert found.removed == ("fixture-1-1-1",)
    assert found.changed == {"fixture-1-1-2": {"sku": ("sku-01", "tea")}}
    assert difference(PLAN, PLAN).empty


def test_a_grid_covers_the_front_and_overlapping_facings_are_found() -> None:
    assert len(CELLS) == 12
    assert sum(each.width_m * each.height_m for each in CELLS) == pytest.approx(1.3 * 1.08)
    PLAN.check(SHOP, {each.sku for each in PLAN.facings.values()})
    assert PLAN.overlap() is None
    wide = PLAN.facings["fixture-1-1-1"].model_copy(update={"width_m": 0.4})
    crowded = Planogram(facings={**PLAN.facings, "fixture-1-1-1": wide})
    assert crowded.overlap() == ("fixture-1-1-1", "fixture-1-1-2")
    with pytest.raises(CalibrationError, match="must rise"):
        positions(FIXTURE, (0.0, 0.5, 0.4), [(0.0, 1.0)] * 2)
    with pytest.raises(CalibrationError, match="beyond the front"):
        positions(FIXTURE, (0.0, 0.5), [(0.0, 2.0)])


def test_facings_in_good_view_pass_and_others_say_what_to_do() -> None:
    straight = looking(
        "shelf",
        np.array([1.25, 2.0, 1.4]),
        np.array([1.25, 3.57, 1.0]),
        960.0,
        (1280, 720),
        (0.0,) * 5,
    )
    good = sights(SHOP.model_copy(update={"cameras": {"shelf-1": straight}}), PLAN)
    assert [each.facing for each in good if not each.good] == []
    assert all(each.px_per_cm > 2.5 for each in good)
    blurry = SHOP.model_copy(update={"cameras": {"shelf-1": resized(TRUTH, (320, 180))}})
    assert all("pixels per cm" in each.complaint for each in sights(blurry, PLAN))
    behind = FIXTURE.model_copy(update={"right": (-1.0, 0.0, 0.0), "origin_m": (1.9, 3.57, 0.45)})
    reverse = SHOP.model_copy(update={"fixtures": {"fixture-1": behind}})
    assert all("looks at the back" in each.complaint for each in sights(reverse, PLAN))


def test_every_version_is_kept_with_who_when_and_why(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    empty = Calibration(floor=Floor(outline=((0, 0), (1, 0), (1, 1))), cameras={})
    first = save_calibration(path, empty, "2026-03-02T09:00:00+01:00", "ann", "new shop")
    second = save_calibration(path, SHOP, "2026-03-02T10:00:00+01:00", "bob", "shelf-1 placed")
    assert read_calibration(path) == SHOP
    assert version_before(path, 2) == empty
    assert read_record(path) == (first, second)
    assert first.before is None
    assert second.before == first.after
    assert second.why == "shelf-1 placed"


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    save_calibration(path, SHOP, "2026-03-02T09:00:00+01:00", "ann", "new")
    record = tmp_path / "calibration" / "history" / "record.jsonl"
    record.write_text(record.read_text(encoding="utf-8") + "{half", encoding="utf-8")
    with pytest.raises(CalibrationError, match="line 2 is not JSON"):
        read_record(path)


def test_a_reference_picture_comes_back_as_it_was(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 255, (48, 64)).astype(np.uint8)
    path = tmp_path / "calibration.json"
    save_reference(path, "shelf-1", grey)
    assert (read_reference(path, "shelf-1") == grey).all()
    with pytest.raises(CalibrationError, match="cannot be read"):
        read_reference(path, "shelf-2")


def test_a_lens_is_resized_about_pixel_centres_and_a_cropped_picture_is_refused(
    tmp_path: Path,
) -> None:
    lens = lens_of(TRUTH)
    half = lens.resized((640, 360))
    assert half.matrix[0][2] == pytest.approx((lens.matrix[0][2] + 0.5) / 2 - 0.5)
    back = half.resized((1280, 720))
    assert np.array(back.matrix) == pytest.approx(lens.k)
    with pytest.raises(CalibrationError, match="another shape means that the camera crops"):
        lens.resized((640, 480))
    path = tmp_path / "lens.json"
    path.write_text(lens.model_dump_json(), encoding="utf-8")
    assert read_lens(path) == lens


def test_a_distortion_that_folds_the_picture_is_noticed() -> None:
    matrix = ((500.0, 0.0, 320.0), (0.0, 500.0, 240.0), (0.0, 0.0, 1.0))
    good = Lens(image_size_px=(640, 480), matrix=matrix, distortion=(-0.2, 0.03, 0, 0, 0))
    bad = Lens(image_size_px=(640, 480), matrix=matrix, distortion=(-0.6, 0.0, 0, 0, 0))
    assert not good.folds()
    assert bad.folds()
