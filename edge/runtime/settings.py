"""What an installation says about inference: which backend, how exact, and what if it cannot work.

Owns the closed model behind ``runtime:`` of a configuration and the names of backends and
precisions. What is then chosen, and why, is ``edge.runtime.choice``'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from edge.matching.shared import Sharing

BackendName = Literal[
    "onnxruntime",
    "onnxruntime_cuda",
    "onnxruntime_tensorrt",
    "openvino",
    "tensorrt",
    "tensorrt_rtx",
]
PrecisionName = Literal["fp32", "fp16", "bf16", "int8"]

LARGEST_BATCH: Final = 256


class RuntimeSettings(BaseModel):
    """How networks are run on this device.

    Attributes:
        backend: ``auto`` takes the fastest that is whole here; a name takes that one.
        precision: ``auto`` takes the cheapest that the bundle vouches for.
        fallback: Where the backend cannot work, ONNX Runtime on the CPU serves in its place and
            says so in the log, on the dashboard and in ``walkout-edge doctor``; ``false`` refuses
            to start instead.
        cache: Folder of built engines, relative to the device's state folder.
        batches: How many crops TensorRT engines are built for, smallest first; other numbers are
            filled up to the next.
        cuda_graphs: Whether runs of equal shape are captured once and replayed.
        workspace_mib: What TensorRT may use for trying kernels out, MiB.
        build_timeout_s: A build that takes longer is given up.
        gather_ms: How long a crop may wait for those of other cameras, to go with them in one
            batch; worth its while where a batch costs hardly more than a crop.
        remembered_crops: How many crops are remembered, so that one that is equal to the last
            pixel is not embedded again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    backend: BackendName | Literal["auto"] = "auto"
    precision: PrecisionName | Literal["auto"] = "auto"
    fallback: bool = True
    cache: Path = Path("engines")
    batches: Annotated[
        tuple[Annotated[int, Field(ge=1, le=LARGEST_BATCH)], ...], Field(min_length=1, max_length=8)
    ] = (1, 4, 16, 32)
    cuda_graphs: bool = True
    workspace_mib: Annotated[int, Field(ge=16, le=65536)] = 1024
    build_timeout_s: Annotated[float, Field(gt=0)] = 3600.0
    gather_ms: Annotated[float, Field(ge=0, le=1000)] = 0.0
    remembered_crops: Annotated[int, Field(ge=0, le=4096)] = 64

    @field_validator("batches")
    @classmethod
    def _ascending(cls, batches: tuple[int, ...]) -> tuple[int, ...]:
        if list(batches) != sorted(set(batches)):
            raise ValueError("batches must grow, each named once; write for example [1, 4, 16, 32]")
        return batches

    @property
    def sharing(self) -> Sharing:
        """How the threads of a device share each network."""
        return Sharing(
            gather_ms=self.gather_ms,
            most_crops=max(self.batches),
            remembered_crops=self.remembered_crops,
        )

    @classmethod
    def for_a_person(cls, **fields: object) -> RuntimeSettings:
        """For commands that a person runs: engines are kept in the person's own cache folder."""
        cache = Path.home() / ".cache" / "walkout" / "engines"
        return cls.model_validate({"cache": cache, **fields})

    def within(self, folder: Path) -> RuntimeSettings:
        """The same with ``cache`` beginning in ``folder``."""
        return self.model_copy(update={"cache": folder / self.cache})
