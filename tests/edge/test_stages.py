from __future__ import annotations

import time

from edge.stages import StageClock


def burn(seconds: float) -> None:
    until_s = time.thread_time() + seconds
    while time.thread_time() < until_s:
        pass


def test_a_stage_within_another_counts_for_itself_alone() -> None:
    stages = StageClock()
    began_s = time.thread_time()
    with stages.stage("shelf"):
        burn(0.02)
        with stages.stage("recognise"):
            burn(0.05)
        with stages.stage("recognise"):
            burn(0.05)
    took_s = time.thread_time() - began_s
    spent = stages.spent_s()
    assert spent["recognise"] >= 0.1
    assert 0.02 <= spent["shelf"] <= took_s - 0.1
    assert sum(spent.values()) <= took_s
    assert spent["floor"] == 0


def test_a_stage_that_fails_is_counted_too() -> None:
    stages = StageClock()
    try:
        with stages.stage("floor"):
            burn(0.01)
            raise ValueError
    except ValueError:
        pass
    assert stages.spent_s()["floor"] >= 0.01
