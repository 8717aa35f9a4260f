"""Write a bundle so that it is there as a whole or not at all.

Everything goes to a folder beside the target, is flushed to the disk, opened and verified like any
foreign bundle, and only then takes the target's name.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace as replaced
from datetime import datetime, timezone
from pathlib import Path

from pydantic import ValidationError

from models.bundle.contents import (
    Golden,
    Vectors,
    crop_png,
    expected_bytes,
    text_bytes,
    vectors_bytes,
)
from models.bundle.errors import BundleWriteError
from models.bundle.folder import record_of
from models.bundle.manifest import (
    EMBEDDER_NAME,
    EXPECTED_NAME,
    GOLDEN_FOLDER,
    INT8_NAME,
    MANIFEST_NAME,
    NETWORK_FILES,
    TEXT_NAME,
    TRT_NAME,
    VECTORS_NAME,
    WEIGHTS_NAME,
    BundleProduct,
    Manifest,
    Provenance,
    Quantisation,
    first_complaint,
    golden_name,
    manifest_text,
    sealed,
    space_id_of,
)
from models.bundle.reading import Bundle, open_bundle
from models.decision import Thresholds
from models.preprocess import Preprocessing


def write_bundle(
    target: Path,
    *,
    category: str,
    version: str,
    preprocessing: Preprocessing,
    thresholds: Thresholds,
    products: Sequence[BundleProduct],
    provenance: Provenance,
    evaluation: Mapping[str, float | str | None],
    quantisation: Quantisation,
    networks: Mapping[str, Path],
    vectors: Vectors,
    golden: Golden,
    text: Mapping[str, Sequence[str]] | None = None,
    created_at: datetime | None = None,
    replace: bool = False,
) -> Bundle:
    """Write a bundle to the folder ``target``, whose parents are made where they are missing.

    Args:
        target: The bundle's folder.
        category: The category whose products it recognises.
        version: Name of this edition.
        preprocessing: How crops become network input.
        thresholds: TL and TH.
        products: The products in the order of the centroids.
        provenance: How the network came to be.
        evaluation: Figures of the evaluation by name.
        quantisation: What INT8 costs.
        networks: Where to copy the network files from, by their name in the bundle:
            ``embedder.onnx`` and, where there are such, ``embedder.int8.onnx``,
            ``embedder.trt.onnx`` and ``weights.bin``.
        vectors: What queries are compared with.
        golden: Crops with the embeddings expected of them.
        text: Words on the packs by SKU.
        created_at: When it was made, with time zone; now by default.
        replace: Whether a bundle that is already there may be replaced.

    Returns:
        The bundle as read back.

    Raises:
        BundleWriteError: The target exists or cannot be written, or a part is missing.
        BundleError: What was given does not make a valid bundle.
    """
    _require_free(target, replace)
    if EMBEDDER_NAME not in networks or networks.keys() - NETWORK_FILES:
        raise BundleWriteError(
            f"a bundle is made of {EMBEDDER_NAME} and possibly {INT8_NAME}, {TRT_NAME} and "
            f"{WEIGHTS_NAME}, not of {sorted(networks)}"
        )
    skus = [product.sku for product in products]
    if strangers := set(golden.skus) - set(skus):
        raise BundleWriteError(f"golden crops show products not in the bundle: {min(strangers)!r}")
    draft = target.parent / f".{target.name}.{secrets.token_hex(4)}"
    try:
        (draft / GOLDEN_FOLDER).mkdir(parents=True)
        for name, source in networks.items():
            shutil.copyfile(source, draft / name)
        (draft / VECTORS_NAME).write_bytes(vectors_bytes(vectors))
        (draft / EXPECTED_NAME).write_bytes(expected_bytes(golden, skus))
        for row, crop in enumerate(golden.crops):
            (draft / golden_name(row)).write_bytes(crop_png(crop))
        if text:
            (draft / TEXT_NAME).write_bytes(text_bytes(text))
        names = [path.relative_to(draft).as_posix() for path in draft.rglob("*") if path.is_file()]
        files = {name: record_of(draft, name) for name in sorted(names)}
        manifest = Manifest(
            category=category,
            version=version,
            space_id=space_id_of(files),
            created_at=created_at or datetime.now(timezone.utc),
            preprocessing=preprocessing,
            embedding_dim=vectors.centroids.shape[1],
            files=files,
            thresholds=thresholds,
            products=tuple(products),
            provenance=provenance,
            evaluation=dict(evaluation),
            quantisation=quantisation,
            checksum="0" * 64,
        )
        (draft / MANIFEST_NAME).write_bytes(manifest_text(sealed(manifest)))
        bundle = open_bundle(draft)
        for path in (*draft.rglob("*"), draft):
            _flush(path)
        _take_place(draft, target)
        _flush(target.parent)
    except ValidationError as err:
        raise BundleWriteError(f"this makes no valid bundle: {first_complaint(err)}") from err
    except OSError as err:
        raise BundleWriteError(
            f"cannot write a bundle to {target}: {err.strerror} ({err.filename}); "
            "choose a folder that you may write to and that has room"
        ) from err
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return replaced(bundle, path=target)


def _require_free(target: Path, replace: bool) -> None:
    if (target.parent / MANIFEST_NAME).is_file():
        raise BundleWriteError(
            f"{target} would lie inside the bundle {target.parent} and spoil it; "
            "choose another folder"
        )
    if not os.path.lexists(target):
        return
    if not replace:
        raise BundleWriteError(f"{target} exists already; choose another folder or replace it")
    if target.is_symlink() or not (target / MANIFEST_NAME).is_file():
        raise BundleWriteError(f"{target} is not a bundle, so it is not replaced; remove it first")


def _flush(path: Path) -> None:
    """Bring a file or folder to the disk, so that a rename never promises what is not there yet."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take_place(draft: Path, target: Path) -> None:
    if not target.exists():
        draft.rename(target)
        return
    old = target.parent / f"{draft.name}.old"
    target.rename(old)
    try:
        draft.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
