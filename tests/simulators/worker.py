"""A worker for tests of executors: does what its job says, which may be to fail or to hang."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from cloud_trainer.executors import write_progress


def main() -> int:
    """Run the job of the folder named on the command line."""
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text())
    write_progress(folder, {"pid": os.getpid()})
    if job["do"] == "fail":
        sys.stdout.write(f"{job['message']}\n")
        return 1
    if job["do"] == "environment":
        write_progress(folder, dict(os.environ))
        return 0
    time.sleep(60 if job["do"] == "hang" else job["after_s"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
