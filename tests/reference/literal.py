"""The slow, literal version of the simulation: one step, one neuron, one comparison at a time, in float64."""

import math
from dataclasses import dataclass, field

import torch
from torch import nn

from snnlab.activations import is_activation


@dataclass(eq=False)
class Neuron(nn.Module):
    """IF with soft reset, written from the equations, that remembers everything."""

    threshold: float
    initial: float
    inputs: list = field(default_factory=list)
    spikes: list = field(default_factory=list)
    membranes: list = field(default_factory=list)

    def __post_init__(self):
        super().__init__()

    def forward(self, current):
        before = self.membranes[-1] if self.membranes else torch.full_like(current, self.initial)
        potential = before + current
        spikes = (potential >= self.threshold).to(current.dtype)
        self.inputs.append(current)
        self.spikes.append(spikes)
        self.membranes.append(potential - self.threshold * spikes)
        return self.threshold * spikes


def simulate_literally(ann, images, num_steps, fraction=0.5):
    """Logits of every step, and the neurons by site name. Thresholds are the learned ones."""
    import copy

    network = copy.deepcopy(ann).double().eval()
    neurons = {}
    for name, module in list(network.named_modules()):
        if is_activation(module):
            threshold = float(module.threshold.detach())
            neurons[name] = Neuron(threshold, fraction * threshold)
            network.set_submodule(name, neurons[name])
    with torch.no_grad():
        logits = torch.stack([network(images.double()) for _ in range(num_steps)])
    return logits, neurons


def ideal_counts(neuron, step):
    """N* = clip(floor((sum I + v(0)) / threshold), 0, t), element by element."""
    charge = sum(neuron.inputs[:step]) + neuron.initial
    return charge.apply_(lambda value: min(max(math.floor(value / neuron.threshold), 0), step))


def classify(neuron, step):
    """Class names of all neurons at a step, as a flat list."""
    counts, ideals = sum(neuron.spikes[:step]).flatten().tolist(), ideal_counts(neuron, step).flatten().tolist()
    names = []
    for count, ideal in zip(counts, ideals, strict=True):
        if count > ideal:
            names.append("excess")
        elif count < ideal:
            names.append("missing")
        elif count == 0:
            names.append("silent")
        else:
            names.append("saturated" if count == step else "exact")
    return names
