"""``python -m tests.edge.kills --times 200 FOLDER``: see ``tests.edge.shop.killing``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.edge.shop.killing import kill_replays


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="walkout-kills-") as scratch:
        told = kill_replays(
            asked.folder,
            Path(scratch),
            asked.times,
            asked.seed,
            lambda text: print(text, file=sys.stderr, flush=True),
        )
    print(json.dumps(asdict(told), indent=2))
    wrong = told.events_lost + told.charged_twice + told.other_digests + told.crops_lost
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
