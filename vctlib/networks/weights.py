"""Trained weights on disk: safetensors with the profile and the training's summary in the metadata; never a pickle.

Large tensors may be stored with eight bits a number and one scale a row (of a convolution: an output channel).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vctlib.errors import InputError
from vctlib.files import written_whole

SUFFIX = ".safetensors"
_SCALE = "/scale"  # behind the name of a tensor of eight bits: what its rows are multiplied by
_INT8 = 127


def _checked(path: Path | str) -> Path:
    path = Path(path)
    if path.suffix != SUFFIX:
        raise InputError(
            f"{path}: weights are read and written as {SUFFIX} only; a pickle can run code when it is read"
        )
    return path


def save_weights(path: Path | str, state_dict: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write tensors and metadata (values that JSON can hold) whole or not at all. Raises InputError, TypeError.

    Tensors are moved to the CPU and made contiguous; two names of one tensor are stored twice.
    """
    path = _checked(path)
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state_dict.items()}
    with written_whole(path) as temporary:
        save_file(tensors, temporary, metadata={key: json.dumps(value) for key, value in metadata.items()})


def load_weights(path: Path | str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors on the CPU, metadata) of a file that `save_weights` wrote. Raises InputError."""
    path = _checked(path)
    if not path.is_file():
        raise InputError(f"{path}: no such weights; train them (vct train) or take the released ones in models/")
    try:
        with safe_open(path, framework="pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}
            stored = opened.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a readable {SUFFIX} file ({error}); remove it and train again") from None
    return tensors, {key: _decoded(value) for key, value in stored.items()}


def packed(state_dict: Mapping[str, Tensor], prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    """The same tensors with those whose names begin so in fewer bits: eight of two dimensions and more, else sixteen.

    An eighth bit costs at most 1 / 254 of the largest number of its row.
    """
    stored = {}
    for name, tensor in state_dict.items():
        if not name.startswith(prefixes) or not tensor.is_floating_point():
            stored[name] = tensor
        elif tensor.ndim < 2:
            stored[name] = tensor.half()
        else:
            rows = tensor.float().flatten(1)
            scale = rows.abs().amax(1, keepdim=True).clamp_min(1e-12) / _INT8
            stored[name], stored[name + _SCALE] = (rows / scale).round().to(torch.int8).view_as(tensor), scale[:, 0]
    return stored


def unpacked(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `packed` made smaller, as float32; everything else as it is. Raises RuntimeError for a missing scale."""
    state = {}
    for name, tensor in stored.items():
        if name.endswith(_SCALE):
            continue
        scale = stored.get(name + _SCALE)
        if scale is None and tensor.dtype == torch.int8:
            raise RuntimeError(f"{name} lacks its scale")
        state[name] = tensor if scale is None else (tensor.float().flatten(1) * scale[:, None]).view(tensor.shape)
    return state


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError:  # written by another program
        return value
