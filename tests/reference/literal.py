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


def gaps_literally(ann, images, num_steps, fraction=0.5):
    """Site -> (gap, local gap), flat lists, element by element: each network propagates its own activations.

    The gap is the ANN's activation minus threshold x count / T; the local one has in place of the count what T steps of
    the ANN's own constant pre-activation would fire. Gaps below 1e-6 of the threshold are 0.
    """
    import copy

    network = copy.deepcopy(ann).double().eval()
    kept = {}
    for name, module in network.named_modules():
        if is_activation(module):
            module.register_forward_hook(lambda _, args, output, name=name: kept.__setitem__(name, (args[0], output)))
    with torch.no_grad():
        network(images.double())
    _, neurons = simulate_literally(ann, images, num_steps, fraction)
    gaps = {}
    for name, (current, activation) in kept.items():
        neuron = neurons[name]
        counts = sum(neuron.spikes).flatten().tolist()
        gap, local = [], []
        for z, a, n in zip(current.flatten().tolist(), activation.flatten().tolist(), counts, strict=True):
            fired = min(max(math.floor((num_steps * z + neuron.initial) / neuron.threshold), 0), num_steps)
            for found, count in ((gap, n), (local, fired)):
                g = a - neuron.threshold * count / num_steps
                found.append(0.0 if abs(g) < 1e-6 * neuron.threshold else g)
        gaps[name] = (gap, local)
    return gaps


def pooled_std(values):
    """Unbiased, two passes."""
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def paper_std(batches):
    """The official code's: root of the mean over batches of each one's unbiased variance."""
    return math.sqrt(math.fsum(pooled_std(values) ** 2 for values in batches) / len(batches))


def lsq_forward_literally(v, s, p, epsilon, rounds):
    """s clip(round(v/s + eps), 0, p), or without the rounding; one number, round half up."""
    u = v / s + epsilon
    value = math.floor(u + 0.5) if rounds else u
    return s * min(max(value, 0), p)


def lsq_backward_literally(v, s, p, epsilon, rounds):
    """(d/dv, d/ds) of one element, before the gradient scale: three cases, as the formula lists them."""
    u = v / s + epsilon
    if u <= 0:
        return 0.0, 0.0
    if u >= p:
        return 0.0, float(p)
    return 1.0, lsq_forward_literally(v, s, p, epsilon, rounds) / s - v / s
