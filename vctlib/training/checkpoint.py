"""What an exact resume needs, in one safetensors file: networks, their average, optimizer states, the step.

Randomness needs no state: the loop seeds every step from (seed, step). Nothing is pickled.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from vctlib.errors import InputError
from vctlib.files import written_whole


@dataclass
class Progress:
    """Where a run stands; `curves` holds the rows of curves.csv so far."""

    step: int = 0
    seconds: float = 0.0
    curves: tuple[dict, ...] = ()


def _optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {f"{index}/{key}": value for index, entry in state.items() for key, value in entry.items()}


def _restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, key = name.split("/", 1)
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def save_checkpoint(
    path: Path, modules: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer], progress: Progress, key: str
) -> None:
    """Write the checkpoint whole, or leave the previous one as it is."""
    tensors = {f"module/{name}/{k}": v for name, module in modules.items() for k, v in module.state_dict().items()}
    for name, optimizer in optimizers.items():
        tensors |= {f"optimizer/{name}/{k}": v for k, v in _optimizer_tensors(optimizer).items()}
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    metadata = {
        "key": key,
        "step": str(progress.step),
        "seconds": repr(progress.seconds),
        "curves": json.dumps(list(progress.curves)),
    }
    with written_whole(path) as temporary:
        save_file(tensors, temporary, metadata)


def load_checkpoint(
    path: Path, modules: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer], key: str
) -> Progress:
    """Restore in place and return the progress; a fresh `Progress` where there is no checkpoint.

    Raises InputError for a damaged file or one that belongs to other settings.
    """
    if not path.exists():
        return Progress()
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: damaged checkpoint ({error}); delete it to start this training again") from None
    if metadata["key"] != key:
        raise InputError(f"{path}: belongs to a run with other settings; delete it, or restore those settings")
    for name, module in modules.items():
        prefix = f"module/{name}/"
        module.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    for name, optimizer in optimizers.items():
        prefix = f"optimizer/{name}/"
        _restore_optimizer(optimizer, {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    curves = tuple(json.loads(metadata["curves"]))
    return Progress(int(metadata["step"]), float(metadata["seconds"]), curves)


def device_of(module: nn.Module) -> torch.device:
    """Where a network's first parameter or buffer lives."""
    for tensor in (*module.parameters(), *module.buffers()):
        return tensor.device
    return torch.device("cpu")
