"""Measuring side by side, as devices do it too: see ``edge.bench.rounds``."""

from edge.bench.rounds import SLACK, Figure, Timings, measure, ratio_figure

__all__ = ["SLACK", "Figure", "Timings", "measure", "ratio_figure"]
