"""Site restoration: a site emits the ANN's activation, the rest is simulated. Which layer is to blame?

Where neurons decide in a warm-up, the restored site emits the activation there as well, and every site behind it
decides anew from what then reaches it. The question is what the method makes of a network with a perfect site, not what
masks and v(0) do that were meant for other input.
"""

import copy
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, fx, nn

from snnlab.analysis.reports.restoration import Restoration
from snnlab.calibration.beside import AnnBeside
from snnlab.core.errors import DataError, SimulationError, SnnlabError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.stages import stage_of
from snnlab.simulation.engine import DEFAULT_MEMORY, Value, apply_node, site_shapes
from snnlab.simulation.images import ImageSource, as_images, check_finite
from snnlab.simulation.sites import SiteRunner
from snnlab.simulation.spiking_model import SpikingModel


def restoration(
    snn: SpikingModel,
    ann: nn.Module,
    data: "ImageSource | Sequence[Tensor]",
    *,
    num_steps: int,
    snapshots: Sequence[int] = (),
    dtype: torch.dtype = torch.float32,
    progress: ProgressCallback = silent,
) -> Restoration:
    """Accuracy regained where one site, or every site of a stage, emits the ANN's activation at every step.

    What lies before the restored site is simulated once for all of them.

    Args:
        snn: The converted network.
        ann: The network it was converted from; both are left alone.
        data: Labelled images, normalised.
        num_steps: T.
        snapshots: Steps t at which accuracies are kept, beside T.
        dtype: Of convolutions and sums between sites; potentials are float64, as in the error budget.
        progress: Called with images done and in all; cancels by raising ``Cancelled``.

    Raises:
        DataError: Images without labels.
        SimulationError: T below 1 or below what the method's correction looks at, or a snapshot outside 1..T.
        ConversionError: The two networks have different sites.

    Example:
        >>> import snnlab as sl
        >>> ckpt = sl.example("digits-vgg-qcfs-L8")
        >>> ann = ckpt.build()
        >>> found = sl.analysis.restoration(sl.convert(ann, "qcfs"), ann, ckpt.data("dev", limit=32), num_steps=1)
        >>> len(found.regained(1)) == len(found.names)
        True
    """
    found, _ = restoration_of(snn, ann, data, num_steps=num_steps, snapshots=snapshots, dtype=dtype, progress=progress)
    return found


def restoration_of(
    snn: SpikingModel,
    ann: nn.Module,
    data: "ImageSource | Sequence[Tensor]",
    *,
    num_steps: int,
    snapshots: Sequence[int] = (),
    dtype: torch.dtype = torch.float32,
    progress: ProgressCallback = silent,
) -> tuple[Restoration, np.ndarray]:
    """As ``restoration``; with the ANN's classes, (images,)."""
    images = as_images(data)
    if images.labels is None:
        raise DataError("Accuracy is regained on labelled images only; pass a split, or (images, labels).")
    steps = tuple(sorted({*snapshots, num_steps}))
    names = tuple(site.name for site in snn.site_facts if not site.is_output)
    stages = {
        stage: [name for name in names if stage_of(name) == stage] for stage in dict.fromkeys(map(stage_of, names))
    }
    groups = [(), *((name,) for name in names), *stages.values()]
    logits, ann_classes = restored_logits(
        snn, ann, images, groups, num_steps=num_steps, snapshots=steps, dtype=dtype, progress=progress
    )
    right = logits.argmax(axis=-1) == np.asarray(images.labels)
    report = Restoration(
        names=names,
        stages=tuple(stages),
        stage_sizes=tuple(len(members) for members in stages.values()),
        steps=steps,
        snn_correct=right[0],
        ann_correct=ann_classes == np.asarray(images.labels),
        site_correct=right[1 : 1 + len(names)],
        stage_correct=right[1 + len(names) :],
        split=images.name,
        method=snn.method,
    )
    return report, ann_classes


def restored_logits(
    snn: SpikingModel,
    ann: nn.Module,
    data: "ImageSource | Tensor | Sequence[Tensor]",
    groups: Sequence[Collection[str]],
    *,
    num_steps: int,
    snapshots: Sequence[int] = (),
    dtype: torch.dtype = torch.float32,
    micro_batch: int | None = None,
    progress: ProgressCallback = silent,
) -> tuple[np.ndarray, np.ndarray]:
    """What the network says once some of its sites emit the ANN's activation, for one image as for many.

    Args:
        snn: The converted network.
        ann: The network it was converted from.
        data: Images, normalised; labels are not needed.
        groups: Names of the sites that are restored together, one group a question; an empty one restores nothing.
        num_steps: T.
        snapshots: Steps t at which logits are read, beside T.
        dtype: Of convolutions and sums between sites.
        micro_batch: Images at once; None fits them to the memory.
        progress: Called with images done and in all.

    Returns:
        Mean logits at every t, (groups, steps, images, classes), and the ANN's classes, (images,).

    Raises:
        SimulationError: As ``restoration``.
        SnnlabError: A group names a site that the network has not.
    """
    images = as_images(data)
    beside = AnnBeside(ann, snn, images, dtype)

    def activations(start: int, stop: int) -> dict[str, Tensor]:
        return {name: beside.at(name, start, stop)[1] for name in beside.names}

    logits = logits_with(
        snn,
        images,
        activations,
        groups,
        num_steps=num_steps,
        snapshots=snapshots,
        dtype=dtype,
        micro_batch=micro_batch,
        progress=progress,
    )
    return logits, torch.cat(beside.predictions).numpy()


def logits_with(
    snn: SpikingModel,
    images: ImageSource,
    activations: Callable[[int, int], Mapping[str, Tensor]],
    groups: Sequence[Collection[str]],
    *,
    num_steps: int,
    snapshots: Sequence[int] = (),
    dtype: torch.dtype = torch.float32,
    micro_batch: int | None = None,
    progress: ProgressCallback = silent,
) -> np.ndarray:
    """What the network says once some of its sites emit given values at every step; nothing is traced, as threads ask.

    Args:
        snn: The converted network.
        images: Images, normalised.
        activations: ``(start, stop)`` -> what every site may emit for these images, (n, ...) each.
        groups: Names of the sites that emit them together, one group a question.
        num_steps: T.
        snapshots: Steps t at which logits are read, beside T.
        dtype: Of convolutions and sums between sites.
        micro_batch: Images at once; None fits them to the memory.
        progress: Called with images done and in all.

    Returns:
        Mean logits at every t, (groups, steps, images, classes).

    Raises:
        SimulationError, SnnlabError: As ``restored_logits``.
    """
    _check(snn, num_steps, snapshots)
    at = [step - 1 for step in sorted({*snapshots, num_steps})]
    names = tuple(site.name for site in snn.site_facts if not site.is_output)
    for name in {name for group in groups for name in group}:
        if name not in names:
            raise SnnlabError(f"There is no site {name!r} to restore; sites are: {', '.join(names)}.")
    parts = []
    with torch.inference_mode(), _network(snn, images, num_steps, dtype) as network:
        batch = micro_batch or network.fitting_batch(DEFAULT_MEMORY)
        for start in range(0, len(images), batch):
            stop = min(start + batch, len(images))
            x = images.batch(start, stop).to(dtype)
            check_finite(x, start)
            restored = {name: values.to(dtype) for name, values in activations(start, stop).items()}
            base = network.run(x, start)
            found = []
            for done, group in enumerate(groups):
                logits = network.restored(base, {name: restored[name] for name in group}, start)
                found.append(snn.read_out(logits)[at].numpy())
                progress(start * len(groups) + done * len(x), len(images) * len(groups), "images, over restored sites")
            parts.append(np.stack(found))
    progress(len(images) * len(groups), len(images) * len(groups), "images, over restored sites")
    return np.concatenate(parts, axis=2)


def _check(snn: SpikingModel, num_steps: int, snapshots: Sequence[int]) -> None:
    if num_steps < 1 or any(not 1 <= step <= num_steps for step in snapshots):
        raise SimulationError(f"Sites are restored at t from 1 to T; found T = {num_steps}, t = {list(snapshots)}.")
    snn.check_steps(num_steps)


class _Phase(NamedTuple):
    """A part of a simulation: steps in which the neurons decide what they start from, or steps that count."""

    steps: int
    is_warm_up: bool


class _Network:
    """A spiking network whose sites can emit something else; what nothing else reaches is taken from the first run."""

    def __init__(self, graph: fx.GraphModule, runners: dict[str, SiteRunner], num_steps: int, warm_up: int) -> None:
        self.graph, self.runners = graph, runners
        sequence = _Phase(num_steps, False)
        self.phases = (_Phase(warm_up, True), sequence) if warm_up else (sequence,)
        self.modules = dict(graph.named_modules())
        self.nodes: tuple[fx.Node, ...] = tuple(graph.graph.nodes)

    def fitting_batch(self, memory: int) -> int:
        """Images whose values of all sites, over all steps, twice over, fit the memory."""
        elements = sum(math.prod(runner.site.shape) for runner in self.runners.values())
        return max(1, memory // (4 * 4 * elements * sum(phase.steps for phase in self.phases)))

    def run(self, x: Tensor, start: int) -> list[dict[fx.Node, Value]]:
        """Every value of every phase for a micro-batch without restoration."""
        found = []
        for phase in self.phases:
            env = {self.nodes[0]: Value(x, False)}
            for node in self.nodes[1:]:
                env[node] = self._value(node, env, len(x), start, phase)
            found.append(env)
        return found

    def restored(self, base: list[dict[fx.Node, Value]], emitted: dict[str, Tensor], start: int) -> Tensor:
        """Logits of every step, (T, n, classes), where some sites emit (n, ...) at every step."""
        images = len(base[0][self.nodes[0]].data)
        for phase, first in zip(self.phases, base, strict=True):
            env, changed = dict(first), set[fx.Node]()
            for node in self.nodes:
                if node.op == "call_module" and node.target in emitted:
                    env[node] = Value(emitted[str(node.target)], False)
                    changed.add(node)
                elif changed.intersection(node.all_input_nodes):
                    env[node] = self._value(node, env, images, start, phase)
                    changed.add(node)
        data: Any = env[self.nodes[-1]]
        logits: Tensor = data.data
        steps = self.phases[-1].steps
        return logits.unflatten(0, (steps, -1)) if data.varies else logits.expand(steps, *logits.shape)

    def _value(self, node: fx.Node, env: dict[fx.Node, Value], images: int, start: int, phase: _Phase) -> Value:
        if node.op == "output":
            return env[node.args[0]]  # type: ignore[index]  # an output has one source
        if node.op == "call_module" and node.target in self.runners:
            source, runner = env[node.args[0]], self.runners[str(node.target)]  # type: ignore[index]  # and so has a site
            if phase.is_warm_up:
                return Value(runner.warm_up(source.data, source.varies, images, phase.steps), True)
            return Value(runner.run(source.data, source.varies, images, start, in_place=False), True)
        return apply_node(node, self.modules, env, phase.steps)


@contextmanager
def _network(snn: SpikingModel, images: ImageSource, num_steps: int, dtype: torch.dtype) -> Iterator[_Network]:
    shapes = site_shapes(snn, images.batch(0, 1))
    graph = copy.deepcopy(snn.graph).eval().to(dtype)
    graph.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    neurons: dict[str, Any] = {site.name: graph.get_submodule(site.name).double() for site in snn.site_facts}
    threads = max(1, torch.get_num_threads())
    with ThreadPoolExecutor(threads) as pool:
        runners = {
            site.name: SiteRunner(
                replace(site, shape=shapes[site.name]),
                neurons[site.name],
                num_steps=num_steps,
                snapshots=(),
                candidates=None,
                fused=True,
                pool=pool,
                threads=threads,
            )
            for site in snn.site_facts
        }
        yield _Network(graph, runners, num_steps, snn.warm_up_steps)
