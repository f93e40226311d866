"""Attribution written out: one point of the path at a time, one neuron at a time."""

import copy

import numpy as np
import torch


def integrated_gradients(f, x, x0, target, points):
    """Integral of the gradient from x0 to x by Gauss and Legendre, times x - x0; f takes one image (1, C, H, W)."""
    places, weights = np.polynomial.legendre.leggauss(points)
    total = torch.zeros_like(x, dtype=torch.float64)
    for place, weight in zip(places, weights, strict=True):
        point = (x0 + (1 + place) / 2 * (x - x0)).float().requires_grad_()
        f(point)[0, target].backward()
        total += weight / 2 * point.grad.double()
    return total * (x - x0)


def spiking_logits(snn, num_steps):
    """Mean logits of a spiking network over T steps, through a fresh copy, neurons with ``if_and_surrogate``."""

    def f(images):
        graph = copy.deepcopy(snn.graph).requires_grad_(False)
        state = {}
        for name in snn.sites:
            neuron = graph.get_submodule(name)
            graph.set_submodule(name, _Written(neuron.threshold, neuron.initial_membrane, state, name))
        return sum(graph(images) for _ in range(num_steps)) / num_steps

    return f


class _Written(torch.nn.Module):
    def __init__(self, threshold, initial, state, name):
        super().__init__()
        self.level, self.initial, self.state, self.name = threshold, initial, state, name

    def forward(self, current):
        before = self.state.get(self.name, self.initial.expand_as(current))
        charged = before + current
        spikes = _Fire.apply((charged - self.level) / self.level)
        self.state[self.name] = charged - self.level * spikes
        return self.level * spikes


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u):
        ctx.save_for_backward(u)
        return (u >= 0).to(u.dtype)

    @staticmethod
    def backward(ctx, grad):
        (u,) = ctx.saved_tensors
        return grad / (1 + (np.pi * u) ** 2)
