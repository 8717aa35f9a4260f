"""Open a bundle: verify everything, then hand out what it holds.

Owns the order of the checks. A bundle that opens has exactly the files that its manifest lists,
each with the size and checksum listed, and vectors that may be computed with. Networks are
verified by checksum but not parsed: that is the inference runtime's work, which also refuses
external data outside the bundle's own folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from models.bundle.contents import Golden, Vectors, parse_golden, parse_text, parse_vectors
from models.bundle.errors import BundleCorruptError, BundleIncompleteError, BundleSpaceError
from models.bundle.folder import file_sizes, read_file, record_of
from models.bundle.manifest import (
    EMBEDDER_NAME,
    EXPECTED_NAME,
    INT8_NAME,
    MANIFEST_NAME,
    TEXT_NAME,
    TRT_NAME,
    VECTORS_NAME,
    Manifest,
    golden_name,
    parse_manifest,
    space_id_of,
)

NetworkKind = Literal["fp32", "int8", "trt"]

_NETWORK_NAMES: Mapping[NetworkKind, str] = {
    "fp32": EMBEDDER_NAME,
    "int8": INT8_NAME,
    "trt": TRT_NAME,
}

# By precision, the largest cosine distance of a golden crop from what the bundle expects of it: a
# publisher demands what devices do, so that one never refuses what the other let through.
GOLDEN_TOLERANCE: Final[Mapping[str, float]] = {"fp32": 0.001, "int8": 0.1}


@dataclass(frozen=True)
class Bundle:
    """A verified bundle.

    Attributes:
        path: Its folder.
        manifest: What it says about itself.
        vectors: What queries are compared with.
        golden: Crops with the embeddings expected of them.
        text: Words on the packs by SKU; empty where the bundle has none.
    """

    path: Path
    manifest: Manifest
    vectors: Vectors
    golden: Golden
    text: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def skus(self) -> tuple[str, ...]:
        """SKUs in the order of the centroids."""
        return tuple(product.sku for product in self.manifest.products)

    def network_path(self, kind: NetworkKind) -> Path:
        """Path of a network file.

        Raises:
            BundleIncompleteError: The bundle has no network of this kind.
        """
        name = _NETWORK_NAMES[kind]
        if name not in self.manifest.files:
            raise BundleIncompleteError(
                f"the bundle at {self.path} has no {kind} network ({name}); "
                "use another precision or export it again with this one"
            )
        return self.path / name


def open_bundle(path: Path) -> Bundle:
    """Open and verify the bundle in the folder ``path``.

    Raises:
        BundleIncompleteError: Files are missing, or there is no bundle.
        BundleCorruptError: Something is not what the manifest promises, or not allowed.
        BundleVersionError: It follows a schema that this software does not read.
        BundleSpaceError: The network is not the one that the vectors belong to.
        BundleError: It cannot be read.
    """
    sizes = file_sizes(path)
    manifest = parse_manifest(read_file(path, MANIFEST_NAME, sizes[MANIFEST_NAME]))
    _verify_files(path, manifest, sizes)
    if manifest.space_id != space_id_of(manifest.files):
        raise BundleSpaceError(
            f"the network in {path} is not the one that its vectors were made with "
            "(the space id differs); export the bundle again"
        )
    skus = tuple(product.sku for product in manifest.products)

    def content(name: str) -> bytes:
        return read_file(path, name, manifest.files[name].size_bytes)

    return Bundle(
        path=path,
        manifest=manifest,
        vectors=parse_vectors(content(VECTORS_NAME), len(skus), manifest.embedding_dim),
        golden=parse_golden(
            content(EXPECTED_NAME),
            [content(golden_name(row)) for row in range(manifest.golden_crops)],
            skus=skus,
            input_size_px=manifest.preprocessing.input_size_px,
            embedding_dim=manifest.embedding_dim,
        ),
        text=parse_text(content(TEXT_NAME), skus) if TEXT_NAME in manifest.files else {},
    )


def require_same_space(bundles: Iterable[Bundle]) -> None:
    """Refuse bundles whose embeddings must not be compared.

    Raises:
        BundleSpaceError: They come from different networks.
    """
    first: Bundle | None = None
    for bundle in bundles:
        first = first or bundle
        if bundle.manifest.space_id != first.manifest.space_id:
            raise BundleSpaceError(
                f"{first.path} and {bundle.path} come from different networks, so their vectors "
                "cannot be searched together; keep an index for each"
            )


def _verify_files(path: Path, manifest: Manifest, sizes: Mapping[str, int]) -> None:
    names = sizes.keys() - {MANIFEST_NAME}
    if missing := manifest.files.keys() - names:
        raise BundleIncompleteError(
            f"{path} lacks {', '.join(sorted(missing))}; fetch the bundle again"
        )
    if extra := names - manifest.files.keys():
        raise BundleCorruptError(
            f"{path} holds files that its manifest does not list: {', '.join(sorted(extra))}; "
            "remove them or fetch the bundle again"
        )
    for name, record in sorted(manifest.files.items()):
        if sizes[name] != record.size_bytes:
            raise BundleCorruptError(
                f"{name} has {sizes[name]} bytes instead of {record.size_bytes}; "
                "fetch the bundle again"
            )
        if record_of(path, name) != record:
            raise BundleCorruptError(f"{name} does not match its checksum; fetch the bundle again")
