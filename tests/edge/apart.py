"""``python -m tests.edge.apart``: see ``tests.edge.shop.apart``."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from tests.edge.shop.apart import live_apart, record_shop
from tests.simulators.bundles import make_bundle


def main() -> int:
    """Print what came of it; 1 where anything was lost, doubled or wrong."""
    began_s = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - began_s:6.1f} s  {text}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="walkout-apart-") as scratch:
        folder = Path(scratch)
        bundle = make_bundle(folder / "dairy", products=6, category="dairy")
        shop = record_shop(folder / "recorded", bundle.path)
        tell("the shop is rendered")
        told = live_apart(shop, folder, tell)
    print(json.dumps(asdict(told), indent=2))
    return int(not told.well)


if __name__ == "__main__":
    sys.exit(main())
