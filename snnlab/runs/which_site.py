"""Which site matters, and how much noise costs little: more questions about a noise run, on its images and seeds."""

from dataclasses import replace

from snnlab.analysis.noise import SCALES
from snnlab.analysis.noisy_network import NoisyNetwork
from snnlab.analysis.reports import Report
from snnlab.analysis.which_site import largest_scale, sensitivity
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.recipe import NoiseChoice
from snnlab.runs.execute import resolve
from snnlab.runs.run import Run


def with_site_losses(
    run: Run, *, sites: bool = True, max_loss: float | None = None, progress: ProgressCallback = silent
) -> Run:
    """A noise run with what its noise costs at one site at a time, and how much of it costs little, both at its T.

    Args:
        run: What ``fit_noise_run`` gave; it is left alone.
        sites: Add the report ``sensitivity``.
        max_loss: Points of accuracy that may be lost, for the report ``largest_scale``; None for none.
        progress: Called after every block of images.

    Raises:
        SnnlabError: ``max_loss`` is not above 0 and at most 100.
        Cancelled: ``progress`` asked for it.
    """
    report, recipe = run.noise, run.recipe
    assert report is not None, "a noise run has its report"
    choice, target = recipe.noise or NoiseChoice(), report.targets[-1]
    prepared = resolve(recipe, check_normalization=False, progress=progress)
    images = prepared.images()
    network, profile = NoisyNetwork(prepared.checkpoint.build()), report.evaluated(target)
    reports: dict[str, Report] = {}
    if sites:
        reports["sensitivity"] = sensitivity(
            network, profile, images, noise_seeds=choice.seeds, seed=recipe.seed, progress=progress
        )
    if max_loss is not None:
        reports["largest_scale"] = largest_scale(
            network,
            profile,
            images,
            points=max_loss,
            noise_seeds=choice.seeds,
            seed=recipe.seed,
            scales=SCALES,
            known=report.noisy_correct[-1],
            progress=progress,
        )
    return replace(run, reports={**run.reports, **reports})
