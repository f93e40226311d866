"""Slow, literal versions of the neurons and calibrations of other groups, in float64 and without shortcuts."""

import copy

import torch
from torch import nn

from snnlab.activations import is_activation


def signed_train(currents, threshold, negative, start, variant):
    """Spikes and final potential of one signed neuron, in the order of operations of each published code."""
    v, count, spikes = start, 0, []
    for current in currents:
        v += current
        fired = 0
        if variant == "hu2023":  # the negative test comes after the positive reset and counts this step's spike
            if v >= threshold:
                fired += 1
                v -= threshold
            count += fired
            if v <= negative and count > 0:
                fired -= 1
                count -= 1
                v += threshold
        else:  # both tests come before any reset, on the count of the steps before
            positive = v >= threshold
            below = v < negative if variant == "li2022" else v <= negative
            gate = count > 0.5 if variant == "li2022" else count > 0
            if variant == "ungated":
                gate = True
            fired = int(positive) - int(below and gate)
            count += fired
            v -= threshold * fired
        spikes.append(fired)
    return spikes, v


def group_train(currents, whole, members, start):
    """Spike counts and final potential of one group of neurons with thresholds i x whole / m."""
    v, counts = start, []
    for current in currents:
        v += current
        k = 0
        for i in range(1, members + 1):
            if v >= i * whole / members:
                k += 1
        v -= k * whole / members
        counts.append(k)
    return counts, v


class LiteralNeuron(nn.Module):
    """IF with soft reset, a constant current, and any v(0)."""

    def __init__(self, threshold, added=0.0, initial=0.0):
        super().__init__()
        self.threshold, self.added, self.initial, self.v = threshold, added, initial, None

    def forward(self, current):
        if self.v is None:
            self.v = torch.zeros_like(current) + self.initial
        self.v = self.v + current + self.added
        spikes = (self.v >= self.threshold).double()
        self.v = self.v - self.threshold * spikes
        return self.threshold * spikes


class _Probe(nn.Module):
    def __init__(self):
        super().__init__()
        self.inputs = []

    def forward(self, current):
        self.inputs.append(current)
        return current


def calibrate_literally(ann, images, num_steps, kind, scale=1.0):
    """Site name -> (threshold, added current, v(0)), site after site, every site with the whole network run anew."""
    network = copy.deepcopy(ann).double().eval()
    names = [name for name, module in network.named_modules() if is_activation(module)]
    activations = {}
    for name in names:
        network.get_submodule(name).register_forward_hook(
            lambda _, args, output, name=name: activations.__setitem__(name, output.detach())
        )
    with torch.no_grad():
        network(images.double())
    decided = {}
    for name in names:
        snn = copy.deepcopy(ann).double().eval()
        for earlier, constants in decided.items():
            snn.set_submodule(earlier, LiteralNeuron(*constants))
        probe = _Probe()
        snn.set_submodule(name, probe)
        with torch.no_grad():
            for _ in range(num_steps):
                snn(images.double())
        if kind == "rmp":
            decided[name] = (torch.stack(probe.inputs).max().item(), 0.0, 0.0)
            continue
        a = activations[name]
        threshold = best_threshold(a, num_steps)
        neuron = LiteralNeuron(threshold, threshold / (2 * num_steps))
        rate = sum(neuron(current) for current in probe.inputs) / num_steps
        error = a - rate
        if kind == "light":
            axes = [axis for axis in range(error.ndim) if axis != 1]
            mean = error.mean(axes)
            mean = mean.reshape(-1, *[1] * (error.ndim - 2))
            decided[name] = (threshold, threshold / (2 * num_steps) + mean, 0.0)
        else:
            decided[name] = (threshold, threshold / (2 * num_steps), num_steps * error.mean(0))
    if kind == "rmp":
        decided = {name: (scale * threshold, 0.0, 0.0) for name, (threshold, _, _) in decided.items()}
    return decided


def best_threshold(a, num_steps):
    """The grid search of calibration, one candidate after the other."""
    best = None
    for i in range(95):
        theta = a.max().item() * (1 - 0.01 * i)
        q = theta / num_steps * torch.floor(torch.clip(a * num_steps / theta, 0, num_steps))
        error = ((a - q) ** 2).sum().item()
        if best is None or error < best[0]:
            best = (error, theta)
    return best[1]
