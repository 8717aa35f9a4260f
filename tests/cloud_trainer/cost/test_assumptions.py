from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cloud_trainer.cost.assumptions import Assumptions
from cloud_trainer.cost.measured import LEAST_DECISIONS, Measurements, begin
from cloud_trainer.cost.reading import assumptions_of, read_assumptions, template
from cloud_trainer.cost.reckoning import reckon
from cloud_trainer.errors import WalkoutTrainerError

FIGURES = Assumptions().figures()


def test_every_figure_says_where_it_comes_from_and_lies_within_its_range() -> None:
    for figure in FIGURES:
        assert figure.source, figure.path
        assert figure.least <= figure.low <= figure.default <= figure.high <= figure.most, figure
        assert figure.low < figure.high, figure.path
        assert bool(figure.as_of) == (figure.kind != "assumption"), figure.path
        assert figure.unit, figure.path


def test_what_was_measured_names_a_page_or_a_setting_that_there_is() -> None:
    docs = Path(__file__).resolve().parents[3]
    for figure in FIGURES:
        if figure.kind == "measured" and figure.source.startswith("docs/"):
            assert (docs / figure.source.partition(":")[0]).is_file(), figure.path


def test_the_template_says_everything_and_reads_as_it_was_written(tmp_path: Path) -> None:
    changed = Assumptions().having("shop.shops", 7)
    file = tmp_path / "mine.yaml"
    file.write_text(template(changed), encoding="utf-8")
    assert read_assumptions(file).figures() == changed.figures()
    written = yaml.safe_load(file.read_text("utf-8"))
    assert len([each for some in written.values() if isinstance(some, dict) for each in some]) == (
        len(FIGURES)
    )


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"shop": {"shpos": 3}}, "shop.shpos"),
        ({"accuracy": {"claimed_share": 1.5}}, "accuracy.claimed_share"),
        ({"devices": {"life_years": 0}}, "devices.life_years"),
        ({"shop": {"checkouts_per_day": float("nan")}}, "shop.checkouts_per_day"),
        ({"currency": "dollars"}, "currency"),
        (["shop"], "--template"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(document: object, said: str) -> None:
    with pytest.raises(WalkoutTrainerError, match=said):
        assumptions_of(document)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(WalkoutTrainerError, match=r"none\.yaml.*name a YAML file"):
        read_assumptions(tmp_path / "none.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("shop: [", encoding="utf-8")
    with pytest.raises(WalkoutTrainerError, match=r"broken\.yaml is no YAML file"):
        read_assumptions(broken)


def test_measurements_replace_defaults_and_never_what_somebody_named() -> None:
    seen = Measurements(decisions=1000, reviews=80, training_s=1200.0, products=412)
    begun = begin(assumptions_of({"cloud": {"training_minutes": 36.9}}), seen)
    assert begun.assumptions.accuracy.lines_in_review_share == 0.08
    assert begun.assumptions.shop.products == 412
    assert begun.assumptions.cloud.training_minutes == 36.9
    told = {each.path: each for each in reckon(Assumptions(), seen).figures}
    share = told["accuracy.lines_in_review_share"]
    assert (share.kind, share.is_edited) == ("measured", False)
    assert share.source == "this fleet: 80 of 1000 recognitions"
    assert told["cloud.training_minutes"].value == 20.0


def test_a_few_decisions_say_nothing_about_a_share() -> None:
    seen = Measurements(decisions=LEAST_DECISIONS - 1, reviews=0)
    assert begin(Assumptions(), seen).assumptions == Assumptions()
