"""The engine: one layer at a time over all T steps, time folded into the batch.

Values that do not change over time (the repeated image and everything before the first site) are computed once.
Affine operations run on (T x N, ...) tensors; a site's neurons run through T in one fused kernel, which also fills
the statistics at the snapshots, so that no potential is ever stored.
"""

import copy
import math
import operator
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, fx, nn

from snnlab.core.errors import SimulationError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.graph.rules import is_size
from snnlab.neurons import MAX_POOLS, IntegrateFire, RunningMaxPool, pooled_over_time
from snnlab.neurons.kernels import States
from snnlab.simulation.devices import exact_arithmetic, find_device
from snnlab.simulation.images import ImageSource, as_images, check_finite
from snnlab.simulation.recording import Recording, SiteRecording
from snnlab.simulation.sites import SiteRunner
from snnlab.simulation.spiking_model import SpikingModel

DEFAULT_MEMORY = 512 * 2**20
"""Bytes that logits and activations of one simulation may take, by default."""

Observer = Callable[[str, Tensor, int], None]
"""``observe(site, emitted, start)``: what went out, (T, n, ...), of one micro-batch, and its first image's index."""

StateObserver = Callable[[str, States, int], None]
"""``observe_states(site, states, start)``: what every neuron of one micro-batch came to at the steps ``states_at``."""

_CACHE_BYTES = 24 * 2**20  # of one micro-batch at the largest site; 1 to 24 MB ran alike on a ResNet-20
_CANDIDATES = 2048  # single neurons kept per site, from which the traces are drawn


@dataclass(frozen=True)
class Value:
    """A node's result: (N, ...) when constant in time, (T x N, ...), time first, when it varies."""

    data: Any
    varies: bool


def simulate(
    snn: SpikingModel,
    data: "ImageSource | Tensor | Sequence[Tensor]",
    *,
    num_steps: int,
    snapshots: Sequence[int] = (),
    candidates: "Literal['random'] | Mapping[str, tuple[np.ndarray, np.ndarray]] | None" = None,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    membrane_dtype: torch.dtype | None = None,
    device: str = "cpu",
    micro_batch: int | None = None,
    memory: int = DEFAULT_MEMORY,
    fused: bool = True,
    observe: Observer | None = None,
    observe_warm_up: Observer | None = None,
    states_at: Sequence[int] = (),
    observe_states: StateObserver | None = None,
    progress: ProgressCallback = silent,
) -> Recording:
    r"""Simulate a spiking network on images for T steps; one run yields every t up to T.

    Args:
        snn: The converted network; left alone.
        data: Image source, tensor (N, C, H, W), or pair (images, labels); normalised.
        num_steps: T, at least 1.
        snapshots: Steps at which residual statistics are kept, each in 1..T.
        candidates: Single neurons whose input is kept at every step: ``"random"`` for about 2,000 a site, or site name
            -> (image, flat position), sorted by image.
        seed: Which random neurons those are.
        dtype: ``torch.float32``, or ``torch.float64`` for edge cases.
        membrane_dtype: Of potentials and thresholds; None for ``dtype``. In float64 no rounded sum makes a neuron fire
            a step early or late, while convolutions run as fast as before.
        device: ``"cpu"`` or ``"cuda"``. Elsewhere than on the CPU the neurons run step by step in torch, and the kernel
            on the CPU counts the statistics of the same input.
        micro_batch: Images at once; None fits them to the cache and to ``memory``.
        memory: Bytes for logits and activations.
        fused: Use the compiled kernel; False runs the same equations step by step in torch.
        observe: Called at every site, and at every max-pool whose input varies with time, of every micro-batch, input
            first, with its name, what went out (T, n, ...), threshold x spikes or what these are worth, and the index
            of the micro-batch's first image. It must not write into the tensor. Micro-batches come in the order of the
            images; of a warm-up it sees nothing.
        observe_warm_up: The same for the steps of a warm-up, (warm-up steps, n, ...), before ``observe`` sees those
            images.
        states_at: Steps at which ``observe_states`` sees what every neuron came to, each in 1..T. They need be no
            snapshots: what is counted there is then left out of the recording, and of its cost.
        observe_states: Called likewise with ``kernels.States`` of arrays (steps of ``states_at``, n, ...), made anew
            for every micro-batch.
        progress: Called after every micro-batch with images done and in all; cancels by raising ``Cancelled``.

    Returns:
        The recording. Logits are kept for all steps when they fit a quarter of ``memory``, else at the snapshots,
        else not; ``logits_kept`` says which.

    Raises:
        SimulationError: T below 1, a snapshot or a step of ``states_at`` outside 1..T, one of ``states_at`` and
            ``observe_states`` without the other, a potential that is not a number, or charge balance
            v(T) - v(0) = sum I - threshold N violated beyond float rounding; names the site. Or a device that is not
            there.
        DataError: No image, or NaN in one.
    """
    snn.check_steps(num_steps)
    steps, kept_steps = _checked_snapshots(num_steps, snapshots), _checked_snapshots(num_steps, states_at)
    if bool(kept_steps) != (observe_states is not None):
        raise SimulationError("States are kept for an observer, at steps it names; pass observe_states and states_at.")
    place, fused = find_device(device), fused and device == "cpu"
    images = as_images(data)
    started = time.perf_counter()
    # A copy in channels-last memory: convolutions on a CPU are faster so, and the caller's model stays as it is.
    graph = copy.deepcopy(snn.graph).eval().to(dtype)
    graph.to(device=place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    shapes = site_shapes(snn, images.batch(0, 1))
    modules = dict(graph.named_modules())
    for site in snn.site_facts:
        modules[site.name].to(membrane_dtype or dtype)
    chosen = (
        {site.name: _draw_candidates(shapes[site.name], len(images), [seed, site.index]) for site in snn.site_facts}
        if candidates == "random"
        else dict(candidates or {})
    )
    threads = max(1, torch.get_num_threads())
    with ThreadPoolExecutor(threads) as pool, torch.inference_mode(), exact_arithmetic():
        runners = {
            site.name: SiteRunner(
                replace(site, shape=shapes[site.name]),
                modules[site.name],
                num_steps=num_steps,
                snapshots=steps,
                candidates=chosen.get(site.name),
                fused=fused,
                pool=pool,
                threads=threads,
                states_at=kept_steps,
            )
            for site in snn.site_facts
        }
        warm_up = snn.warm_up_steps
        batch = micro_batch or _fitting_batch(shapes, max(num_steps, warm_up), memory, dtype)
        read_out = _ReadOut(snn, num_steps, steps, len(images), memory)
        last_use = last_uses(graph)
        for start in range(0, len(images), batch):
            stop = min(start + batch, len(images))
            x = images.batch(start, stop).to(dtype)
            check_finite(x, start)
            if warm_up:
                seen = observe_warm_up
                _run(graph, modules, runners, x.to(place), start, warm_up, last_use, seen, None, warming=True)
            logits = _run(graph, modules, runners, x.to(place), start, num_steps, last_use, observe, observe_states)
            read_out.add(logits.reshape(num_steps, stop - start, -1).cpu(), start)
            progress(stop, len(images), "images simulated")
    recordings = {name: runner.recording() for name, runner in runners.items()}
    _check_identities(recordings)
    return Recording(
        num_steps=num_steps,
        snapshots=steps,
        predictions=read_out.predictions,
        margins=read_out.margins,
        logits=read_out.logits,
        logits_kept=read_out.kept,
        labels=None if images.labels is None else np.asarray(images.labels),
        sites=recordings,
        split=images.name,
        warm_up_steps=warm_up,
        seconds=time.perf_counter() - started,
        changed_weights=snn.changed_weights,
    )


def site_shapes(snn: SpikingModel, image: Tensor) -> dict[str, tuple[int, ...]]:
    """Shape of one image's activation at every site, from one step on one image; errors as ``node_shapes``."""
    sites = {site.name for site in snn.site_facts}
    return {str(node.target): shape for node, shape in node_shapes(snn, image).items() if node.target in sites}


def node_shapes(snn: SpikingModel, image: Tensor) -> dict[fx.Node, tuple[int, ...]]:
    """Shape of one image's value at every node of the graph that is a tensor, from one step on one image.

    Raises:
        SimulationError: The image does not fit the network; says which layer refused it.
    """
    graph, env = snn.graph, dict[fx.Node, Any]()
    modules = dict(graph.named_modules())
    x = image.to(_dtype_of(snn))
    with torch.inference_mode():
        for node in graph.graph.nodes:
            if node.op == "placeholder":
                env[node] = x
            elif node.op != "output":
                module = modules.get(str(node.target)) if node.op == "call_module" else None
                args = fx.node.map_arg(node.args, env.__getitem__)
                kwargs = fx.node.map_arg(node.kwargs, env.__getitem__)
                try:
                    # A neuron keeps the shape of its input; running it would leave state behind.
                    env[node] = args[0] if isinstance(module, IntegrateFire) else _call(node, module, args, kwargs)
                except (RuntimeError, IndexError) as error:
                    reason = str(error).splitlines()[0]
                    raise SimulationError(
                        f"Images of shape {tuple(image.shape[1:])} do not fit the network at {node.target}: {reason}."
                    ) from None
    return {node: tuple(value.shape[1:]) for node, value in env.items() if isinstance(value, Tensor)}


def _run(
    graph: fx.GraphModule,
    modules: dict[str, Any],
    runners: dict[str, SiteRunner],
    x: Tensor,
    start: int,
    num_steps: int,
    last_use: dict[fx.Node, list[fx.Node]],
    observe: Observer | None,
    observe_states: StateObserver | None,
    warming: bool = False,
) -> Tensor:
    """Logits of every step, (T x N, classes); ``warming`` lets the neurons decide what their sequence starts from."""
    env: dict[fx.Node, Value] = {}
    images = len(x)
    for node in graph.graph.nodes:
        if node.op == "placeholder":
            env[node] = Value(x, False)
        elif node.op == "output":
            value = env[node.args[0]]
            return value.data if value.varies else _repeat(value.data, num_steps)
        elif node.op == "call_module" and node.target in runners:
            source, runner = node.args[0], runners[node.target]
            own = len(source.users) == 1 and _makes_new_memory(source, modules)
            if warming:
                spikes = runner.warm_up(env[source].data, env[source].varies, images, num_steps)
            else:
                spikes = runner.run(env[source].data, env[source].varies, images, start, in_place=own)
            env[node] = Value(spikes, True)
            if observe is not None:
                observe(str(node.target), spikes.unflatten(0, (num_steps, images)), start)
            if observe_states is not None:
                observe_states(str(node.target), runners[node.target].states, start)
        else:
            value = env[node] = apply_node(node, modules, env, num_steps)
            if observe is not None and value.varies and _max_pool(node, modules) is not None:
                observe(str(node.target), value.data.unflatten(0, (num_steps, images)), start)
        for done in last_use.get(node, ()):
            del env[done]
    raise AssertionError("a traced graph ends in an output node")


def _makes_new_memory(node: fx.Node, modules: dict[str, Any]) -> bool:
    """Whether nobody else can hold this node's result: an identity, dropout or flatten passes on its input's memory."""
    if node.op == "call_module":
        return isinstance(modules[str(node.target)], nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear)
    return node.op == "call_function" and node.target in (operator.add, torch.add)


def apply_node(node: fx.Node, modules: dict[str, Any], env: dict[fx.Node, Value], num_steps: int) -> Value:
    """The result of a node that is no site, from those before it.

    Raises:
        SimulationError: It takes its batch size from a tensor that does not vary with time.
    """
    varies = any(env[source].varies for source in node.all_input_nodes)

    def value(source: fx.Node) -> Any:
        known = env[source]
        if varies and not known.varies and isinstance(known.data, Tensor) and not is_size(source):
            return _repeat(known.data, num_steps)
        if varies and not known.varies and is_size(source):
            raise SimulationError(
                f"{node.name} takes its batch size from a tensor before the first site; write x.flatten(1) instead."
            )
        return known.data

    pool = _max_pool(node, modules) if varies else None
    if pool is not None:
        return Value(
            pooled_over_time(pool, value(node.all_input_nodes[0]).unflatten(0, (num_steps, -1))).flatten(0, 1), True
        )
    args, kwargs = fx.node.map_arg(node.args, value), fx.node.map_arg(node.kwargs, value)
    return Value(_call(node, modules.get(str(node.target)), args, kwargs), varies)


def _max_pool(node: fx.Node, modules: dict[str, Any]) -> nn.Module | None:
    """The max-pooling of one step at a node; None for other nodes."""
    module = modules.get(str(node.target)) if node.op == "call_module" else None
    if isinstance(module, RunningMaxPool):
        return module.pool
    return module if isinstance(module, MAX_POOLS) else None


def _call(node: fx.Node, module: Any, args: Any, kwargs: Any) -> Any:
    if isinstance(module, RunningMaxPool):
        return module.pool(*args, **kwargs)  # of what does not vary with time; sums are not left behind
    if node.op == "call_module":
        return module(*args, **kwargs)
    if node.op == "call_function":
        return node.target(*args, **kwargs)  # type: ignore[operator]
    return getattr(args[0], str(node.target))(*args[1:], **kwargs)


def _repeat(constant: Tensor, num_steps: int) -> Tensor:
    """(N, ...) at every step, (T x N, ...)."""
    return constant.unsqueeze(0).expand(num_steps, *constant.shape).reshape(-1, *constant.shape[1:])


def last_uses(graph: fx.GraphModule) -> dict[fx.Node, list[fx.Node]]:
    """Node -> values that nobody needs after it."""
    last: dict[fx.Node, fx.Node] = {}
    for node in graph.graph.nodes:
        for source in node.all_input_nodes:
            last[source] = node
    ends: dict[fx.Node, list[fx.Node]] = {}
    for source, node in last.items():
        ends.setdefault(node, []).append(source)
    return ends


class _ReadOut:
    """Mean logits at every t, and what is kept of them."""

    def __init__(self, snn: SpikingModel, num_steps: int, snapshots: tuple[int, ...], images: int, memory: int) -> None:
        self.snn, self.snapshots, self.memory = snn, snapshots, memory
        self.predictions = np.empty((num_steps, images), np.int16)
        self.margins = np.empty((num_steps, images), np.float32)
        self.logits: np.ndarray | None = None
        self.kept = ""

    def add(self, logits: Tensor, start: int) -> None:
        """Take the logits (T, n, classes) of images from ``start`` on.

        Raises:
            SimulationError: A logit is not a number.
        """
        steps, n, classes = logits.shape
        mean = self.snn.read_out(logits)
        if not bool(torch.isfinite(mean[-1]).all()):
            raise SimulationError("The logits are not finite; a weight or threshold of the network is out of range.")
        stop = start + n
        self.predictions[:, start:stop] = mean.argmax(-1).numpy()
        best = mean.topk(min(2, classes), dim=-1).values
        self.margins[:, start:stop] = (best[..., 0] - best[..., -1]).numpy()
        if not self.kept:
            self._reserve(steps, self.predictions.shape[1], classes)
        if self.logits is not None:
            chosen = mean if self.kept == "all" else mean[[t - 1 for t in self.snapshots]]
            self.logits[:, start:stop] = chosen.numpy()

    def _reserve(self, steps: int, images: int, classes: int) -> None:
        size = images * classes * 4
        for name, rows in (("all", steps), ("snapshots", len(self.snapshots))):
            if rows and rows * size <= self.memory // 4:
                self.kept, self.logits = name, np.empty((rows, images, classes), np.float32)
                return
        self.kept = "none"


def _checked_snapshots(num_steps: int, snapshots: Sequence[int]) -> tuple[int, ...]:
    outside = [t for t in snapshots if not 1 <= t <= num_steps]
    if outside:
        raise SimulationError(f"Snapshot t = {outside[0]} lies outside 1..{num_steps}, the simulated time-steps.")
    return tuple(sorted(set(snapshots)))


def _fitting_batch(shapes: dict[str, tuple[int, ...]], num_steps: int, memory: int, dtype: torch.dtype) -> int:
    largest = max(math.prod(shape) for shape in shapes.values()) * num_steps * dtype.itemsize
    # About four such tensors live at once: input, output, a skip, and the convolution's workspace.
    return max(1, min(_CACHE_BYTES // largest, memory // (4 * largest)))


def _draw_candidates(shape: tuple[int, ...], images: int, seed: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Image and flat position of about 2,000 neurons, spread evenly over the images."""
    chosen = np.unique(np.linspace(0, images - 1, min(images, _CANDIDATES)).astype(int))
    per_image = min(math.prod(shape), math.ceil(_CANDIDATES / len(chosen)))
    position = np.random.default_rng(seed).integers(math.prod(shape), size=(len(chosen), per_image))
    return np.repeat(chosen, per_image), position.ravel()


def _dtype_of(snn: SpikingModel) -> torch.dtype:
    return next(iter(snn.sites.values())).threshold.dtype


def _check_identities(recordings: dict[str, SiteRecording]) -> None:
    for name, recording in recordings.items():
        statistics = recording.statistics
        if statistics.nan.any():
            raise SimulationError(f"{name}: a membrane potential is not a number; check weights and input.")
        if statistics.identity[1] > 1:
            raise SimulationError(
                f"{name}: charge balance is off by {statistics.identity[0]:.3g} thresholds, more than rounding allows; "
                "simulate with dtype float64, and report this network."
            )
