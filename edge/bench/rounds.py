"""Measuring side by side: shuffled variants in rounds, ratios by round, gates with a slack.

Times of a shared machine wander by tens of percent from minute to minute. Within one round all
variants meet the same weather, so each round gives one ratio, and the median over rounds is what
is held against a gate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

SLACK: Final = 0.10
_SHORTEST_TIMING_S: Final = 0.01


@dataclass(frozen=True)
class Timings:
    """Milliseconds of one call, by variant and round.

    Attributes:
        by_variant_ms: For each variant an array ``(rounds,)``.
    """

    by_variant_ms: Mapping[str, NDArray[np.float64]]

    def median_ms(self, variant: str) -> float:
        """Median over rounds of one call."""
        return float(np.median(self.by_variant_ms[variant]))

    def ratios(self, numerator: str, denominator: str) -> NDArray[np.float64]:
        """The ratio of two variants in each round."""
        return self.by_variant_ms[numerator] / self.by_variant_ms[denominator]


def measure(
    variants: Mapping[str, Callable[[], object]],
    rounds: int = 15,
    clock: Callable[[], float] = time.perf_counter,
    seed: int = 0,
) -> Timings:
    """Time variants round by round, in a shuffled order in each.

    A variant that is quicker than 10 ms is called as often as it takes to fill them.

    Args:
        variants: What to call, by name.
        rounds: Number of rounds.
        clock: ``time.thread_time`` for work of one thread, wall time otherwise.
        seed: Seed of the order.
    """
    rng = np.random.default_rng(seed)
    names = list(variants)
    repeats = {name: _repeats(variants[name]) for name in names}
    elapsed_ms = {name: np.empty(rounds) for name in names}
    for turn in range(rounds):
        for place in rng.permutation(len(names)):
            name = names[place]
            call, times = variants[name], repeats[name]
            started_s = clock()
            for _ in range(times):
                call()
            elapsed_ms[name][turn] = (clock() - started_s) * 1000 / times
    return Timings(elapsed_ms)


def _repeats(call: Callable[[], object]) -> int:
    call()
    started_s = time.perf_counter()
    call()
    elapsed_s = time.perf_counter() - started_s
    return max(1, round(_SHORTEST_TIMING_S / max(elapsed_s, 1e-6)))


@dataclass(frozen=True)
class Figure:
    """One measured figure and, where there is one, its gate.

    Attributes:
        name: What was measured.
        value: The figure.
        unit: Its unit; empty for a ratio.
        gate: What is asked for, or ``None``.
        sense: Whether the figure must be at least or at most the gate.
        slack: Share by which the figure may miss the gate for the sake of noise.
        spread: Quartiles of the rounds, where there were rounds.
        detail: What a reader should know about it.
    """

    name: str
    value: float
    unit: str = ""
    gate: float | None = None
    sense: Literal["at least", "at most"] = "at least"
    slack: float = 0.0
    spread: tuple[float, float] | None = None
    detail: str = ""

    @property
    def verdict(self) -> Literal["PASS", "FAIL", ""]:
        """Whether the gate is met within the slack; empty without a gate."""
        if self.gate is None:
            return ""
        if self.sense == "at least":
            met = self.value >= self.gate * (1 - self.slack)
        else:
            met = self.value <= self.gate * (1 + self.slack)
        return "PASS" if met else "FAIL"


def ratio_figure(
    name: str,
    ratios: NDArray[np.float64],
    gate: float | None = None,
    sense: Literal["at least", "at most"] = "at least",
    detail: str = "",
) -> Figure:
    """A figure from ratios by round ``(rounds,)``: their median and quartiles."""
    low, middle, high = (float(at) for at in np.percentile(ratios, (25, 50, 75)))
    return Figure(name, middle, "", gate, sense, SLACK, (low, high), detail)
