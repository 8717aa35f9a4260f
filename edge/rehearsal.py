"""Everything that a start of a shop opens, opened once without starting it.

What a release of the software is asked before it is ever started: each thing that a new version may
fail at on this device, with this device's own files. Nothing is written where the shop writes.
"""

from __future__ import annotations

import os
import tempfile
from importlib import metadata
from pathlib import Path

from edge.checkout.ledger import Ledger
from edge.config import StoreConfig
from edge.config_file import load_config
from edge.keeping.snapshot import copy_database
from edge.runtime.golden import check_golden
from edge.runtime.opening import open_embedder
from edge.runtime.settings import RuntimeSettings
from edge.shop.premises import open_premises
from edge.shop.replay import LEDGER_NAME
from edge.updates.pointer import POINTER_NAME, read_pointer
from models.bundle import Bundle, open_bundle


def rehearsed(file: Path, state: Path | None = None) -> str:
    """Open all that a start of a shop needs.

    Args:
        file: Its ``store.yaml``.
        state: Folder of its ledger; the configuration's when left out.

    Returns:
        What was found, for people.

    Raises:
        WalkoutEdgeError: Something does not open.
        BundleError: A bundle is damaged.
    """
    config = load_config(file, os.environ)
    premises = open_premises(config, file.parent)
    bundles = {bundle.manifest.category: bundle for bundle in premises.bundles}
    bundles |= {bundle.manifest.category: bundle for bundle in _released(config, file.parent)}
    for bundle in bundles.values():
        # On the CPU: an engine belongs to the shop that runs, and is built anew if it has to be.
        check_golden(
            bundle, open_embedder(bundle, RuntimeSettings(backend="onnxruntime"), config.threads)
        )
    rows = _rows(config, (state or file.parent / config.state) / LEDGER_NAME)
    return (
        f"Walkout {metadata.version('walkout')} opens {config.store.name}: "
        f"{len(config.cameras)} cameras, {len(premises.products)} products, {len(bundles)} bundles "
        f"with their golden crops, a ledger of {rows} rows"
    )


def _released(config: StoreConfig, folder: Path) -> tuple[Bundle, ...]:
    """Bundles that came by updates and serve."""
    if config.updates is None:
        return ()
    updates = folder / config.updates.folder
    pointer = read_pointer(updates / POINTER_NAME)
    return tuple(
        open_bundle(updates / "bundles" / category / str(served.release))
        for category, served in pointer.categories.items()
        if served.release is not None
    )


def _rows(config: StoreConfig, ledger: Path) -> int:
    """Rows of the ledger, all of them read by this version, from a copy."""
    if not ledger.exists():
        return 0
    with tempfile.TemporaryDirectory(prefix="walkout-rehearsal-") as scratch:
        copy = Path(scratch) / LEDGER_NAME
        copy_database(ledger, copy)
        with Ledger(copy, config.store.id) as opened:
            return sum(1 for _ in opened.entries())
