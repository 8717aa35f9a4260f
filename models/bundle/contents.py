"""What a bundle holds besides networks: vectors, golden crops and pack text, to bytes and back.

Pure: bytes in, checked values out. Everything read is checked against the manifest for names,
types, shapes, finiteness, unit length and counts before anybody computes with it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from models.bundle.errors import BundleCorruptError, excerpt
from models.bundle.manifest import EXPECTED_NAME, TEXT_NAME, VECTORS_NAME, parse_json

# Half precision rounds a component by at most 2^-11 of itself, and so the length of a vector.
_UNIT_TOLERANCE = 1e-3
_NUMBERS: Mapping[str, str] = {"F16": "<f2", "F32": "<f4", "I32": "<i4"}
_PNG_START = b"\x89PNG\r\n\x1a\n"
_MAX_WORDS = 1000
_MAX_WORD_LENGTH = 200


@dataclass(frozen=True)
class Vectors:
    """What queries are compared with; all rows have unit length.

    Attributes:
        centroids: Shape ``(P, D)`` float32, one row a product in the order of the manifest.
        anchors: Shape ``(A, D)`` float32, at least one a product; half precision on the disk.
        anchor_products: Shape ``(A,)`` int32, the product's row of each anchor.
        negatives: Shape ``(N, D)`` float32, looks that are not the product; ``N`` may be 0.
        negative_products: Shape ``(N,)`` int32, the product's row of each negative.
    """

    centroids: NDArray[np.float32]
    anchors: NDArray[np.float32]
    anchor_products: NDArray[np.int32]
    negatives: NDArray[np.float32]
    negative_products: NDArray[np.int32]


@dataclass(frozen=True)
class Golden:
    """Crops with the embeddings that any build of the network must reproduce.

    Attributes:
        crops: Shape ``(G, S, S, 3)`` uint8 BGR, ready for the network; at least one.
        embeddings: Shape ``(G, D)`` float32, unit length, as the fp32 network gives them.
        skus: The product that each crop shows, ``G`` of them.
    """

    crops: NDArray[np.uint8]
    embeddings: NDArray[np.float32]
    skus: tuple[str, ...]


def vectors_bytes(vectors: Vectors) -> bytes:
    """The content of ``vectors.safetensors``."""
    return save(
        {
            "centroids": np.ascontiguousarray(vectors.centroids, np.float32),
            "anchors": np.ascontiguousarray(vectors.anchors, np.float16),
            "anchor_products": np.ascontiguousarray(vectors.anchor_products, np.int32),
            "negatives": np.ascontiguousarray(vectors.negatives, np.float16),
            "negative_products": np.ascontiguousarray(vectors.negative_products, np.int32),
        }
    )


def parse_vectors(content: bytes, products: int, embedding_dim: int) -> Vectors:
    """Read ``vectors.safetensors``.

    Args:
        content: The file.
        products: Number of products in the manifest.
        embedding_dim: Length of an embedding in the manifest.

    Raises:
        BundleCorruptError: It is not what the manifest promises.
    """
    tensors = _tensors(
        content,
        VECTORS_NAME,
        {
            "centroids": ("F32", (products, embedding_dim)),
            "anchors": ("F16", (None, embedding_dim)),
            "anchor_products": ("I32", (None,)),
            "negatives": ("F16", (None, embedding_dim)),
            "negative_products": ("I32", (None,)),
        },
    )
    vectors = Vectors(
        centroids=_unit_rows(tensors["centroids"], "centroids"),
        anchors=_unit_rows(tensors["anchors"], "anchors"),
        anchor_products=_rows_of(tensors["anchor_products"], "anchor_products", products),
        negatives=_unit_rows(tensors["negatives"], "negatives"),
        negative_products=_rows_of(tensors["negative_products"], "negative_products", products),
    )
    for kind, rows, owners in (
        ("anchors", vectors.anchors, vectors.anchor_products),
        ("negatives", vectors.negatives, vectors.negative_products),
    ):
        if len(rows) != len(owners):
            raise _wrong(VECTORS_NAME, f"{len(rows)} {kind} but products for {len(owners)}")
    without = np.setdiff1d(np.arange(products), vectors.anchor_products)
    if without.size:
        raise _wrong(VECTORS_NAME, f"product {int(without[0])} has no anchor")
    return vectors


def expected_bytes(golden: Golden, skus: Sequence[str]) -> bytes:
    """The content of ``golden/expected.safetensors``.

    Args:
        golden: The golden crops.
        skus: SKUs of the bundle in the order of the manifest; holds those of the crops.
    """
    rows = [skus.index(sku) for sku in golden.skus]
    return save(
        {
            "embeddings": np.ascontiguousarray(golden.embeddings, np.float32),
            "crop_products": np.asarray(rows, np.int32),
        }
    )


def parse_golden(
    content: bytes,
    pngs: Sequence[bytes],
    *,
    skus: Sequence[str],
    input_size_px: int,
    embedding_dim: int,
) -> Golden:
    """Read the golden crops and what is expected of them.

    Args:
        content: ``golden/expected.safetensors``.
        pngs: The PNG files, in order.
        skus: SKUs of the bundle in the order of the manifest.
        input_size_px: Side of the network input.
        embedding_dim: Length of an embedding.

    Raises:
        BundleCorruptError: It is not what the manifest promises.
    """
    tensors = _tensors(
        content,
        EXPECTED_NAME,
        {"embeddings": ("F32", (len(pngs), embedding_dim)), "crop_products": ("I32", (len(pngs),))},
    )
    rows = _rows_of(tensors["crop_products"], "crop_products", len(skus), EXPECTED_NAME)
    embeddings = _unit_rows(tensors["embeddings"], "embeddings", EXPECTED_NAME)
    crops = np.stack([_parse_crop(png, row, input_size_px) for row, png in enumerate(pngs)])
    crops.flags.writeable = False
    return Golden(crops=crops, embeddings=embeddings, skus=tuple(skus[row] for row in rows))


def crop_png(crop_bgr: NDArray[np.uint8]) -> bytes:
    """A golden crop, shape ``(S, S, 3)``, as PNG."""
    return cv2.imencode(".png", crop_bgr)[1].tobytes()


def _parse_crop(png: bytes, row: int, input_size_px: int) -> NDArray[np.uint8]:
    # Only what we write is let through to the decoder: three kinds of chunk, and the very size
    # that the network takes, so that neither a bomb nor an exotic feature of PNG reaches it.
    name = f"golden crop {row}"
    header = struct.pack(">II5B", input_size_px, input_size_px, 8, 2, 0, 0, 0)
    if not png.startswith(_PNG_START + struct.pack(">I4s", 13, b"IHDR") + header):
        raise _wrong(name, f"not a plain PNG of {input_size_px} x {input_size_px} pixels")
    position, kind = len(_PNG_START), b""
    while position < len(png):
        length, kind = struct.unpack_from(">I4s", png.ljust(position + 8, b"\0"), position)
        if kind not in (b"IHDR", b"IDAT", b"IEND"):
            raise _wrong(name, f"holds a chunk {kind!r} that golden crops do not have")
        position += 12 + length
    if position != len(png) or kind != b"IEND":
        raise _wrong(name, "cut short or followed by something")
    try:
        crop = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as err:
        raise _wrong(name, "cannot be decoded") from err
    if crop is None or crop.shape != (input_size_px, input_size_px, 3):
        raise _wrong(name, "cannot be decoded")
    return np.asarray(crop, np.uint8)


def text_bytes(text: Mapping[str, Sequence[str]]) -> bytes:
    """The content of ``text.json``: the words on each product's pack, by SKU."""
    document = {sku: list(words) for sku, words in text.items()}
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def parse_text(content: bytes, skus: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read ``text.json``.

    Args:
        content: The file.
        skus: SKUs of the bundle; words of other products are refused.

    Raises:
        BundleCorruptError: It is not a table of words by SKU.
    """
    document = parse_json(content, TEXT_NAME)
    if not isinstance(document, dict):
        raise _wrong(TEXT_NAME, "not a JSON object")
    if unknown := document.keys() - set(skus):
        raise _wrong(TEXT_NAME, f"words of a product that is not in the bundle: {min(unknown)!r}")
    for sku, words in document.items():
        if not isinstance(words, list) or len(words) > _MAX_WORDS:
            raise _wrong(TEXT_NAME, f"{sku!r} has no list of at most {_MAX_WORDS} words")
        if not all(isinstance(word, str) and len(word) <= _MAX_WORD_LENGTH for word in words):
            raise _wrong(TEXT_NAME, f"{sku!r} has something else than words")
    return {sku: tuple(words) for sku, words in document.items()}


def _wrong(name: str, what: str) -> BundleCorruptError:
    return BundleCorruptError(f"{name}: {excerpt(what)}; export the bundle again")


def _tensors(
    content: bytes, name: str, expected: Mapping[str, tuple[str, tuple[int | None, ...]]]
) -> dict[str, NDArray[np.generic]]:
    """Arrays of a safetensors file that holds exactly the expected ones (``None``: any length)."""
    try:
        found = dict(deserialize(content))  # type: ignore[no-untyped-call]
    except (SafetensorError, ValueError) as err:
        raise _wrong(name, f"not a safetensors file ({err})") from err
    if found.keys() != expected.keys():
        raise _wrong(name, f"holds {sorted(found)}, not {sorted(expected)}")
    arrays: dict[str, NDArray[np.generic]] = {}
    for key, (kind, shape) in expected.items():
        stored, stored_shape = found[key]["dtype"], tuple(found[key]["shape"])
        fits = len(stored_shape) == len(shape) and all(
            want in (None, got) for want, got in zip(shape, stored_shape, strict=True)
        )
        if stored != kind or not fits:
            raise _wrong(name, f"{key} is {stored} {stored_shape}, not {kind} {shape}")
        arrays[key] = np.frombuffer(found[key]["data"], _NUMBERS[kind]).reshape(stored_shape)
    return arrays


def _unit_rows(
    rows: NDArray[np.generic], key: str, name: str = VECTORS_NAME
) -> NDArray[np.float32]:
    vectors = rows.astype(np.float32)
    # Not even the square of a finite row may overflow; NaN fails the comparison as well.
    with np.errstate(over="ignore", invalid="ignore"):
        off = np.abs(np.linalg.norm(vectors, axis=1) - 1)
    bad = np.flatnonzero(~(off <= _UNIT_TOLERANCE))
    if bad.size:
        raise _wrong(name, f"row {int(bad[0])} of {key} is not a vector of unit length")
    vectors.flags.writeable = False
    return vectors


def _rows_of(
    rows: NDArray[np.generic], key: str, products: int, name: str = VECTORS_NAME
) -> NDArray[np.int32]:
    indices = rows.astype(np.int32)
    if indices.size and (int(indices.min()) < 0 or int(indices.max()) >= products):
        raise _wrong(name, f"{key} points at a product that is not among the {products}")
    indices.flags.writeable = False
    return indices
