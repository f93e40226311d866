"""Site restoration written out: one step after the other, some sites say the same at every step."""

import copy

import torch

from snnlab.activations import is_activation
from tests.reference.literal import Neuron
from tests.reference.warm_up import Emits, network_of, thresholds_of


def activations_of(ann, images):
    """Site -> what the ANN emits there, float64."""
    network, kept = copy.deepcopy(ann).double().eval(), {}
    for name, module in network.named_modules():
        if is_activation(module):
            module.register_forward_hook(lambda _, __, output, name=name: kept.__setitem__(name, output))
    with torch.no_grad():
        network(images.double())
    return kept


def literally(ann, images, group, num_steps):
    """Mean logits at t = 1..T, (T, N, classes): one step after the other, sites of the group emit the ANN's values."""
    emitted = activations_of(ann, images)
    neurons = {name: Neuron(theta, theta / 2) for name, theta in thresholds_of(ann).items()}
    network = network_of(ann, {**neurons, **{name: Emits(emitted[name]) for name in group}})
    with torch.no_grad():
        return mean_at_every_step(torch.stack([network(images.double()) for _ in range(num_steps)]))


def mean_at_every_step(logits):
    """Running mean of logits (T, ...)."""
    return (logits.cumsum(0) / torch.arange(1, len(logits) + 1).reshape(-1, *[1] * (logits.ndim - 1))).numpy()
