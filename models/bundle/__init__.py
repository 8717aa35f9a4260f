"""Bundle: a trained model of one category as it travels, a folder of fixed file names.

::

    manifest.json              what the bundle says about itself, with checksums of all else
    embedder.onnx              fp32 network: uint8 crops (B, S, S, 3) BGR to unit float32 (B, D)
    embedder.int8.onnx         optional: the same, INT8 for ONNX Runtime
    embedder.trt.onnx          optional: the same, typed for TensorRT
    weights.bin                optional: weights that the networks above refer to
    vectors.safetensors        centroids, anchors, negatives
    golden/NNN.png             crops, with the embeddings expected of them in
    golden/expected.safetensors
    text.json                  optional: words on the packs

Example::

    bundle = open_bundle(Path("bundles/drinks"))
    session = InferenceSession(bundle.network_path("fp32"))

The parts: ``manifest`` the schema, ``folder`` bounded reads from the disk, ``contents`` the vectors
and golden crops, ``reading`` and ``writing`` the two doors, ``composing`` a bundle of small parts
and a network that is there already, ``errors`` what can go wrong.
"""

from models.bundle.composing import compose_bundle
from models.bundle.contents import Golden, Vectors
from models.bundle.errors import (
    BundleCorruptError,
    BundleError,
    BundleIncompleteError,
    BundleSpaceError,
    BundleVersionError,
    BundleWriteError,
)
from models.bundle.manifest import (
    EMBEDDER_NAME,
    INT8_NAME,
    MANIFEST_NAME,
    NETWORK_FILES,
    SCHEMA_VERSION,
    TRT_NAME,
    VECTORS_NAME,
    WEIGHTS_NAME,
    BundleProduct,
    FileRecord,
    Manifest,
    Provenance,
    Quantisation,
)
from models.bundle.reading import (
    GOLDEN_TOLERANCE,
    Bundle,
    NetworkKind,
    open_bundle,
    require_same_space,
)
from models.bundle.writing import write_bundle

__all__ = [
    "EMBEDDER_NAME",
    "GOLDEN_TOLERANCE",
    "INT8_NAME",
    "MANIFEST_NAME",
    "NETWORK_FILES",
    "SCHEMA_VERSION",
    "TRT_NAME",
    "VECTORS_NAME",
    "WEIGHTS_NAME",
    "Bundle",
    "BundleCorruptError",
    "BundleError",
    "BundleIncompleteError",
    "BundleProduct",
    "BundleSpaceError",
    "BundleVersionError",
    "BundleWriteError",
    "FileRecord",
    "Golden",
    "Manifest",
    "NetworkKind",
    "Provenance",
    "Quantisation",
    "Vectors",
    "compose_bundle",
    "open_bundle",
    "require_same_space",
    "write_bundle",
]
