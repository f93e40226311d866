"""Slow, literal versions of the neurons and calibrations of other groups, in float64 and without shortcuts."""

import copy
import math

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


class _Fixed(nn.Module):
    """Gives the same in place of whatever comes in."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, _):
        return self.value


class SignedLiteral(nn.Module):
    """The signed neuron of [Hu2023], all neurons of a layer at once, in the order of operations of its code."""

    def __init__(self, threshold):
        super().__init__()
        self.threshold, self.v, self.count = threshold, None, 0

    def forward(self, current):
        v = (self.threshold / 2 if self.v is None else self.v) + current
        positive = (v >= self.threshold).double()
        v = v - self.threshold * positive
        count = self.count + positive
        negative = ((v <= -1e-3) & (count > 0)).double()
        self.v, self.count = v + self.threshold * negative, count - negative
        return self.threshold * (positive - negative)


def tune_literally(ann, images, num_steps, layers, thresholds, make_neuron, output, descend, batches):
    """Parameters by layer, tuned site after site, every site with the whole network run anew.

    ``layers``: site -> layers to tune; ``make_neuron(threshold)``; ``output(z, threshold, chosen, spiking)`` the output
    that is compared; ``descend(parameters)`` gives ``step(gradients)``; ``batches(site)`` the images of each step.
    """
    spiking_weights = copy.deepcopy(ann).double().eval()
    activations, means = {}, {}
    reference = copy.deepcopy(spiking_weights)
    for name in layers:
        reference.get_submodule(name).register_forward_hook(
            lambda _, args, out, name=name: activations.__setitem__(name, out.detach())
        )
    with torch.no_grad():
        reference(images.double())

    def currents(network, known, name, x):
        """Input of a site where the sites before it give what is known."""
        copied = copy.copy(network)
        copied._modules = dict(network._modules)
        for earlier, value in known.items():
            copied._modules[earlier] = value
        probe = _Probe()
        copied._modules[name] = probe
        copied(x)
        return probe.inputs[0]

    for name in layers:
        parameters = [p for layer in layers[name] for p in spiking_weights.get_submodule(layer[0]).parameters()]
        parameters = [p for p in parameters if p.ndim > 1 or layers[name][0][1]]

        def spiking(chosen, name=name):
            """Mean output of the site with the weights as they are."""
            network = copy.deepcopy(spiking_weights)
            sites = [*list(means), name]
            neurons = {site: make_neuron(thresholds[site]) for site in sites}
            total = 0
            for site, neuron in neurons.items():
                network._modules[site] = neuron
            seen = []
            neurons[name].register_forward_hook(lambda _, args, out: seen.append(out))
            with torch.no_grad():
                for _ in range(num_steps):
                    network(images.double()[chosen])
            total = sum(seen)
            return total / num_steps

        step = descend(parameters)
        for chosen in batches(name):
            known = {site: _Fixed(mean[chosen]) for site, mean in means.items()}
            z = currents(spiking_weights, known, name, images.double()[chosen])
            loss = ((output(z, thresholds[name], chosen, spiking) - activations[name][chosen]) ** 2).mean()
            step(torch.autograd.grad(loss, parameters))
        means[name] = spiking(torch.arange(len(images)))
    return {
        f"{layer}.{kind}": value.detach()
        for site in layers.values()
        for layer, _ in site
        for kind, value in spiking_weights.get_submodule(layer).named_parameters()
    }


def adam_literally(parameters, rate, iterations):
    """Adam with a rate that falls along a cosine, from its formulas."""
    first, second = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    done = 0

    def step(gradients):
        nonlocal done
        now = rate * (1 + math.cos(math.pi * done / iterations)) / 2
        done += 1
        for p, g, m, v in zip(parameters, gradients, first, second, strict=True):
            m.mul_(0.9).add_(0.1 * g)
            v.mul_(0.999).add_(0.001 * g * g)
            p.data -= now * (m / (1 - 0.9**done)) / ((v / (1 - 0.999**done)).sqrt() + 1e-8)

    return step


def momentum_literally(parameters, rate):
    """SGD with momentum 0.9 and weight decay 1e-4, from its formulas."""
    moving = [None for _ in parameters]

    def step(gradients):
        for place, (p, g) in enumerate(zip(parameters, gradients, strict=True)):
            g = g + 1e-4 * p.data
            moving[place] = g if moving[place] is None else 0.9 * moving[place] + g
            p.data -= rate * moving[place]

    return step
