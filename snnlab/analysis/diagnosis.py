"""Diagnosis: measure what the rules need, apply them, and try what restoring the sites regains that they name."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from snnlab.analysis.budget import budget_of
from snnlab.analysis.diagnosis_rules import RULES, Evidence, findings
from snnlab.analysis.reports.diagnosis import Diagnosis, Finding
from snnlab.analysis.reports.normalization import NormalizationReport
from snnlab.analysis.reports.paired import paired_difference
from snnlab.analysis.restored import restored_logits
from snnlab.analysis.site_repairs import site_repairs
from snnlab.calibration.profile import NoiseProfile
from snnlab.core.progress import ProgressCallback, silent
from snnlab.graph import prepare
from snnlab.simulation.images import ImageSource, as_images
from snnlab.simulation.recording import Recording
from snnlab.simulation.spiking_model import SpikingModel


def diagnose(
    snn: SpikingModel,
    ann: nn.Module,
    data: "ImageSource | Sequence[Tensor]",
    *,
    num_steps: int,
    normalization: NormalizationReport | None = None,
    drawn: NoiseProfile | None = None,
    measured: NoiseProfile | None = None,
    restore: bool = True,
    dtype: torch.dtype = torch.float32,
    progress: ProgressCallback = silent,
) -> Diagnosis:
    """Look for the cause of a conversion's loss.

    Args:
        snn: The converted network.
        ann: The network it was converted from; both are left alone.
        data: Images, normalised; with labels the accuracies are told.
        num_steps: T.
        normalization: How the ANN does under each known normalisation, where that was tried.
        drawn: Noise that a user has drawn.
        measured: The noise as it was measured, to compare ``drawn`` with.
        restore: Try what each site regains that a finding names; only where the images have labels.
        dtype: Of convolutions and sums between sites of the simulation.
        progress: Called with images done and in all.

    Raises:
        SimulationError: As ``error_budget``.
        ConversionError: The two networks have different sites.

    Example:
        >>> import snnlab as sl
        >>> ckpt = sl.example("digits-vgg-qcfs-L8")
        >>> ann, images = ckpt.build(), ckpt.data("dev", limit=32)
        >>> broken = sl.convert(ann, "qcfs", sites={"stage2.act1": {"threshold": 0.5}})
        >>> first = sl.analysis.diagnose(broken, ann, images, num_steps=8).found()[0]
        >>> first.rule, first.site
        ('threshold', 'stage2.act1')
    """
    report, _, _ = diagnosis_of(
        snn, ann, data, num_steps=num_steps, normalization=normalization, drawn=drawn, measured=measured,
        restore=restore, dtype=dtype, progress=progress,
    )  # fmt: skip
    return report


def diagnosis_of(
    snn: SpikingModel,
    ann: nn.Module,
    data: "ImageSource | Sequence[Tensor]",
    *,
    num_steps: int,
    normalization: NormalizationReport | None = None,
    drawn: NoiseProfile | None = None,
    measured: NoiseProfile | None = None,
    restore: bool = True,
    dtype: torch.dtype = torch.float32,
    progress: ProgressCallback = silent,
) -> tuple[Diagnosis, Recording, np.ndarray]:
    """As ``diagnose``; with the recording of the simulation, and the ANN's classes, (images,)."""
    images = as_images(data)
    budget, recording, predicted = budget_of(snn, ann, images, num_steps=num_steps, dtype=dtype, progress=progress)
    evidence = Evidence(
        budget=budget,
        repairs=site_repairs(snn, ann, images, num_steps=num_steps, progress=progress),
        learned={site.name: site.threshold for site in snn.site_facts if site.threshold is not None},
        weights=_changed_weights(snn, ann),
        normalization=normalization,
        drawn=drawn,
        measured=measured,
        num_steps=num_steps,
    )
    found = findings(evidence)
    labels = recording.labels
    if restore and labels is not None:
        found = _with_regained(found, snn, ann, images, np.asarray(labels), num_steps, progress)
    nothing = np.empty(0, bool)
    report = Diagnosis.of(
        found,
        considered=tuple(rule.name for rule in RULES),
        num_steps=num_steps,
        images=len(images),
        split=images.name,
        method=snn.method,
        ann_correct=nothing if labels is None else predicted == labels,
        snn_correct=nothing if labels is None else recording.predictions[-1] == labels,
    )
    return report, recording, predicted


def _with_regained(
    found: tuple[Finding, ...],
    snn: SpikingModel,
    ann: nn.Module,
    images: ImageSource,
    labels: np.ndarray,
    num_steps: int,
    progress: ProgressCallback,
) -> tuple[Finding, ...]:
    """The findings with what restoring their sites regains, each site by itself."""
    sites = tuple(dict.fromkeys(each.site for each in found if each.site))
    if not sites:
        return found
    groups = [(), *((site,) for site in sites)]
    logits, _ = restored_logits(snn, ann, images, groups, num_steps=num_steps, progress=progress)
    right = logits[:, -1].argmax(axis=-1) == labels
    gains = {site: paired_difference(right[0], one) for site, one in zip(sites, right[1:], strict=True)}
    return tuple(
        dataclasses.replace(each, regained=gain.value, low=gain.low, high=gain.high)
        if (gain := gains.get(each.site)) is not None
        else each
        for each in found
    )


def _changed_weights(snn: SpikingModel, ann: nn.Module) -> dict[str, tuple[str, float]]:
    """Site -> a weight before it that is not the ANN's, where the method did not say that it changed it.

    Layers behind the last site, before the read-out, stand under the empty name.
    """
    graph = prepare(ann).graph
    ours, theirs = dict(snn.graph.named_parameters()), dict(graph.named_parameters())
    sites, found = set(snn.sites), dict[str, tuple[str, float]]()
    before: list[str] = []  # layers since the last site, in the order of the graph
    for node in snn.graph.graph.nodes:
        if node.op == "call_module" and node.target not in sites:
            before.append(str(node.target))
        if node.op != "output" and node.target not in sites:
            continue
        site = "" if node.op == "output" else str(node.target)
        for layer in before:
            for part in ("weight", "bias"):
                name = f"{layer}.{part}"
                if name in ours and name in theirs and name not in snn.changed_weights:
                    most = float(theirs[name].detach().abs().max())
                    far = float((ours[name].detach() - theirs[name].detach()).abs().max()) / (most or 1.0)
                    if far > found.get(site, ("", 0.0))[1]:
                        found[site] = (name, far)
        before = []
    return found
