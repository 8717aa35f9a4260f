"""The manifest of a bundle: its schema, its file names and its checksum over itself.

Owns what ``manifest.json`` may say and how its text is read and written. Does not own what the
named files hold (``models.bundle.contents``) nor touching the disk (``models.bundle.folder``).

The checksum is taken over the canonical JSON text of everything but the checksum, so that a
flipped digit in a threshold or a price is refused although the text is still valid JSON. It
protects from damage, not from forgery: who signs bundles is settled where they are delivered.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.bundle.errors import BundleCorruptError, BundleVersionError, excerpt
from models.catalogue import Product
from models.decision import Thresholds
from models.preprocess import Preprocessing

SCHEMA_VERSION = 1

MANIFEST_NAME = "manifest.json"
EMBEDDER_NAME = "embedder.onnx"
INT8_NAME = "embedder.int8.onnx"
TRT_NAME = "embedder.trt.onnx"
WEIGHTS_NAME = "weights.bin"
VECTORS_NAME = "vectors.safetensors"
TEXT_NAME = "text.json"
GOLDEN_FOLDER = "golden"
EXPECTED_NAME = "golden/expected.safetensors"
NETWORK_FILES = frozenset({EMBEDDER_NAME, INT8_NAME, TRT_NAME, WEIGHTS_NAME})

_REQUIRED = frozenset({EMBEDDER_NAME, VECTORS_NAME, EXPECTED_NAME})
_GOLDEN_CROP = re.compile(r"golden/[0-9]{3}\.png")
_MIB = 2**20
_LIMITS_BYTES = {
    MANIFEST_NAME: 32 * _MIB,
    EMBEDDER_NAME: 512 * _MIB,
    INT8_NAME: 512 * _MIB,
    TRT_NAME: 512 * _MIB,
    WEIGHTS_NAME: 1024 * _MIB,
    VECTORS_NAME: 512 * _MIB,
    EXPECTED_NAME: 32 * _MIB,
    TEXT_NAME: 16 * _MIB,
}
_GOLDEN_LIMIT_BYTES = 8 * _MIB
_GOLDEN_LIMIT_PX = 64 * 10**6

_SHA256 = r"^[0-9a-f]{64}$"
_CATEGORY = r"^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,199}$"  # devices name folders after it
_VERSION = r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$"


def size_limit_bytes(name: str) -> int | None:
    """Largest size in bytes of the file ``name``, or ``None`` where no bundle has such a file.

    Args:
        name: File name relative to the bundle, with forward slashes.
    """
    if _GOLDEN_CROP.fullmatch(name):
        return _GOLDEN_LIMIT_BYTES
    return _LIMITS_BYTES.get(name)


def golden_name(row: int) -> str:
    """File name of golden crop ``row``, counted from 0."""
    return f"{GOLDEN_FOLDER}/{row:03d}.png"


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FileRecord(_Closed):
    """What a file of the bundle must look like.

    Attributes:
        sha256: Its SHA-256, 64 lower-case hexadecimal digits.
        size_bytes: Its size.
    """

    sha256: str = Field(pattern=_SHA256)
    size_bytes: int = Field(ge=0)


class BundleProduct(Product):
    """A product that the bundle recognises; its row in the centroids is its place in the list.

    Attributes:
        photos: Number of photos behind its vectors.
        enrolled: Whether it was added without training.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    photos: int = Field(ge=1)
    enrolled: bool = False


class Provenance(_Closed):
    """How the network came to be.

    Attributes:
        backbone: Name of the network that training started from.
        seed: Seed of the run.
        steps: Optimiser steps taken.
        trained_at_size_px: Side of the network input during training.
        photos: Photos trained on.
        products: Products trained on.
        catalogue_sha256: Fingerprint of the catalogue.
        walkout_version: Version of this software.
        torch_version: Version of torch.
        licence: Licence under which network and vectors may be used.
        notes: Anything else worth knowing.
    """

    backbone: str
    seed: int
    steps: int = Field(ge=0)
    trained_at_size_px: int = Field(ge=1)
    photos: int = Field(ge=0)
    products: int = Field(ge=0)
    catalogue_sha256: str
    walkout_version: str
    torch_version: str
    licence: str
    notes: str = ""


class Quantisation(_Closed):
    """What the INT8 network costs, and whether it ships.

    Attributes:
        int8_shipped: Whether ``embedder.int8.onnx`` is in the bundle.
        fp32_accuracy: Accuracy of the full-precision network, share of photos.
        int8_accuracy: Accuracy of the INT8 network on the same photos.
        parity_max_abs: Largest difference of an embedding component, trained against exported.
    """

    int8_shipped: bool
    fp32_accuracy: float | None = Field(default=None, ge=0, le=1)
    int8_accuracy: float | None = Field(default=None, ge=0, le=1)
    parity_max_abs: float = Field(ge=0)


class Manifest(_Closed):
    """Everything a bundle says about itself.

    Attributes:
        schema_version: Always ``SCHEMA_VERSION``.
        category: The category whose products it recognises.
        version: Name of this edition; safe as part of a file name.
        space_id: Identity of the embedding space, see ``space_id_of``.
        created_at: When it was written, with its time zone.
        preprocessing: How crops become network input.
        embedding_dim: Length ``D`` of an embedding.
        files: Record of every file but the manifest, by name relative to the bundle.
        thresholds: TL and TH with the error budget they were fitted to.
        products: The products; their order is the order of the centroids.
        provenance: How the network came to be.
        evaluation: Figures and remarks of the evaluation, by name.
        quantisation: What INT8 costs.
        checksum: SHA-256 over the canonical JSON of all else.
    """

    schema_version: int = Field(default=SCHEMA_VERSION, ge=SCHEMA_VERSION, le=SCHEMA_VERSION)
    category: str = Field(pattern=_CATEGORY)
    version: str = Field(pattern=_VERSION)
    space_id: str = Field(pattern=_SHA256)
    created_at: AwareDatetime
    preprocessing: Preprocessing
    embedding_dim: int = Field(ge=2, le=8192)
    files: dict[str, FileRecord]
    thresholds: Thresholds
    products: tuple[BundleProduct, ...] = Field(min_length=1, max_length=1_000_000)
    provenance: Provenance
    evaluation: dict[str, float | str | None]
    quantisation: Quantisation
    checksum: str = Field(pattern=_SHA256)

    @model_validator(mode="after")
    def _files_are_those_of_a_bundle(self) -> Manifest:
        for name, record in self.files.items():
            limit = size_limit_bytes(name)
            if limit is None or name == MANIFEST_NAME:
                raise ValueError(f"no bundle has a file named {name!r}")
            if record.size_bytes > limit:
                raise ValueError(f"{name} would be {record.size_bytes} bytes, over {limit}")
        if missing := _REQUIRED - self.files.keys():
            raise ValueError(f"required files are not listed: {', '.join(sorted(missing))}")
        crops = self.golden_crops
        if not crops or set(map(golden_name, range(crops))) - self.files.keys():
            raise ValueError("golden crops must be numbered from 000 without a gap")
        if crops * self.preprocessing.input_size_px**2 > _GOLDEN_LIMIT_PX:
            raise ValueError(f"{crops} golden crops hold over {_GOLDEN_LIMIT_PX} pixels together")
        if self.quantisation.int8_shipped != (INT8_NAME in self.files):
            raise ValueError(f"quantisation and the listed files disagree about {INT8_NAME}")
        return self

    @model_validator(mode="after")
    def _products_are_distinct(self) -> Manifest:
        seen: set[str] = set()
        for product in self.products:
            if product.sku in seen:
                raise ValueError(f"SKU {product.sku!r} is listed twice")
            seen.add(product.sku)
        return self

    @property
    def golden_crops(self) -> int:
        """Number of golden crops."""
        return sum(_GOLDEN_CROP.fullmatch(name) is not None for name in self.files)


def space_id_of(files: Mapping[str, FileRecord]) -> str:
    """Identity of the embedding space: SHA-256 over the network's and its weights' checksums.

    Bundles with the same identity may share vectors. The INT8 and TensorRT files do not count: they
    stand for the same network.

    Args:
        files: Records of a bundle's files; ``embedder.onnx`` must be among them.
    """
    weights = files.get(WEIGHTS_NAME)
    text = f"{files[EMBEDDER_NAME].sha256}\n{weights.sha256 if weights else ''}\n"
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def canonical_checksum(document: Mapping[str, object]) -> str:
    """SHA-256 of a manifest's canonical JSON without its ``checksum``.

    Args:
        document: The manifest as parsed JSON.
    """
    rest = {key: value for key, value in document.items() if key != "checksum"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def sealed(manifest: Manifest) -> Manifest:
    """The same manifest with the checksum that belongs to it."""
    checksum = canonical_checksum(manifest.model_dump(mode="json"))
    return manifest.model_copy(update={"checksum": checksum})


def manifest_text(manifest: Manifest) -> bytes:
    """The text of ``manifest.json``, UTF-8, indented for people to read."""
    document = manifest.model_dump(mode="json")
    text = json.dumps(document, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    return (text + "\n").encode()


def parse_manifest(text: bytes) -> Manifest:
    """Read the text of ``manifest.json``.

    Raises:
        BundleCorruptError: It is not JSON, fails its own checksum, or says what is not allowed.
        BundleVersionError: It follows a schema that this software does not read.
    """
    document = parse_json(text, MANIFEST_NAME)
    if not isinstance(document, dict):
        raise BundleCorruptError(f"{MANIFEST_NAME} is not a JSON object; fetch the bundle again")
    version = document.get("schema_version")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise BundleVersionError(
            f"this software reads bundles of schema version {SCHEMA_VERSION}, this one says "
            f"{excerpt(version)!r}; update the software, or export the bundle again with a "
            "version of it that matches"
        )
    try:
        checksum = canonical_checksum(document)
    except RecursionError as err:
        raise BundleCorruptError(f"{MANIFEST_NAME} is nested absurdly; fetch it again") from err
    if document.get("checksum") != checksum:
        raise BundleCorruptError(
            f"{MANIFEST_NAME} does not match its own checksum: it was damaged or edited by hand; "
            "fetch the bundle again"
        )
    try:
        return Manifest.model_validate(document)
    except ValidationError as err:
        raise BundleCorruptError(
            f"{MANIFEST_NAME} is not acceptable: {first_complaint(err)}; export the bundle again"
        ) from err


def parse_json(text: bytes, name: str) -> object:
    """Parse JSON that came from outside; stricter than the standard library.

    Repeated keys, NaN and infinities are refused: two readers could understand them differently.

    Args:
        text: The file's bytes.
        name: The file's name, for messages.

    Raises:
        BundleCorruptError: It is not such JSON.
    """

    def distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
        keys = dict(pairs)
        if len(keys) != len(pairs):
            raise ValueError("a key is repeated")
        return keys

    def finite(word: str) -> float:
        number = float(word)
        if not abs(number) <= 1e300:
            raise ValueError(f"{word[:20]} is not a number that a bundle may hold")
        return number

    try:
        document: object = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=distinct,
            parse_constant=finite,
            parse_float=finite,
        )
    except (ValueError, RecursionError) as err:
        raise BundleCorruptError(
            f"{name} is not valid JSON ({excerpt(err)}); fetch the bundle again"
        ) from err
    return document


def first_complaint(err: ValidationError) -> str:
    """The first thing that is wrong, in one line: where, and what."""
    first = err.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    return excerpt(f"{place}: {message}" if place else message)
