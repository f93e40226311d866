"""What is kept after every epoch: weights, optimizer and history in one file, so that a killed training goes on."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from snnlab.core.errors import CheckpointError, RecipeError
from snnlab.core.files import write_atomically

STATE_FILE = "training.safetensors"
_HEADER = "snnlab-training"


@dataclass(frozen=True)
class Epoch:
    """One epoch, as it was seen.

    Args:
        epoch: Number, from 1.
        loss: Mean training loss.
        accuracy: Share of augmented training images that were right while training.
        validation_accuracy: ANN on ``validation``, without noise; None without such images.
        learning_rate: At the end of the epoch.
        std: Site -> noise std that acted, activation units; empty without noise.
        seconds: Wall time.
    """

    epoch: int
    loss: float
    accuracy: float
    validation_accuracy: float | None
    learning_rate: float
    std: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class State:
    """Where a training stands.

    Args:
        network: State dict of the network.
        momentum: Parameter name -> momentum buffer.
        average: State dict of the averaged weights; empty without averaging.
        history: Epochs done.
        settings: What the training was asked to do.
    """

    network: dict[str, Tensor]
    momentum: dict[str, Tensor]
    average: dict[str, Tensor]
    history: tuple[Epoch, ...]
    settings: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Write to ``folder``; the old file stays until the new one is whole.

        Raises:
            CheckpointError: The folder cannot be written; the file of the epoch before is untouched.
        """
        tensors = {
            f"{part}/{name}": value.detach().cpu().contiguous().clone()
            for part, values in (("network", self.network), ("momentum", self.momentum), ("average", self.average))
            for name, value in values.items()
        }
        header = {"settings": self.settings, "history": [asdict(epoch) for epoch in self.history]}
        content = safetensors.torch.save(tensors, {_HEADER: json.dumps(header, sort_keys=True)})
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / STATE_FILE, content)
        except OSError as error:
            raise CheckpointError(
                f"The training state cannot be written to {folder}: {error.strerror}; free some space and start again, "
                f"it goes on after epoch {max(0, len(self.history) - 1)}."
            ) from None

    @staticmethod
    def load(folder: Path, settings: Mapping[str, Any]) -> "State | None":
        """The state in ``folder``; None where there is none.

        Raises:
            CheckpointError: The file is damaged.
            RecipeError: It belongs to a training with other settings; names the fields.
        """
        path = folder / STATE_FILE
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                header = json.loads((file.metadata() or {})[_HEADER])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
        except (SafetensorError, KeyError, ValueError, OSError) as error:
            raise CheckpointError(f"{path} is damaged ({error}); delete it to train from the start.") from None
        made_with = header["settings"]
        check_same(made_with, settings, path)
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "momentum": {}, "average": {}}
        for name, value in tensors.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = value
        return State(**parts, history=tuple(Epoch(**row) for row in header["history"]), settings=made_with)


def finished_epochs(folder: Path) -> int:
    """How many epochs of a training are kept in ``folder``; 0 where nothing is, or nothing that can be read."""
    try:
        with safe_open(folder / STATE_FILE, framework="pt") as file:
            return len(json.loads((file.metadata() or {})[_HEADER])["history"])
    except (SafetensorError, KeyError, ValueError, OSError):
        return 0  # training itself says what is wrong with a file


def check_same(made_with: Mapping[str, Any], wanted: Mapping[str, Any], path: Path) -> None:
    """Refuse to go on with what was made with other settings.

    Raises:
        RecipeError: They differ; names every field.
    """
    before, now = _flat(made_with), _flat(json.loads(json.dumps(dict(wanted))))
    differ = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    if differ:
        raise RecipeError(
            f"{path} belongs to another training: {', '.join(differ)} differ; use its settings or another folder."
        )


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted name; a field left at None is as one that is missing."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        elif value is not None:
            flat[f"{prefix}{name}"] = value
    return flat


def momentum_of(optimizer: torch.optim.Optimizer, network: nn.Module) -> dict[str, Tensor]:
    """The optimizer's momentum by parameter name."""
    found = {name: optimizer.state[parameter].get("momentum_buffer") for name, parameter in network.named_parameters()}
    return {name: value for name, value in found.items() if value is not None}


def restore_momentum(optimizer: torch.optim.Optimizer, network: nn.Module, momentum: Mapping[str, Tensor]) -> None:
    """Inverse of ``momentum_of``."""
    for name, parameter in network.named_parameters():
        if name in momentum:
            optimizer.state[parameter]["momentum_buffer"] = momentum[name].to(parameter)
