"""Trained weights on disk: safetensors with the profile and the training's summary in the metadata; never a pickle."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vctlib.errors import InputError
from vctlib.files import written_whole

SUFFIX = ".safetensors"


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


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError:  # written by another program
        return value
