"""A worker that learns a little, with checkpoints: what a training is to an executor, in a second.

Logistic regression by stochastic gradient steps on drawn points; like a real training it is a
function of its job and goes on from its checkpoint when it is started again.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from cloud_trainer.executors import sole_worker, write_progress


def main() -> int:
    """Run the job of the folder named on the command line."""
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text())
    with sole_worker(folder):
        _learn(folder, int(job["seed"]), int(job["steps"]))
    return 0


def _learn(folder: Path, seed: int, steps: int) -> None:
    checkpoint = folder / "checkpoint.npz"
    weights, begun = np.zeros(8), 0
    if checkpoint.exists():
        saved = np.load(checkpoint)
        weights, begun = saved["weights"], int(saved["step"])
    with (folder / "attempts").open("a") as attempts:
        attempts.write(f"{os.getpid()} from {begun}\n")
    truth = np.random.default_rng(seed).standard_normal(8)
    for step in range(begun, steps):
        rng = np.random.default_rng((seed, step))
        points = rng.standard_normal((64, 8))
        wanted = points @ truth > 0
        weights += points.T @ (wanted - 1 / (1 + np.exp(-points @ weights))) / 64
        if (step + 1) % 5 == 0:
            fresh = folder / "checkpoint.new.npz"
            np.savez(fresh, weights=weights, step=step + 1)
            fresh.replace(checkpoint)
        write_progress(folder, {"step": step + 1, "steps": steps, "pid": os.getpid()})
        time.sleep(0.02)
    np.save(folder / "weights.npy", weights)


if __name__ == "__main__":
    sys.exit(main())
