from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.bench.rounds import Figure, measure, ratio_figure
from tests.benchmarks.__main__ import main
from tests.simulators.bundles import make_bundle


def test_every_variant_is_timed_in_every_round() -> None:
    calls: list[str] = []
    ticks = iter(range(10_000))
    timings = measure(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")},
        rounds=4,
        clock=lambda: float(next(ticks)),
    )
    assert {name: len(times) for name, times in timings.by_variant_ms.items()} == {"a": 4, "b": 4}
    assert set(calls) == {"a", "b"}
    assert timings.ratios("a", "b").shape == (4,)


@pytest.mark.parametrize(
    ("value", "sense", "verdict"),
    [
        (0.95, "at least", "PASS"),
        (0.91, "at least", "PASS"),
        (0.89, "at least", "FAIL"),
        (1.09, "at most", "PASS"),
        (1.11, "at most", "FAIL"),
    ],
)
def test_a_gate_may_be_missed_by_the_slack_and_no_more(
    value: float, sense: str, verdict: str
) -> None:
    assert ratio_figure("x", np.full(5, value), 1.0, sense).verdict == verdict  # type: ignore[arg-type]


def test_a_figure_without_slack_must_meet_its_gate_and_one_without_gate_has_no_verdict() -> None:
    assert Figure("x", 0.9949, gate=0.995).verdict == "FAIL"
    assert Figure("x", 0.1).verdict == ""


def test_a_run_measures_everything_and_writes_it_down(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", products=3)
    target = tmp_path / "figures.json"
    code = main(["--bundle", str(bundle.path), "--json", str(target), "--quick"])
    document = json.loads(target.read_text())
    names = " ".join(figure["name"] for figure in document["figures"])
    for words in (
        "network alone",
        "bare resize",
        "300 products",
        "recall@1",
        "one photo",
        "best alternative",
        "openvino fp32 / ONNX Runtime",
        "four cameras, 180 crops",
    ):
        assert words in names
    identical = [f for f in document["figures"] if "bit-identical" in f["name"]]
    assert identical[0]["verdict"] == "PASS"
    assert code in (0, 1)


def test_a_bundle_that_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--bundle", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
