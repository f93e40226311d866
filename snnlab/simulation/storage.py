"""Save and load a converted network as one safetensors file with a JSON header."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch

from snnlab.activations import ActivationSpec
from snnlab.core.errors import CheckpointError
from snnlab.core.files import write_atomically
from snnlab.core.sites import NeuronSpec, Site
from snnlab.graph import prepare
from snnlab.io import Checkpoint
from snnlab.models import build
from snnlab.simulation.spiking_model import SpikingModel, assemble

FORMAT = 1
_HEADER = "snnlab_snn"


def save_snn(snn: SpikingModel, path: str | Path, *, checkpoint: Checkpoint) -> None:
    """Write a converted network: weights with batch-norm folded, thresholds, v(0), and where they come from.

    Args:
        snn: Network converted from ``checkpoint``.
        path: File to write; written beside it first, then renamed.
        checkpoint: The source, for its architecture.

    Raises:
        CheckpointError: The file cannot be written.
    """
    card = checkpoint.card
    header = {
        "format": FORMAT,
        "architecture": card.architecture,
        "activation": {"kind": card.activation, "levels": card.levels},
        "source": {"name": card.name, "sha256": card.sha256},
        "normalization": card.normalization,
        "method": snn.method,
        "parameters": snn.parameters_used,
        "sites": [asdict(site) for site in snn.site_facts],
        "fires_at_equality": {name: neuron.fires_at_equality for name, neuron in snn.sites.items()},
        "edited": snn.edited,
    }
    tensors = {name: tensor.contiguous() for name, tensor in snn.graph.state_dict().items()}
    try:
        write_atomically(path, safetensors.torch.save(tensors, {_HEADER: json.dumps(header)}))
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written: {error.strerror}.") from None


def load_snn(path: str | Path) -> SpikingModel:
    """Read a network written by ``save_snn``: an ``nn.Module`` of snnTorch neurons.

    Raises:
        CheckpointError: Not such a file, damaged, or its tensors do not fit its architecture.
    """
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(_HEADER, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no iterator of its own
    except (OSError, safetensors.SafetensorError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} cannot be read as a converted network: {error}.") from None
    if header.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not a converted network of this version; make one with `snnlab convert`.")
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"{path}: {name} holds NaN or infinite values; convert the network again.")
    try:
        network = prepare(build(header["architecture"], ActivationSpec()))  # neurons take the place of any activation
        facts = tuple(Site(**{**site, "shape": tuple(site["shape"]), "statistics": None}) for site in header["sites"])
        specs = {
            site.name: NeuronSpec(
                threshold=_channels(tensors[f"{site.name}.threshold"]),
                initial_fraction=_channels(tensors[f"{site.name}.initial_fraction"]),
                fires_at_equality=header["fires_at_equality"][site.name],
            )
            for site in facts
        }
        snn = assemble(network, facts, specs, header["method"], header["parameters"], edited=tuple(header["edited"]))
        snn.graph.load_state_dict(tensors)
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        reason = (str(error).splitlines() or ["?"])[-1].strip()
        raise CheckpointError(f"{path} is damaged ({type(error).__name__}: {reason}); convert it again.") from None
    return snn


def _channels(value: torch.Tensor) -> np.ndarray:
    """(channels, 1, 1) back to (channels,), as a converter gives it."""
    return (value.flatten() if value.ndim else value).numpy()
