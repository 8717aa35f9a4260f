from __future__ import annotations

import pytest
import torch

from cloud_trainer.train import compute_dtype


@pytest.mark.parametrize(
    ("cpu_info", "dtype"),
    [
        ("flags : fpu avx512_bf16 amx_tile amx_bf16", torch.bfloat16),
        ("flags : fpu avx2 avx512_bf16", torch.float32),
        ("", torch.float32),
    ],
)
def test_a_processor_trains_in_bf16_only_where_it_has_tiles_for_it(
    cpu_info: str, dtype: torch.dtype
) -> None:
    assert compute_dtype(torch.device("cpu"), cpu_info) is dtype
