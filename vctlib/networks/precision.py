"""Which number format to compute in: bfloat16 where the processor has it, else float32."""

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState


def resolve_precision(setting: str) -> str:
    """`auto`, `bf16` or `no` -> what Accelerate understands. With AVX512-BF16, bf16 is 2 to 9 times faster."""
    if setting != "auto":
        return setting
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "no"
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" if fast else "no"


def make_accelerator(setting: str) -> Accelerator:
    """An Accelerator on the GPU where there is one, else on the CPU."""
    AcceleratorState._reset_state()  # it is one for the whole process, and would keep the first precision for good
    return Accelerator(mixed_precision=resolve_precision(setting), cpu=not torch.cuda.is_available())
