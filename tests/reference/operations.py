"""Synaptic operations counted literally: one spike, one output at a time."""

import copy

import torch
from torch import nn

from snnlab.graph.reach import is_layer
from snnlab.neurons import IntegrateFire


def reached(segment, shape):
    """How many outputs of a piece of network each of its inputs reaches: one input on, all weights 1."""
    piece = copy.deepcopy(segment).double()
    for module in piece.modules():
        if is_layer(module):
            nn.init.ones_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    counts = torch.zeros(shape, dtype=torch.int64).reshape(-1)
    with torch.no_grad():
        for at in range(counts.numel()):
            one = torch.zeros(counts.numel(), dtype=torch.float64)
            one[at] = 1.0
            counts[at] = int((piece(one.reshape(1, *shape)) != 0).sum())
    return counts.reshape(shape)


def count_literally(snn, images, num_steps):
    """Layer name -> operations at each step, for layers whose input is spikes as they were fired."""
    network = copy.deepcopy(snn)
    layers = {name: module for name, module in network.graph.named_modules() if is_layer(module)}
    seen = {name: [] for name in layers}
    hooks = [
        module.register_forward_hook(
            lambda module, args, output, name=name: seen[name].append(args[0].detach().clone())
        )
        for name, module in layers.items()
    ]
    network.reset()
    for _ in range(num_steps):
        network.step(images)
    for hook in hooks:
        hook.remove()
    found = {}
    for name, inputs in seen.items():
        fan_out = reached(layers[name], tuple(inputs[0].shape[1:]))
        found[name] = []
        for step in inputs:
            total = 0
            for image in step:
                for value, outputs in zip(image.reshape(-1).tolist(), fan_out.reshape(-1).tolist(), strict=True):
                    if value != 0:
                        total += outputs
            found[name].append(total)
    return found


def spikes_literally(snn, images, num_steps):
    """Site name -> spikes (num_steps, images, ...), by amount."""
    network = copy.deepcopy(snn)
    seen = {name: [] for name in network.sites}
    hooks = [
        module.register_forward_hook(
            lambda module, args, output, name=name: seen[name].append((output / module.threshold).abs().round())
        )
        for name, module in network.graph.named_modules()
        if isinstance(module, IntegrateFire)
    ]
    network.reset()
    with torch.no_grad():
        for _ in range(num_steps):
            network.step(images)
    for hook in hooks:
        hook.remove()
    return {name: torch.stack(steps) for name, steps in seen.items()}
