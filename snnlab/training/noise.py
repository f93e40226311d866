"""Noise in training: the std of every site, measured anew between epochs or frozen, and keyed noise in every batch."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from snnlab.activations import GaussianNoise, KeyedNoise, LSQNoise
from snnlab.calibration import NoiseProfile, fit_noise
from snnlab.converters.apply import convert
from snnlab.core.errors import ConversionError
from snnlab.data import ImageSplit
from snnlab.training.trainer import Hooks

LEARNED = "qcfs"
"""The conversion in and after training: learned thresholds, v(0) half of them, whatever the activation."""


@dataclass(frozen=True)
class ReEstimated:
    """The std measured after every epoch, reshaped: NQ where ``shape`` returns its argument.

    Args:
        images: Images the gap is measured on; never those that decide anything.
        num_steps: T of the gap.
        shape: Measured profile -> profile that acts.
        plain_start: No noise in the first epoch, as a new network has no gap worth the name.
        paper_compat: Mean of batch variances instead of the pooled variance.

    Source: [Huang2024], the authors' code. Deviation: pooled variance, and fine-tuning starts with noise.
    """

    images: ImageSplit
    num_steps: int
    shape: Callable[[NoiseProfile], NoiseProfile] = lambda profile: profile
    plain_start: bool = False
    paper_compat: bool = False

    def std(self, network: nn.Module, epoch: int) -> dict[str, float]:
        """Site -> std of the coming epoch, activation units."""
        if self.plain_start and epoch == 0:
            return dict.fromkeys(noisy_sites(network), 0.0)
        measured = measured_profile(network, self.images, self.num_steps, paper_compat=self.paper_compat)
        return self.shape(measured).std_by_site()


@dataclass(frozen=True)
class Frozen:
    """The same std throughout.

    Args:
        values: Site -> std, activation units.
    """

    values: dict[str, float]

    def std(self, network: nn.Module, epoch: int) -> dict[str, float]:
        """Site -> std of the coming epoch, activation units."""
        return dict(self.values)


def noise_hooks(source: ReEstimated | Frozen | None, *, seed: int) -> Hooks:
    """Hooks of ``fit`` for a network of noisy activations.

    Args:
        source: Where the std of additive noise comes from; None for 0 everywhere. ``lsq_noise`` activations have a
            noise of their own.
        seed: Noise is drawn anew for every (seed, epoch, batch, site).
    """
    sites: dict[str, KeyedNoise] = {}

    def before(network: nn.Module, epoch: int) -> dict[str, float]:
        sites.clear()
        sites.update(noisy_sites(network))
        std = source.std(network, epoch) if source is not None else {}
        unknown = sorted(std.keys() - {name for name, site in sites.items() if isinstance(site, GaussianNoise)})
        if unknown:
            raise ConversionError(f"The noise names the site {unknown[0]!r}, which this network has not.")
        with torch.no_grad():
            for name, site in sites.items():
                if isinstance(site, GaussianNoise):
                    site.std.fill_(std.get(name, 0.0))
        return std | {name: site.noise_std for name, site in sites.items() if isinstance(site, LSQNoise)}

    def during(epoch: int, batch: int) -> None:
        for index, site in enumerate(sites.values()):
            site.reseed(seed, epoch, batch, index)

    return Hooks(before=before, during=during)


def noisy_sites(network: nn.Module) -> dict[str, KeyedNoise]:
    """Site name -> its noisy activation, in the order of the modules."""
    return {name: module for name, module in network.named_modules() if isinstance(module, KeyedNoise)}


def site_threshold(site: KeyedNoise) -> float:
    """The threshold of a noisy activation as it stands, activation units."""
    threshold = site.threshold
    assert isinstance(threshold, torch.Tensor), "the quantized activations have one"
    return float(threshold.detach())


def measured_profile(
    network: nn.Module, images: ImageSplit, num_steps: int, *, paper_compat: bool = False
) -> NoiseProfile:
    """The profile of a network as it stands; the network is left alone."""
    ann = copy.deepcopy(network).cpu().eval()
    return fit_noise(convert(ann, LEARNED), ann, images, num_steps=num_steps, paper_compat=paper_compat)
