"""Slow, literal versions of the methods that set thresholds a channel, or scale what a spike is worth."""

import copy
import math

import numpy as np
import torch
from torch import nn

from snnlab.activations import is_activation


class _Watch(nn.Module):
    """Clips at thresholds a channel, remembers its input."""

    def __init__(self, threshold, highest):
        super().__init__()
        self.threshold, self.highest, self.input = threshold, highest, None

    def forward(self, z):
        self.input = z
        shape = (1, -1, *[1] * (z.ndim - 2))
        if self.threshold is None:
            self.threshold = torch.zeros(z.shape[1], dtype=z.dtype)
        for channel in range(z.shape[1]):
            theta = self.threshold[channel].item()
            cut = [max(min(x, self.highest) - theta, 0) for x in z[:, channel].flatten().tolist()]
            self.threshold[channel] = min(theta + 2 * math.fsum(cut) / len(cut), self.highest)
        return torch.minimum(torch.relu(z), self.threshold.reshape(shape))


def ltb_literally(ann, images, iterations, batch, fraction=0.5):
    """Thresholds a channel by site, and the delay; every iteration is a pass of the next images."""
    network = copy.deepcopy(ann).double().eval()
    watches = {}
    for name, module in list(network.named_modules()):
        if is_activation(module):
            watches[name] = _Watch(None, float(module.threshold.detach()))
            network.set_submodule(name, watches[name])
    starts = list(range(0, len(images), batch))
    with torch.no_grad():
        for i in range(iterations):
            start = starts[i % len(starts)]
            network(images[start : start + batch].double())
        thresholds = {name: watch.threshold.clone() for name, watch in watches.items()}
        for name, watch in watches.items():
            network.set_submodule(name, nn.Sequential(_Keep(watch), _Clip(thresholds[name], watch.highest)))
        network(images.double())
    total = 0.0
    for name, watch in watches.items():
        mean = torch.relu(watch.input.clamp(max=watch.highest)).mean(0)
        theta = thresholds[name].reshape(-1, *[1] * (mean.ndim - 1)).expand_as(mean)
        total += min(
            (1 - fraction) * t / m
            for t, m in zip(theta.flatten().tolist(), mean.flatten().tolist(), strict=True)
            if m > 0
        )
    return thresholds, int(total)


class _Keep(nn.Module):
    def __init__(self, watch):
        super().__init__()
        self.watch = [watch]

    def forward(self, z):
        self.watch[0].input = z
        return z


class _Clip(nn.Module):
    def __init__(self, threshold, highest):
        super().__init__()
        self.threshold, self.highest = threshold, highest

    def forward(self, z):
        shape = (1, -1, *[1] * (z.ndim - 2))
        return torch.minimum(torch.relu(z.clamp(max=self.highest)), self.threshold.reshape(shape))


def window_literally(logits, delay):
    """Mean logits at every t, from the window of that t."""
    means = []
    for t in range(1, len(logits) + 1):
        first = delay if t > delay + 4 else max(t - 4, 0)
        means.append(sum(logits[first:t]) / (t - first))
    return torch.stack(means)


def scales_literally(percentiles, clip, num_steps):
    """(alpha mu, beta): every percentile in (0, mu], every beta, every percentile of the loss."""
    best = None
    for threshold in sorted({p for p in percentiles if 0 < p <= clip}):
        for i in range(201):
            beta, terms = i / 100, []
            for p in percentiles:
                if p < 0:
                    continue
                if p < threshold:
                    terms.append(p - threshold * beta * math.floor(p * num_steps / threshold) / num_steps)
                elif p <= clip:
                    terms.append(p - threshold * beta)
                else:
                    terms.append(clip - threshold * beta)
            loss = abs(math.fsum(terms))
            if best is None or loss < best[0] - 1e-12:
                best = (loss, threshold, beta)
    return best[1:]


def percentiles_literally(values):
    """0 to 100, linear between the ordered values."""
    ordered = sorted(np.asarray(values, np.float64).ravel().tolist())
    found = []
    for i in range(101):
        rank = i / 100 * (len(ordered) - 1)
        low = min(int(rank), len(ordered) - 2)
        found.append(ordered[low] + (rank - low) * (ordered[low + 1] - ordered[low]))
    return found
