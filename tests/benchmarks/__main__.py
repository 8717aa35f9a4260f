"""``python -m tests.benchmarks``: measure, print a table, end with 1 where a gate is missed."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from edge.bench.rounds import Figure
from models.bundle import BundleError, open_bundle
from tests.benchmarks.alternatives import against_alternatives, backends, four_cameras
from tests.benchmarks.cameras import idle_cost, shop_pace
from tests.benchmarks.recognition import Bench, all_figures
from tests.benchmarks.visual_search import search_throughput

DEFAULT_BUNDLE = Path(__file__).parents[2] / "models" / "pretrained" / "groceries"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE, help="bundle to measure")
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--rounds", type=int, default=15, help="rounds of each comparison")
    parser.add_argument("--threads", type=int, help="threads of the network (default: all cores)")
    parser.add_argument("--shop", type=Path, help="recorded shop to hold against the clock")
    parser.add_argument("--cameras-only", action="store_true", help="nothing about recognition")
    parser.add_argument(
        "--runtimes-only", action="store_true", help="backends, alternatives and four cameras"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="how long cameras are played")
    parser.add_argument(
        "--quick", action="store_true", help="few products and rounds: only to see that it runs"
    )
    asked = parser.parse_args(arguments)
    try:
        bundle = open_bundle(asked.bundle)
    except BundleError as err:
        sys.stderr.write(f"benchmarks: {err}\n")
        return 2
    before = os.getloadavg()
    bench = Bench(bundle, asked.rounds, asked.threads)
    if asked.quick:
        bench = replace(bench, rounds=2, match_among=300, sizes=(300,))
    figures: list[Figure] = []
    if not (asked.cameras_only or asked.runtimes_only):
        figures += all_figures(bench)
        figures += search_throughput(bundle, min(bench.rounds, 7))
    if not asked.cameras_only:
        figures += [*backends(bench), *against_alternatives(bench)]
        figures += four_cameras(bench, 1.0 if asked.quick else asked.seconds)
    if not asked.runtimes_only:
        figures += idle_cost(bench.rounds, 20 if asked.quick else 90)
    if asked.shop:
        figures += shop_pace(asked.shop)
    machine = {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in ("numpy", "onnxruntime", "hnswlib")},
        "load_before": before,
        "load_after": os.getloadavg(),
        "rounds": bench.rounds,
        "bundle": f"{bundle.manifest.category} {bundle.manifest.version}",
    }
    _print(figures, machine)
    if asked.json:
        document = {
            "machine": machine,
            "figures": [{**asdict(figure), "verdict": figure.verdict} for figure in figures],
        }
        asked.json.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    return int(any(figure.verdict == "FAIL" for figure in figures))


def _print(figures: Sequence[Figure], machine: dict[str, Any]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=180)
    table = Table(box=None, pad_edge=False)
    table.add_column("figure", overflow="fold")
    for heading in ("median", "quartiles", "gate"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("detail", overflow="fold")
    for figure in figures:
        spread = f"{figure.spread[0]:.3f}..{figure.spread[1]:.3f}" if figure.spread else ""
        gate = ""
        if figure.gate is not None:
            slack = f" ({figure.slack:.0%} slack)" if figure.slack else ""
            gate = f"{figure.sense} {figure.gate:g}{slack}"
        value = f"{figure.value:.3f} {figure.unit}".strip()
        table.add_row(figure.name, value, spread, gate, figure.verdict, figure.detail)
    console.print(table)
    console.print(", ".join(f"{key} {value}" for key, value in machine.items()), highlight=False)
    load = max(machine["load_before"][0] - 0.5, 0)
    if load > 0.5:
        console.print(
            f"the machine was busy when this began (load {machine['load_before'][0]:.1f}): "
            "ratios hold within the slack, times do not"
        )


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    sys.exit(main())
