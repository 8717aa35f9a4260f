"""Damaged and hostile bundles: each is refused with a ``BundleError``, or harmless.

Over 1,000 seeded mutations of every file of a bundle. Harmless means that the bundle opens and
every value lies where the manifest's schema and the vectors' rules want it. Mutations of the first
half leave the checksums alone, as damage does; those of the second half repair them, as somebody
would who may write bundles but should not be able to stop a device.

A network whose checksums fit is not parsed by ``models.bundle`` but by ONNX Runtime, here in a
child process with bounded memory and time: it must answer every such network with an exception or
with embeddings, and outlive them all.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
import pytest
from google.protobuf.descriptor import FieldDescriptor  # type: ignore[import-untyped]
from google.protobuf.message import Message  # type: ignore[import-untyped]
from safetensors.numpy import load, save

from models.bundle import (
    EMBEDDER_NAME,
    INT8_NAME,
    MANIFEST_NAME,
    VECTORS_NAME,
    WEIGHTS_NAME,
    Bundle,
    BundleError,
    open_bundle,
)
from models.bundle.manifest import EXPECTED_NAME, TEXT_NAME, canonical_checksum
from tests.simulators.bundles import make_bundle, reseal

Mutation = Callable[[Path, Random], None]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle with every kind of file that the software reads."""
    root = make_bundle(tmp_path_factory.mktemp("pristine") / "bundle", external_weights=True).path
    (root / TEXT_NAME).write_text('{"carton-00": ["oats", "500 g"], "carton-02": []}')
    shutil.copy(root / EMBEDDER_NAME, root / INT8_NAME)

    def list_them(document: dict[str, Any]) -> None:
        for name in (TEXT_NAME, INT8_NAME):
            document["files"][name] = document["files"][EMBEDDER_NAME]
        document["quantisation"]["int8_shipped"] = True

    reseal(root, list_them)
    reseal(root)
    return open_bundle(root)


def mutants(
    pristine: Bundle, folder: Path, mutate: Mutation, rounds: int
) -> Iterator[tuple[str, Path]]:
    """Spoil fresh copies of a bundle, one a seed; yields what was done and the copy."""
    for seed in range(rounds):
        root = Path(shutil.copytree(pristine.path, folder / str(seed)))
        mutate(root, Random(seed))
        yield f"{mutate.__name__} with seed {seed}", root
        shutil.rmtree(root)


def outcome(root: Path) -> str:
    """``refused``, or ``harmless`` after a look at every value; anything else raises."""
    try:
        bundle = open_bundle(root)
    except BundleError as err:
        assert 20 < len(str(err)) < 1000, "a message helps"
        assert str(err).isprintable(), "a message is one line, and harmless to a terminal"
        return "refused"
    manifest, vectors, golden = bundle.manifest, bundle.vectors, bundle.golden
    rows, dim = len(bundle.skus), manifest.embedding_dim
    assert len(set(bundle.skus)) == rows > 0
    assert vectors.centroids.shape == (rows, dim)
    for vectors_of_a_kind in (
        vectors.centroids,
        vectors.anchors,
        vectors.negatives,
        golden.embeddings,
    ):
        assert vectors_of_a_kind.dtype == np.float32
        assert np.allclose(np.linalg.norm(vectors_of_a_kind, axis=1), 1, atol=1e-3)
    for owners, owned in (
        (vectors.anchor_products, vectors.anchors),
        (vectors.negative_products, vectors.negatives),
    ):
        assert owners.shape == owned.shape[:1]
        assert ((owners >= 0) & (owners < rows)).all()
    size_px = manifest.preprocessing.input_size_px
    assert golden.crops.shape == (len(golden.skus), size_px, size_px, 3)
    assert golden.crops.dtype == np.uint8
    assert {*golden.skus, *bundle.text} <= set(bundle.skus)
    for pair in manifest.thresholds.pairs:
        assert -10 <= pair.tl <= pair.tl_full <= pair.th <= 2.5
    assert bundle.network_path("fp32").parent == root
    return "harmless"


def meaning(root: Path) -> dict[str, object]:
    """What the files say, by name: bytes, and for the manifest everything but its white space."""
    contents: dict[str, object] = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }
    contents[MANIFEST_NAME] = json.loads((root / MANIFEST_NAME).read_bytes())
    return contents


def any_file(root: Path, random: Random) -> Path:
    """One of the bundle's files, small ones as likely as large ones."""
    return random.choice(sorted(path for path in root.rglob("*") if path.is_file()))


# Damage: the checksums stay as they were.


def flip_a_bit(root: Path, random: Random) -> None:
    """Radiation, or a bad cable."""
    path = any_file(root, random)
    content = bytearray(path.read_bytes())
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    path.write_bytes(content)


def overwrite_a_block(root: Path, random: Random) -> None:
    """A bad sector, or zeros where the power went out."""
    path = any_file(root, random)
    content = bytearray(path.read_bytes())
    start, length = random.randrange(len(content)), random.choice((1, 16, 512, 4096))
    content[start : start + length] = random.choice((bytes(length), random.randbytes(length)))
    path.write_bytes(content)


def cut_short(root: Path, random: Random) -> None:
    """A copy that was interrupted."""
    path = any_file(root, random)
    content = path.read_bytes()
    path.write_bytes(content[: random.choice((0, 1, 8, random.randrange(len(content))))])


def append(root: Path, random: Random) -> None:
    """Something behind the end."""
    path = any_file(root, random)
    path.write_bytes(path.read_bytes() + random.choice((b"\0", b"{}", random.randbytes(100))))


def swap_two_files(root: Path, random: Random) -> None:
    """Right contents under wrong names."""
    one, other = any_file(root, random), any_file(root, random)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def delete_a_file(root: Path, random: Random) -> None:
    """A file that never came."""
    any_file(root, random).unlink()


def add_a_file(root: Path, random: Random) -> None:
    """A file that should not be there."""
    name = random.choice(("x", "embedder.trt.onnx", "golden/004.png", "golden/x/y", ".git/config"))
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_bytes(random.choice((b"", any_file(root, random).read_bytes())))


def link_a_file(root: Path, random: Random) -> None:
    """A link in place of a file: to another, to nothing, to itself, to a device."""
    path = any_file(root, random)
    target = random.choice((any_file(root, random), root / "none", path, Path("/dev/zero"), root))
    path.unlink()
    path.symlink_to(target)


# Hostility: the checksums fit again afterwards.

_NASTY: tuple[object, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, -(10**30), 0.5, -0.0, 1e300, 1e-320,
    "", "0", "nan", "inf", "-inf", "1e999", "../x", "/etc/passwd", "\0", "a" * 100_000, "é" * 99,
    [], {}, [[]], [None], {"": {}}, [0] * 1000, "2026-01-01T00:00:00Z", "0" * 64,
)  # fmt: skip


def _places(value: object) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a JSON document."""
    items = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))
        if isinstance(value, list)
        else []
    )
    for key, below in items:
        yield value, key
        yield from _places(below)


def change_a_value(root: Path, random: Random) -> None:
    """Another value or type anywhere in the manifest."""

    def edit(document: dict[str, Any]) -> None:
        container, key = random.choice(list(_places(document)))
        container[key] = random.choice(_NASTY)

    reseal(root, edit)


def nudge_a_number(root: Path, random: Random) -> None:
    """A number of the manifest made huge, negative, or slightly other."""

    def edit(document: dict[str, Any]) -> None:
        numbers = [
            (container, key)
            for container, key in _places(document)
            if isinstance(container[key], int | float) and not isinstance(container[key], bool)
        ]
        container, key = random.choice(numbers)
        container[key] *= random.choice((-1, 2, 0.5, 1e6, 1e18, 10**30))

    reseal(root, edit)


def remove_or_repeat(root: Path, random: Random) -> None:
    """A key less, a list entry less, or a list entry twice."""

    def edit(document: dict[str, Any]) -> None:
        container, key = random.choice(list(_places(document)))
        if isinstance(container, list) and random.random() < 0.5:
            container.append(container[key])
        else:
            del container[key]

    reseal(root, edit)


def rename_a_key(root: Path, random: Random) -> None:
    """An unknown key, or a file name that leads elsewhere."""

    def edit(document: dict[str, Any]) -> None:
        objects = [(c, k) for c, k in _places(document) if isinstance(c, dict)]
        container, key = random.choice(objects)
        name = random.choice(("x", key + " ", key.upper(), "../" + key, "/" + key, key + "\0", ""))
        container[name] = container.pop(key)

    reseal(root, edit)


def repeat_a_key(root: Path, random: Random) -> None:
    """A key twice, with the checksum of what a careless reader would see."""
    text = (root / MANIFEST_NAME).read_text("utf-8")
    lines = text.splitlines(keepends=True)
    leaves = [row for row, line in enumerate(lines) if line.rstrip().endswith(",") and '":' in line]
    row = random.choice(leaves)
    lines.insert(row, lines[row])
    document = json.loads("".join(lines))
    old, new = document["checksum"], canonical_checksum(document)
    (root / MANIFEST_NAME).write_text("".join(lines).replace(old, new), "utf-8")


def nest_deeply(root: Path, random: Random) -> None:
    """Brackets in brackets, to exhaust whoever reads recursively."""
    path = root / random.choice((MANIFEST_NAME, TEXT_NAME))
    depth = random.choice((50, 900, 5000, 200_000))
    opening, closing = random.choice((("[", "]"), ('{"a":', "}")))
    path.write_text('{"schema_version":1,"x":' + opening * depth + "1" + closing * depth + "}")
    if path.name == TEXT_NAME:
        reseal(root)


def spoil_vectors(root: Path, random: Random) -> None:
    """NaN, infinities, other lengths, shapes, types and row numbers in a tensor."""
    path = root / random.choice((VECTORS_NAME, EXPECTED_NAME))
    tensors = load(path.read_bytes())
    key = random.choice(sorted(tensors))
    array = tensors[key]
    where = random.randrange(array.size)
    with np.errstate(over="ignore"):
        if array.dtype.kind == "f" and random.random() < 0.5:
            array.flat[where] = random.choice((np.nan, np.inf, -np.inf, 6e4, 1e-7, 0, 2))
        elif array.dtype.kind == "i" and random.random() < 0.5:
            array.flat[where] = random.choice((-1, 2**31 - 1, -(2**31), 4, 3, 0))
        else:
            change = random.choice(
                (
                    lambda a: a[:-1],
                    lambda a: a[:0],
                    lambda a: np.concatenate([a, a]),
                    lambda a: a[..., None],
                    lambda a: a.reshape(-1),
                    lambda a: a.T,
                    lambda a: a.astype(np.float64),
                    lambda a: a.astype(np.int8),
                    lambda a: a * -1,
                    lambda a: a * 0,
                    lambda a: a * 7,
                )
            )
            tensors[key] = np.ascontiguousarray(change(array))
    path.write_bytes(save(tensors))
    reseal(root)


def lie_in_the_header(root: Path, random: Random) -> None:
    """Wrong offsets, shapes, types, names and lengths in a safetensors header."""
    path = root / random.choice((VECTORS_NAME, EXPECTED_NAME))
    content = path.read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    header, rest = json.loads(content[8 : 8 + length]), content[8 + length :]
    tensor = header[random.choice(sorted(header))]
    lie = random.randrange(6)
    if lie == 0:
        tensor["data_offsets"] = random.choice(
            ([0, 2**40], [2**63, 2**64 - 1], [9, 3], [-1, 4], [0], [0, 0], "x", None, [0.5, 1])
        )
    elif lie == 1:
        tensor["shape"] = random.choice(
            ([2**32, 2**32], [0], [-1], [2**63], [1] * 10_000, [], "x", None, [4, 32, 1], [32, 4])
        )
    elif lie == 2:
        tensor["dtype"] = random.choice(("F64", "BF16", "F8_E4M3", "I64", "BOOL", "X", 1, None))
    elif lie == 3:
        header[random.choice(("x", "__metadata__", "\0", "a" * 9999))] = tensor
    elif lie == 4:
        header = random.choice(([], 0, "x", {"a": {}}, {"__metadata__": {"a": "b"}}, {}))
    text = json.dumps(header).encode()
    claimed = len(text) if lie < 5 else random.choice((0, 1, length - 1, 2**20, 2**40, 2**64 - 1))
    path.write_bytes(struct.pack("<Q", claimed) + text + rest)
    reseal(root)


def spoil_bytes(root: Path, random: Random) -> None:
    """Random bytes anywhere in vectors, golden crops or texts."""
    names = (VECTORS_NAME, EXPECTED_NAME, TEXT_NAME, "golden/000.png", "golden/003.png")
    path = root / random.choice(names)
    content = bytearray(path.read_bytes())
    for _ in range(random.choice((1, 1, 1, 5, 50))):
        content[random.randrange(min(len(content), random.choice((32, 10**6))))] = random.choice(
            (0, 255, random.randrange(256))
        )
    if random.random() < 0.2:
        del content[random.randrange(len(content)) :]
    path.write_bytes(content)
    reseal(root)


def swap_and_reseal(root: Path, random: Random) -> None:
    """Right contents under wrong names, and the manifest agrees."""
    names = sorted(json.loads((root / MANIFEST_NAME).read_text())["files"])
    one, other = random.sample(names, 2)
    first, second = (root / one).read_bytes(), (root / other).read_bytes()
    (root / one).write_bytes(second)
    (root / other).write_bytes(first)
    reseal(root)


DAMAGE: tuple[tuple[Mutation, int], ...] = (
    (flip_a_bit, 100),
    (overwrite_a_block, 60),
    (cut_short, 40),
    (append, 30),
    (swap_two_files, 30),
    (delete_a_file, 20),
    (add_a_file, 20),
    (link_a_file, 20),
)
HOSTILITY: tuple[tuple[Mutation, int], ...] = (
    (change_a_value, 120),
    (nudge_a_number, 60),
    (remove_or_repeat, 60),
    (rename_a_key, 40),
    (repeat_a_key, 20),
    (nest_deeply, 12),
    (spoil_vectors, 80),
    (lie_in_the_header, 60),
    (spoil_bytes, 100),
    (swap_and_reseal, 30),
)


def spelled(value: object) -> str:
    """Names of the parametrised tests."""
    return str(getattr(value, "__name__", value))


def test_an_untouched_bundle_is_harmless(pristine: Bundle) -> None:
    assert outcome(pristine.path) == "harmless"


@pytest.mark.parametrize(("mutate", "rounds"), DAMAGE, ids=spelled)
def test_damage_is_refused(pristine: Bundle, tmp_path: Path, mutate: Mutation, rounds: int) -> None:
    original = meaning(pristine.path)

    for what, root in mutants(pristine, tmp_path, mutate, rounds):
        if outcome(root) == "harmless":
            assert meaning(root) == original, f"{what} went unnoticed"


@pytest.mark.parametrize(("mutate", "rounds"), HOSTILITY, ids=spelled)
def test_hostility_with_right_checksums_is_refused_or_harmless(
    pristine: Bundle, tmp_path: Path, mutate: Mutation, rounds: int
) -> None:
    seen: Counter[str] = Counter()

    for what, root in mutants(pristine, tmp_path, mutate, rounds):
        try:
            seen[outcome(root)] += 1
        except Exception as err:
            raise AssertionError(f"{what} got through") from err

    assert seen["refused"] > 0, "a mutation that is never refused tests nothing"


# Networks: the checksums fit, and only ONNX Runtime can tell that something is wrong.

_NETWORKS = 300
_CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import numpy as np
import onnxruntime as ort
ort.set_default_logger_severity(4)
options = ort.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
crops = np.zeros((2, 32, 32, 3), np.uint8)
for path in sys.argv[1:]:
    print("opening", path, flush=True)
    try:
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        session.run(None, {"crops": crops})
        print("ran", flush=True)
    except Exception:
        print("refused", flush=True)
"""


def spoil_network_bytes(root: Path, random: Random) -> None:
    """Random bytes in the graph or in its weights."""
    path = root / random.choice((EMBEDDER_NAME, EMBEDDER_NAME, WEIGHTS_NAME))
    content = bytearray(path.read_bytes())
    for _ in range(random.choice((1, 1, 3, 10))):
        content[random.randrange(len(content))] = random.choice((0, 1, 127, 128, 255))
    if random.random() < 0.2:
        start = random.randrange(len(content))
        del content[start : random.choice((start + 30, len(content)))]
    path.write_bytes(content)
    reseal(root)


def _values(message: Message) -> Iterator[tuple[Message, FieldDescriptor, int | None]]:
    """Every number and text of a message, with the index where a field repeats."""
    for field, value in message.ListFields():
        repeated = not isinstance(value, str | bytes | int | float | Message)
        rows = range(len(value)) if repeated else [None]
        for row in rows:
            if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
                yield from _values(value if row is None else value[row])
            else:
                yield message, field, row


def rewrite_network(root: Path, random: Random) -> None:
    """A well-formed ONNX file whose sizes, types, wiring or places of weights are lies."""
    network = onnx.load(root / EMBEDDER_NAME, load_external_data=False)
    names = [name for node in network.graph.node for name in (*node.input, *node.output)]
    texts = [*names, "Resize", "Loop", "Tile", "Range", "Pad", "", "../x", "9" * 12, "-1", "7"]
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        message, field, row = random.choice(list(_values(network)))
        value: object
        if field.type == FieldDescriptor.TYPE_BYTES:
            value = random.choice((b"", b"\xff" * 9))
        elif field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            value = random.choice(texts)
        else:
            value = random.choice((0, 1, 2, 7, 16, -1, 10**5, 2**31 - 1, -(2**31), 2**62))
        # What does not fit into the field stays as it was.
        with suppress(ValueError, TypeError):
            if row is None:
                setattr(message, field.name, value)
            else:
                getattr(message, field.name)[row] = value
    nodes = network.graph.node
    if random.random() < 0.2:
        nodes.append(nodes[random.randrange(len(nodes))])
    if random.random() < 0.2:
        del nodes[random.randrange(len(nodes))]
    (root / EMBEDDER_NAME).write_bytes(network.SerializeToString())
    reseal(root)


@pytest.mark.parametrize("mutate", [spoil_network_bytes, rewrite_network], ids=spelled)
def test_onnx_runtime_survives_networks_with_right_checksums(
    pristine: Bundle, tmp_path: Path, mutate: Mutation
) -> None:
    paths = [str(pristine.network_path("fp32"))]
    for seed in range(_NETWORKS // 2):
        root = tmp_path / str(seed)
        shutil.copytree(pristine.path, root)
        mutate(root, Random(seed))
        assert outcome(root) == "harmless"
        paths.append(str(root / EMBEDDER_NAME))

    child = subprocess.run(
        [sys.executable, "-c", _CHILD, *paths],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    said = [line for line in child.stdout.splitlines() if line.startswith(("opening", "r"))]
    assert child.returncode == 0, f"died of {said[-1]}: {child.stderr[-1000:]}"
    assert said[1] == "ran", "the untouched network runs"
    assert Counter(said[1::2]).keys() == {"ran", "refused"}
    assert len(said) == 2 * len(paths)
