"""Which site matters: noise at one site at a time, and how much of a profile the ANN bears."""

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from snnlab.analysis.noise import SCALES, labelled, meeting, noisy_correct
from snnlab.analysis.noisy_network import NoisyNetwork
from snnlab.analysis.reports.sensitivity import LargestScale, SensitivityReport
from snnlab.calibration.profile import NoiseProfile
from snnlab.core.errors import SnnlabError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.simulation.images import ImageSource, as_images

MOST_SEEDS = 255
"""So many noise seeds can be counted in one byte an image."""


def sensitivity(
    ann: nn.Module | NoisyNetwork,
    profile: NoiseProfile,
    data: "ImageSource | Sequence[Tensor]",
    *,
    noise_seeds: int = 8,
    seed: int = 0,
    progress: ProgressCallback = silent,
) -> SensitivityReport:
    r"""What noise at one site alone costs the ANN, site by site; the others have none.

    .. math:: \Delta_l = \mathrm{acc}(h) - \mathrm{acc}(h, a_l + \sigma^l \epsilon)

    What lies before the noisy site is computed once. Images, noise seeds and the noise of a site are the same
    throughout, so that losses are compared in pairs.

    Args:
        ann: The network; left alone.
        profile: Its std is what every site gets in turn; a site whose std is 0 costs nothing.
        data: Labelled images, normalised.
        noise_seeds: Noise seeds, 1 to 255.
        seed: Seed of all of them.
        progress: Called after every block of images; cancels by raising ``Cancelled``.

    Raises:
        SnnlabError: Too few or many noise seeds, or the profile names sites that the network has not.
        DataError: Images without labels.

    Example:
        >>> import snnlab as sl
        >>> ckpt = sl.example("digits-vgg-qcfs-L8")
        >>> ann, images = ckpt.build(), ckpt.data("dev", limit=32)
        >>> profile = sl.calibration.fit_noise(sl.convert(ann, "qcfs"), ann, images, num_steps=2)
        >>> found = sl.analysis.sensitivity(ann, profile, images, noise_seeds=2)
        >>> len(found.losses) == len(profile.names), found.losses[0].low <= found.losses[0].value
        (True, True)
    """
    images = labelled(as_images(data))
    if not 1 <= noise_seeds <= MOST_SEEDS:
        raise SnnlabError(f"noise_seeds is {noise_seeds}; the sensitivity of a site needs 1 to {MOST_SEEDS}.")
    network = ann if isinstance(ann, NoisyNetwork) else NoisyNetwork(ann)
    std = profile.std_by_site()
    alone = [{name: value} for name, value in std.items() if value > 0]
    found = network.correct_under([{}, *alone, std], images, seeds=noise_seeds, seed=seed, progress=progress)
    clean, counts = found[0, 0, 0], found[:, 0].sum(axis=1).astype(np.uint8)  # (images,), (1 + sites + 1, images)
    rows = iter(counts[1:-1])
    quiet = (noise_seeds * clean).astype(np.uint8)
    return SensitivityReport(
        names=profile.names,
        thresholds=profile.thresholds,
        std=profile.std,
        num_steps=profile.num_steps,
        noise_seeds=noise_seeds,
        ann_correct=clean,
        right=np.stack([next(rows) if value > 0 else quiet for value in std.values()]),
        together=counts[-1],
        split=images.name,
    )


def largest_scale(
    ann: nn.Module | NoisyNetwork,
    profile: NoiseProfile,
    data: "ImageSource | Sequence[Tensor]",
    *,
    points: float = 1.0,
    noise_seeds: int = 8,
    seed: int = 0,
    scales: Sequence[float] = SCALES,
    known: np.ndarray | None = None,
    progress: ProgressCallback = silent,
) -> LargestScale:
    """The largest scale of a profile that costs the ANN at most so many points of accuracy.

    As ``kappa``: a scan of the scales, a curve fitted to it that never rises, and bisection where that curve is so many
    points below the ANN without noise; with a bootstrap interval over images, each with all its noise seeds.

    Args:
        ann: The network; left alone.
        profile: The noise at scale 1.
        data: Labelled images, normalised.
        points: Points that may be lost, above 0 and at most 100.
        noise_seeds: Noise seeds, at least 1.
        seed: Seed of all of them, and of the bootstrap.
        scales: Ascending, from 0 on.
        known: Answers of the noisy ANN at ``scales`` on the same seeds, (scales, seeds, images), if they are known.
        progress: Called after every block of images; cancels by raising ``Cancelled``.

    Raises:
        SnnlabError: ``points`` or the scales cannot be, or as ``noisy_correct``.
        DataError: Images without labels.
    """
    if not (math.isfinite(points) and 0 < points <= 100):
        raise SnnlabError(f"The loss of {points:g} points must be above 0 and at most 100.")
    images = labelled(as_images(data))
    network = ann if isinstance(ann, NoisyNetwork) else NoisyNetwork(ann)

    def evaluate(at: tuple[float, ...]) -> np.ndarray:
        return noisy_correct(network, profile, images, scales=at, seeds=noise_seeds, seed=seed, progress=progress)

    why = ""
    if not np.any(profile.std > 0):
        why = "the profile has no noise at any site"
        found = (math.inf,) * 3
    else:
        answers = evaluate(tuple(scales)) if known is None else known
        found = meeting(answers[0, 0] - points / 100, evaluate, scales=scales, known=answers, seed=seed)
        if math.isinf(found[0]):
            why = f"above {scales[-1]:g}: even there the noise costs less than {points:g} points"
    return LargestScale(
        points=float(points),
        scale=np.array(found),
        why=why,
        num_steps=profile.num_steps,
        noise_seeds=noise_seeds,
        images=len(images),
        split=images.name,
    )
