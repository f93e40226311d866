"""Save and load a converted network as one safetensors file with a JSON header."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from snnlab.activations import ActivationSpec
from snnlab.core.errors import CheckpointError
from snnlab.core.files import write_atomically
from snnlab.core.sites import NeuronSpec, Site
from snnlab.graph import prepare
from snnlab.graph.prepare import with_output_site
from snnlab.io import Checkpoint
from snnlab.models import build
from snnlab.simulation.spiking_model import SpikingModel, assemble, spec_of

FORMAT = 2
_HEADER = "snnlab_snn"
_TENSORS = (
    "threshold", "initial_fraction", "added_fraction", "reference_fraction", "output_fraction", "negative_fraction",
    "margin_fraction",
)  # fmt: skip


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
        "neurons": {name: _plain_values(spec_of(neuron)) for name, neuron in snn.sites.items()},
        "edited": snn.edited,
        "converted_for": snn.converted_for,
        "findings": snn.findings,
        "changed_weights": snn.changed_weights,
        "read_out_delay": snn.read_out_delay,
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
    if header.get("format") not in (1, FORMAT):
        raise CheckpointError(f"{path} is not a converted network of this version; make one with `snnlab convert`.")
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"{path}: {name} holds NaN or infinite values; convert the network again.")
    try:
        network = prepare(build(header["architecture"], ActivationSpec()))  # neurons take the place of any activation
        facts = tuple(Site(**{**site, "shape": tuple(site["shape"]), "statistics": None}) for site in header["sites"])
        if any(site.is_output for site in facts):
            network = with_output_site(network)
        specs = {site.name: _specification(header, tensors, site.name) for site in facts}
        snn = assemble(
            network,
            facts,
            specs,
            header["method"],
            header["parameters"],
            edited=tuple(header["edited"]),
            converted_for=header.get("converted_for"),
            findings=header.get("findings"),
            weights={name: tensors[name] for name in header.get("changed_weights", ())},
            read_out_delay=header.get("read_out_delay"),
        )
        snn.graph.load_state_dict(tensors)
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        reason = (str(error).splitlines() or ["?"])[-1].strip()
        raise CheckpointError(f"{path} is damaged ({type(error).__name__}: {reason}); convert it again.") from None
    return snn


def _plain_values(spec: NeuronSpec) -> dict[str, Any]:
    """What of a neuron stands in the header: all that is no tensor."""
    return {name: value for name, value in vars(spec).items() if name not in _TENSORS}


def _specification(header: dict[str, Any], tensors: dict[str, torch.Tensor], site: str) -> NeuronSpec:
    # Files written before there were neurons of several kinds tell one thing of a neuron.
    told = header["neurons"][site] if "neurons" in header else {"fires_at_equality": header["fires_at_equality"][site]}
    kept: dict[str, Any] = {key: tensors[f"{site}.{key}"].numpy() for key in _TENSORS if f"{site}.{key}" in tensors}
    return NeuronSpec(**told, **kept)
