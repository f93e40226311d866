"""Slow, literal versions of the methods that look at the first steps: one neuron, one step at a time."""

import copy
import math

import torch
from torch import nn

from snnlab.activations import is_activation


class Emits(nn.Module):
    """A site that says the same at every step, whatever comes in."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, _):
        return self.value


class Train(nn.Module):
    """Neurons of one site that run one step after the other, and remember their potentials."""

    def __init__(self, threshold, start, mask=None):
        super().__init__()
        self.threshold, self.start, self.mask, self.v = threshold, start, mask, None
        self.inputs, self.spikes, self.before, self.after = [], [], [], []

    def forward(self, current):
        if self.v is None:
            self.v = torch.zeros_like(current) + self.start
        u = self.v + current
        s = torch.tensor([float(x >= self.threshold) for x in u.flatten().tolist()], dtype=u.dtype).reshape(u.shape)
        self.v = u - self.threshold * s
        self.inputs.append(current)
        self.spikes.append(s)
        self.before.append(u)
        self.after.append(self.v)
        return self.threshold * s * (1 if self.mask is None else self.mask)


def thresholds_of(ann):
    """Site name -> learned threshold, input first."""
    return {name: float(module.threshold.detach()) for name, module in ann.named_modules() if is_activation(module)}


def network_of(ann, neurons):
    """The network with these modules at its sites, float64."""
    snn = copy.deepcopy(ann).double().eval()
    for name, neuron in neurons.items():
        snn.set_submodule(name, neuron)
    return snn


def srp_literally(ann, images, num_steps, tau, emitted=None):
    """Logits of T steps, the masks, and the neurons by site; sites in ``emitted`` say that, in both parts."""
    told = {name: Emits(value) for name, value in (emitted or {}).items()}
    thresholds = {name: theta for name, theta in thresholds_of(ann).items() if name not in told}
    first = {name: Train(theta, theta / 2) for name, theta in thresholds.items()}
    snn = network_of(ann, {**first, **told})
    with torch.no_grad():
        for _ in range(tau):
            snn(images.double())
    masks = {name: (first[name].v > 1e-3 * theta).double() for name, theta in thresholds.items()}
    second = {name: Train(theta, theta / 2, masks[name]) for name, theta in thresholds.items()}
    snn = network_of(ann, {**second, **told})
    with torch.no_grad():
        logits = torch.stack([snn(images.double()) for _ in range(num_steps)])
    return logits, masks, second


def cos_literally(ann, images, num_steps, rho, emitted=None):
    """Logits of T steps, v(0) by site, and the neurons; site after site, each with the whole network run anew.

    Sites in ``emitted`` say that at every step of every run.
    """
    told = {name: Emits(value) for name, value in (emitted or {}).items()}
    thresholds = {name: theta for name, theta in thresholds_of(ann).items() if name not in told}
    starts = {}
    for name, theta in thresholds.items():
        neurons = {other: Train(value, starts.get(other, value / 2)) for other, value in thresholds.items()}
        snn = network_of(ann, {**neurons, **told})
        with torch.no_grad():
            for _ in range(rho):
                snn(images.double())
        watched = neurons[name]
        rows = [torch.stack(kept).flatten(1).T.tolist() for kept in (watched.spikes, watched.before, watched.after)]
        start = [corrected(*train, theta) for train in zip(*rows, strict=True)]
        starts[name] = torch.tensor(start, dtype=torch.float64).reshape(watched.v.shape)
    neurons = {name: Train(theta, starts[name]) for name, theta in thresholds.items()}
    snn = network_of(ann, {**neurons, **told})
    with torch.no_grad():
        logits = torch.stack([snn(images.double()) for _ in range(num_steps)])
    return logits, starts, neurons


def corrected(spikes, before, after, theta):
    """v(0) of one neuron from its first rho steps."""
    last, epsilon = after[-1], 1e-3 * theta
    if last < 0 and sum(spikes) > 0:
        lowest = min(m for m, s in zip(before, spikes, strict=True) if s)
        return theta / 2 - max(theta, lowest - theta + epsilon)
    if last >= theta:
        silent = [v for v, s in zip(after, spikes, strict=True) if not s]
        return theta / 2 + (max(theta, theta - max(silent) + epsilon) if silent else theta)
    return theta / 2


def shown(neuron, step, nominal, mask=None):
    """(class, residual / threshold) of every neuron at a step, counted against a target that no correction moves."""
    found = []
    silenced = torch.ones_like(neuron.v) if mask is None else mask
    total = sum(neuron.inputs[:step]).flatten().tolist()
    count = (sum(neuron.spikes[:step]) * silenced).flatten().tolist()
    for charge, n in zip(total, count, strict=True):
        ideal = min(max(math.floor((charge + nominal) / neuron.threshold), 0), step)
        v = nominal + charge - neuron.threshold * n
        if n != ideal:
            kind = "excess" if n > ideal else "missing"
        elif n == 0:
            kind = "silent"
        else:
            kind = "saturated" if n == step else "exact"
        found.append((kind, v / neuron.threshold))
    return found
