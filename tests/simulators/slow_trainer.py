"""A worker in the place of a training: waits for a word, then writes a small bundle of cartons."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from cloud_trainer.executors import sole_worker, write_progress
from tests.simulators.bundles import make_bundle

GO_NAME = "go"
_PATIENCE_S = 60.0


def main() -> int:
    """Run the job of the folder named on the command line."""
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text())
    with sole_worker(folder):
        with (folder / "attempts").open("a") as attempts:
            attempts.write("begun\n")
        write_progress(folder, {"phase": "training", "step": 1, "steps": 2})
        until_s = time.monotonic() + _PATIENCE_S
        while not (folder / GO_NAME).exists():
            if time.monotonic() > until_s:
                return 1
            time.sleep(0.05)
        products = len(job["products"])
        make_bundle(Path(job["target"]), products, category=job["category"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
