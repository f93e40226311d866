"""Measure the gap between an ANN and its SNN, and make noise of its size: the statistic behind NQ."""

import copy
import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from snnlab.activations import is_activation, switch_noise, with_noise
from snnlab.calibration.beside import AnnBeside
from snnlab.calibration.gaps import GapStatistics, collect, lattice_of
from snnlab.calibration.profile import NoiseProfile
from snnlab.core.errors import SimulationError, SnnlabError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.simulation.engine import simulate
from snnlab.simulation.images import ImageSource, as_images
from snnlab.simulation.spiking_model import SpikingModel


@dataclass(frozen=True)
class Gaps:
    """The gap (ANN activation) - threshold n(t)/t of every site at several steps, from one simulation.

    Args:
        names: Site names, input first.
        shapes: Shape of one image's activation at each site.
        thresholds: Firing thresholds, mean over channels, (sites,), activation units.
        levels: Quantization levels L of each site's activation; None where it is not quantized.
        steps: Steps t, ascending.
        lattice: Bins a threshold at each step.
        sites: Statistics of each site.
        paper_compat: Take the mean of batch variances.
        images: Images measured.
        split: Name of their split.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    thresholds: np.ndarray
    levels: tuple[int | None, ...]
    steps: tuple[int, ...]
    lattice: tuple[int, ...]
    sites: tuple[GapStatistics, ...]
    paper_compat: bool
    images: int
    split: str

    @property
    def std(self) -> np.ndarray:
        """Std of the gap, (sites, steps), activation units."""
        return np.array([site.std(paper_compat=self.paper_compat) for site in self.sites])

    @property
    def mean(self) -> np.ndarray:
        """Mean of the gap, (sites, steps), activation units."""
        return np.array([site.mean() for site in self.sites])

    @property
    def local_std(self) -> np.ndarray:
        """Std of the local gap, (sites, steps), activation units."""
        return np.array([site.local_std() for site in self.sites])

    @property
    def zero(self) -> np.ndarray:
        """Share of elements whose gap is 0, (sites, steps)."""
        return np.array([site.zero / site.count for site in self.sites])

    @property
    def count(self) -> np.ndarray:
        """Elements measured, (sites,)."""
        return np.array([site.count for site in self.sites], np.int64)

    def profile(self, step: int) -> NoiseProfile:
        """The noise profile at a measured step."""
        j = self.steps.index(step)
        return NoiseProfile(
            names=self.names,
            thresholds=self.thresholds,
            std=self.std[:, j],
            num_steps=step,
            mean=self.mean[:, j],
            share_zero=self.zero[:, j],
            local_std=self.local_std[:, j],
            count=self.count,
        )


def fit_noise(
    snn: SpikingModel,
    ann: nn.Module,
    data: "ImageSource | Tensor | Sequence[Tensor]",
    *,
    num_steps: int,
    paper_compat: bool = False,
    progress: ProgressCallback = silent,
) -> NoiseProfile:
    """The noise that stands for the conversion error at T: at every site the std of its gap, in activation units.

    Args:
        snn: The converted network.
        ann: The network it was converted from; both are left alone, and its noise, if it has any, is off.
        data: Images to measure on, normalised.
        num_steps: T; a method that looks at more steps first is simulated as long, and read at T.
        paper_compat: Root of the mean of batch variances, batches of 100 images, as in the official code; else the
            variance is pooled over all elements.
        progress: Called with images done and in all; cancels by raising ``Cancelled``.

    Raises:
        SimulationError: T is below 1.
        ConversionError: The two networks have different sites.
        SnnlabError: Too few images for a std.

    Source: [Huang2024], the authors' code. Deviation: pooled variance.

    Example:
        >>> import snnlab as sl
        >>> ckpt = sl.example("digits-vgg-qcfs-L8")
        >>> ann = ckpt.build()
        >>> images = ckpt.data("calibration", limit=16)
        >>> profile = sl.calibration.fit_noise(sl.convert(ann, "nq"), ann, images, num_steps=8)
        >>> float(profile.std[0])  # the input is constant, and T = L
        0.0
    """
    return measure_gaps(snn, ann, data, steps=(num_steps,), paper_compat=paper_compat, progress=progress).profile(
        num_steps
    )


def measure_gaps(
    snn: SpikingModel,
    ann: nn.Module,
    data: "ImageSource | Tensor | Sequence[Tensor]",
    *,
    steps: Sequence[int],
    paper_compat: bool = False,
    dtype: torch.dtype = torch.float32,
    micro_batch: int | None = None,
    progress: ProgressCallback = silent,
) -> Gaps:
    """The gaps at several steps, from one simulation; each network propagates its own activations.

    Args:
        snn: The converted network.
        ann: The network it was converted from.
        data: Images to measure on, normalised.
        steps: Steps t, each at least 1; simulated up to the last, or as far as the method looks at.
        paper_compat: As in ``fit_noise``.
        dtype: Of convolutions and sums between sites. Activations and potentials are float64 in any case: in float32
            one neuron in a million lies within rounding of a level's edge, fires once too often or too rarely, and a
            gap that is 0 by the equations is not.
        micro_batch: Images at once; None fits them to the cache.
        progress: Called with images done and in all.

    Raises:
        SimulationError: No step, or one below 1.
        ConversionError: The two networks have different sites, or an activation is not finite.
    """
    at = tuple(sorted(set(steps)))
    if not at or at[0] < 1:
        raise SimulationError(f"The gap is measured at time-steps from 1 on; found {list(steps)}.")
    images = as_images(data)
    beside = AnnBeside(ann, snn, images, dtype)
    names, levels = beside.names, beside.levels
    neurons, found, shapes = snn.sites, dict[str, GapStatistics](), dict[str, tuple[int, ...]]()
    lattice = tuple(lattice_of(levels, t) for t in at)

    def observe(name: str, emitted: Tensor, start: int) -> None:
        if name not in beside.activations:
            return
        current, activation = beside.at(name, start, start + emitted.shape[1])
        shapes[name] = tuple(activation.shape[1:])
        neuron = neurons[name]
        fraction = neuron.initial_fraction if neuron.reference_fraction is None else neuron.reference_fraction
        constants = (value.double().expand(shapes[name]) for value in (neuron.threshold, fraction))
        worth = neuron.output_fraction
        part = collect(
            *(_flat(values, len(shapes[name])) for values in (emitted, activation, current, *constants)),
            worth=None if worth is None else _flat(worth.double().expand(shapes[name]), len(shapes[name])),
            most=neuron.most_spikes,
            steps=at,
            lattice=lattice,
        )
        if name in found:
            found[name].merge(part)
        else:
            found[name] = part

    simulate(
        snn,
        images,
        num_steps=max(at[-1], snn.least_steps),
        dtype=dtype,
        membrane_dtype=torch.float64,
        micro_batch=micro_batch,
        observe=observe,
        progress=progress,
    )
    return Gaps(
        names=names,
        shapes=tuple(shapes[name] for name in names),
        thresholds=np.array([float(neurons[name].threshold.mean()) for name in names]),
        levels=levels,
        steps=at,
        lattice=lattice,
        sites=tuple(found[name] for name in names),
        paper_compat=paper_compat,
        images=len(images),
        split=images.name,
    )


def noisy_copy(ann: nn.Module, profile: NoiseProfile, *, seed: int = 0) -> nn.Module:
    """A copy of the ANN whose activations add the noise of a profile, switched on in training and evaluation.

    Args:
        ann: The network; left alone.
        profile: Std of every site.
        seed: Seed of the noise.

    Raises:
        SnnlabError: The profile names a site that the network has not.
    """
    network = copy.deepcopy(ann)
    modules = dict(network.named_modules())
    sites = [name for name, module in modules.items() if is_activation(module)]
    for index, (name, std) in enumerate(profile.std_by_site().items()):
        check_site(name, sites)
        noisy = with_noise(modules[name], std, seed=seed)
        noisy.reseed(seed, index)  # type: ignore[operator]
        network.set_submodule(name, noisy)
    return switch_noise(network, True)


def check_site(name: str, sites: Sequence[str]) -> None:
    """Raise unless ``name`` is one of the sites.

    Raises:
        SnnlabError: It is not; the nearest name is proposed.
    """
    if name not in sites:
        near = difflib.get_close_matches(name, sites, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"sites are: {', '.join(sites)}."
        raise SnnlabError(f"There is no site {name!r} in this network; {hint}")


def _flat(values: Tensor, rank: int) -> np.ndarray:
    """(..., channels, height, width) as (..., P) in channels-last order, as it lies in memory; other ranks as they are.

    Args:
        values: Any leading axes, then those of one image's activation.
        rank: Number of the latter.
    """
    last = values.movedim(-3, -1) if rank == 3 else values
    return last.contiguous().flatten(-rank).numpy()
