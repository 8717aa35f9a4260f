"""``python -m models.bundle PARTS --network DIR --out DIR``: compose a bundle."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from models.bundle.composing import compose_bundle
from models.bundle.errors import BundleError


def main(arguments: list[str] | None = None) -> int:
    """Compose what the command line names; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m models.bundle",
        description="Put a bundle together from its small parts and a network that is there.",
    )
    parser.add_argument("parts", type=Path, metavar="PARTS", help="manifest, vectors, golden crops")
    parser.add_argument("--network", type=Path, required=True, help="folder with its network")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    asked = parser.parse_args(arguments)
    try:
        bundle = compose_bundle(asked.parts, asked.network, asked.out)
    except BundleError as err:
        print(f"error: {err}", file=sys.stderr)
        return 2
    print(f"{bundle.path}: {len(bundle.skus)} products, category {bundle.manifest.category}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
