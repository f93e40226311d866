"""Count spikes and the operations that they cause, while a simulation runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from torch import Tensor, fx, nn

from snnlab.analysis.reports.activity import STREAMS, ActivityReport
from snnlab.analysis.spike_counts import count_levels, count_spikes
from snnlab.core.errors import SimulationError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.graph.reach import (
    Reach,
    into_layer,
    is_layer,
    is_sum,
    layer_fan_out,
    nominal_macs,
    passed_on,
)
from snnlab.neurons import RunningMaxPool
from snnlab.simulation.engine import node_shapes, simulate
from snnlab.simulation.images import ImageSource, as_images
from snnlab.simulation.spiking_model import SpikingModel


def synaptic_operations(
    snn: SpikingModel,
    data: "ImageSource | Tensor | Sequence[Tensor]",
    *,
    num_steps: int,
    progress: ProgressCallback = silent,
    **options: Any,
) -> ActivityReport:
    """Firing rates, and the operations of every layer that incoming spikes cause, exactly.

    A simulation of one's own counts too: ``simulate(..., observe=counter, observe_warm_up=counter.warm_up)`` with an
    ``ActivityCounter``.

    Args:
        snn: The converted network; left alone.
        data: Images as ``simulate`` takes them, normalised.
        num_steps: T.
        progress: Called after every micro-batch; cancels by raising ``Cancelled``.
        **options: More of ``simulate``: ``dtype``, ``device``, ``micro_batch``, ``memory``.

    Raises:
        SimulationError: As ``simulate``, or an operation whose connections cannot be followed; names it.
        DataError: As ``simulate``.

    Example:
        >>> import snnlab as sl
        >>> ckpt = sl.example("digits-vgg-qcfs-L8")
        >>> snn = sl.convert(ckpt.build(), "qcfs")
        >>> report = sl.analysis.synaptic_operations(snn, ckpt.data("dev", limit=4), num_steps=4)
        >>> report.per_image(4) > report.per_image(1) > 0
        True
    """
    images = as_images(data)
    counter = ActivityCounter(snn, images.batch(0, 1), num_steps=num_steps)
    recording = simulate(
        snn, images, num_steps=num_steps, observe=counter, observe_warm_up=counter.warm_up, progress=progress, **options
    )
    return counter.report(split=recording.split)


@dataclass
class _Row:
    """One layer, or the sum of shortcuts at one site: constants, and counts over steps."""

    name: str
    kind: str
    input: str
    sources: tuple[str, ...]
    ann_macs: int = 0
    nominal_macs: int = 0
    ann_adds: int = 0
    outputs: int = 0
    has_bias: bool = False


@dataclass
class _Connection:
    """Spikes of one site into one row.

    Args:
        row: Index of the row.
        fan_out: Outputs that each neuron reaches, shaped as the site, int64.
        stream: Index of the stream that its accumulates belong to.
        pool: What each neuron reaches at the input of a layer behind a pool; None for a direct connection.
        behind: Fan-out of that layer at its input, int64; a whole number for all where the input is flat.
    """

    row: int
    fan_out: np.ndarray
    stream: int
    pool: Reach | None = None
    behind: np.ndarray | None = None


@dataclass
class _Source:
    """Where a value comes from.

    Args:
        kind: ``"image"``, ``"analog"`` or ``"spikes"``.
        place: Site, or max-pool behind spikes, that sends them.
        sites: The site itself, or those in front of the max-pool.
        reach: What the spikes reach of the value.
    """

    kind: str
    place: str = ""
    sites: tuple[str, ...] = ()
    reach: Reach | None = None


class ActivityCounter:
    """An observer of ``simulate`` that counts spikes and what they cause. Memory: one micro-batch at one site.

    Args:
        snn: The network that is simulated; left alone.
        image: One image of the simulation, (1, C, H, W).
        num_steps: T of the simulation.

    Raises:
        SimulationError: The image does not fit, or an operation cannot be followed; names it.

    Example:
        >>> import snnlab as sl
        >>> ckpt = sl.example("digits-vgg-qcfs-L8")
        >>> snn, images = sl.convert(ckpt.build(), "qcfs"), ckpt.data("dev", limit=4)
        >>> counter = sl.analysis.ActivityCounter(snn, images.batch(0, 1), num_steps=2)
        >>> recording = sl.simulate(snn, images, num_steps=2, observe=counter)
        >>> counter.report(split=recording.split).images
        4
    """

    def __init__(self, snn: SpikingModel, image: Tensor, *, num_steps: int) -> None:
        self.num_steps = num_steps
        structure = _Structure(snn, image).found()
        self._rows, neurons = structure.rows, snn.sites
        counters = {
            name: _Counter(structure.sizes[name], found, [neurons[site] for site in structure.sites[name]])
            for name, found in structure.connections.items()
        }
        self._sites = {site.name: counters.pop(site.name) for site in snn.site_facts}
        self._pools = counters
        shape = (len(self._rows), num_steps)
        self._syn_ops, self._pool_adds, self._levels = (np.zeros(shape, np.int64) for _ in range(3))
        self._spikes = {name: np.zeros(num_steps, np.int64) for name in self._sites}
        self._sums = np.zeros((num_steps, len(STREAMS)))
        self._products = np.zeros((num_steps, len(STREAMS), len(STREAMS)))
        self._pending: np.ndarray | None = None
        self._start, self._images, self._warm_up_steps = -1, 0, 0

    def __call__(self, site: str, emitted: Tensor, start: int) -> None:
        """Take what a site or a max-pool sent, (T, n, ...), of the images from ``start`` on."""
        counter = self._counter(site)
        if counter is not None:
            spikes, counts = counter.count(emitted)
            if site in self._spikes:
                self._spikes[site] += spikes
            self._take(counter, counts, emitted.shape[1], start)

    def warm_up(self, site: str, emitted: Tensor, start: int) -> None:
        """The same for a warm-up: its operations are added to those of t = 1, its spikes to no firing rate."""
        self._warm_up_steps = len(emitted)
        counter = self._counter(site)
        if counter is not None:
            _, counts = counter.count(emitted)
            total = [tuple(each.sum(axis=0, keepdims=True) for each in found) for found in counts]
            self._take(counter, total, emitted.shape[1], start)

    def _counter(self, name: str) -> "_Counter | None":
        """That of a site or of a max-pool behind spikes; None for a max-pool of analog values."""
        return self._sites.get(name) or self._pools.get(name)

    def _take(self, counter: "_Counter", counts: Sequence[tuple[np.ndarray, ...]], images: int, start: int) -> None:
        """Add what the spikes of one place cause at the first steps, each (steps, n)."""
        if start != self._start:
            self._close()
            self._start, self._images = start, self._images + images
            self._pending = np.zeros((self.num_steps, images, len(STREAMS)), np.int64)
        assert self._pending is not None, "it was made with the first site of these images"
        for connection, (accumulates, pool_adds, levels) in zip(counter.connections, counts, strict=True):
            row, first = connection.row, slice(0, len(accumulates))
            self._syn_ops[row, first] += accumulates.sum(axis=1)
            self._pending[first, :, connection.stream] += accumulates
            if connection.pool is not None:
                self._pool_adds[row, first] += pool_adds.sum(axis=1)
                self._levels[row, first] += levels.sum(axis=1)
                self._pending[first, :, STREAMS.index("pool_adds")] += pool_adds
                self._pending[first, :, STREAMS.index("pooled_levels")] += levels

    def report(self, *, split: str = "") -> ActivityReport:
        """What was counted so far.

        Args:
            split: Name of the images' split.

        Raises:
            SimulationError: Nothing was counted.
        """
        self._close()
        if not self._images:
            raise SimulationError("No image was counted; pass this observer to simulate first.")
        rows = self._rows

        def numbers(name: str) -> np.ndarray:
            return np.array([getattr(row, name) for row in rows], np.int64)

        return ActivityReport(
            names=tuple(row.name for row in rows),
            kinds=tuple(row.kind for row in rows),
            inputs=tuple(row.input for row in rows),
            sources=tuple(" + ".join(row.sources) for row in rows),
            ann_macs=numbers("ann_macs"),
            nominal_macs=numbers("nominal_macs"),
            ann_adds=numbers("ann_adds"),
            outputs=numbers("outputs"),
            has_bias=numbers("has_bias").astype(bool),
            syn_ops=self._syn_ops.copy(),
            pool_adds=self._pool_adds.copy(),
            pooled_levels=self._levels.copy(),
            sites=tuple(self._sites),
            neurons=np.array([counter.neurons for counter in self._sites.values()], np.int64),
            spikes=np.stack(list(self._spikes.values())),
            image_sums=self._sums.copy(),
            image_products=self._products.copy(),
            images=self._images,
            split=split,
            warm_up_steps=self._warm_up_steps,
        )

    def _close(self) -> None:
        """Add up what the last micro-batch brought, image by image."""
        if self._pending is not None:
            up_to = np.cumsum(self._pending, axis=0).astype(np.float64)
            self._sums += up_to.sum(axis=1)
            self._products += np.einsum("tni,tnj->tij", up_to, up_to)
            self._pending, self._start = None, -1


class _Counter:
    """Counts the spikes of one site, or what a max-pool passes on, each with its fan-outs.

    Args:
        shape: Of one image's activation.
        connections: Where its spikes go.
        neurons: The site's neuron, or those of the sites in front of a max-pool. Behind several of them every value
            other than 0 is one spike.
    """

    def __init__(self, shape: tuple[int, ...], connections: list[_Connection], neurons: list[Any]) -> None:
        self.connections = connections
        self.neurons = int(np.prod(shape))
        columns = [np.ones(shape, np.int64)]
        for connection in connections:
            columns.append(connection.fan_out)
            if connection.pool is not None:
                columns.append(connection.pool.fan_out())
        self.table = np.stack([_in_memory_order(column) for column in columns], axis=1)  # (neurons, columns)
        self.pools = [None if each.pool is None else _Pool.of(each) for each in connections]
        self.threshold = np.empty(0, np.float32)
        if len(neurons) == 1 and neurons[0].most_spikes > 1:  # elsewhere a look at zero is exact and fast
            worth = neurons[0].worth(neurons[0].threshold)
            self.threshold = _in_memory_order(worth.detach().cpu().expand(shape).numpy())

    def count(self, emitted: Tensor) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray, np.ndarray]]]:
        """Spikes of each step, (T,), and for each connection its accumulates, pool additions and pooled levels.

        Each is (T, n), int64; the last two are 0 where no pool is.
        """
        steps, images = emitted.shape[:2]
        last = emitted.permute(0, 1, 3, 4, 2) if emitted.ndim == 5 else emitted
        flat = last.reshape(steps * images, self.neurons).cpu().numpy()
        sums = count_spikes(flat, self.threshold, self.table).reshape(steps, images, -1)
        found, column, none = [], 1, np.zeros((steps, images), np.int64)
        for pool in self.pools:
            if pool is None:
                found.append((sums[..., column], none, none))
                column += 1
            else:
                levels = count_levels(flat, pool.first, pool.places, pool.fan_out).reshape(steps, images)
                found.append((sums[..., column], sums[..., column + 1], levels))
                column += 2
        return sums[..., 0].sum(axis=1), found


@dataclass
class _Pool:
    """Which pooled values each neuron reaches, in the site's memory order, as rows of a sparse matrix.

    Args:
        first: Where each neuron's pooled values begin in ``places``, (neurons + 1,).
        places: Flat indices of pooled values.
        fan_out: Of every pooled value in the layer behind, (pooled values,), int64.
    """

    first: np.ndarray
    places: np.ndarray
    fan_out: np.ndarray

    @classmethod
    def of(cls, connection: _Connection) -> "_Pool":
        reach, behind = connection.pool, connection.behind
        assert reach is not None, "asked for pools only"
        assert behind is not None, "asked for pools only"
        lists = [
            np.arange(size)[:, None] if axis is None else [np.flatnonzero(row) for row in axis]
            for size, axis in zip(reach.shape, reach.axes, strict=True)
        ]
        pooled = tuple(
            size if axis is None else axis.shape[1] for size, axis in zip(reach.shape, reach.axes, strict=True)
        )
        flat = np.arange(int(np.prod(pooled))).reshape(pooled)
        pixels = np.ndindex(reach.shape[1:]) if len(reach.shape) == 3 else [()]
        reached = [  # in memory order, channels last
            flat[np.ix_(channel, *(each[at] for each, at in zip(lists[1:], pixel, strict=True)))].reshape(-1)
            for pixel in pixels
            for channel in lists[0]
        ]
        first = np.concatenate([[0], np.cumsum([each.size for each in reached])])
        places = np.concatenate(reached)
        return cls(first, places, np.broadcast_to(behind, pooled).reshape(-1).astype(np.int64))


def _sites_of(arriving: Sequence[_Source]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(site for each in arriving for site in each.sites))


def _in_memory_order(values: np.ndarray) -> np.ndarray:
    """One image's values flat, channels last, as the engine keeps them."""
    return np.ascontiguousarray(np.moveaxis(values, 0, -1) if values.ndim == 3 else values).reshape(-1)


@dataclass
class _Structure:
    """One walk through the graph, in which every value knows where it comes from.

    Args:
        snn: The network.
        image: One image of it.
        rows: In the order of the graph.
        connections: Of every site, and of every max-pool behind spikes.
        sites: Site, or max-pool, -> the site itself, or those in front of the max-pool.
        sizes: Shape of one image's activation there.
    """

    snn: SpikingModel
    image: Tensor
    rows: list[_Row] = field(default_factory=list)
    connections: dict[str, list[_Connection]] = field(default_factory=dict)
    sites: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sizes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def found(self) -> Self:
        graph = self.snn.graph
        self.modules: dict[str, Any] = dict(graph.named_modules())
        self.shapes = node_shapes(self.snn, self.image)
        sites = {site.name for site in self.snn.site_facts}
        self.connections = {site.name: [] for site in self.snn.site_facts}
        self.sites = {site.name: (site.name,) for site in self.snn.site_facts}
        origin: dict[fx.Node, list[_Source]] = {}
        adds: dict[fx.Node, int] = {}  # additions of the ANN on the way to a value, since the last site or layer
        for node in graph.graph.nodes:
            if node.op == "placeholder":
                origin[node] = [_Source("image")]
                continue
            inputs = [source for source in node.all_input_nodes if source in origin]
            pending = sum(adds.get(source, 0) for source in inputs)
            told = "shortcut" if pending else "no layer before"
            if node.op == "output":
                self._sums(f"read-out ({told})", origin[inputs[0]], pending)
            elif node.op == "call_module" and node.target in sites:
                name = str(node.target)
                self.sizes[name] = self.shapes[node]
                self._sums(f"{name} ({told})", origin[inputs[0]], pending)
                origin[node] = [_Source("spikes", name, (name,), Reach.itself(self.shapes[node]))]
            elif node.op == "call_module" and isinstance(self.modules[str(node.target)], RunningMaxPool):
                self.sizes[str(node.target)] = self.shapes[node]
                origin[node] = [self._max_pool(node, inputs[0], origin[inputs[0]], pending)]
            elif node.op == "call_module" and is_layer(self.modules[str(node.target)]):
                if pending:
                    self._sums(f"{node.target} (shortcut)", [], pending)
                origin[node] = [_Source(self._layer(node, inputs[0], origin[inputs[0]]))]
            elif node in self.shapes and inputs:
                origin[node] = [self._passed(source, node, each) for source in inputs for each in origin[source]]
                adds[node] = pending + (int(np.prod(self.shapes[node])) if is_sum(node) else 0)
            for source in inputs:
                adds[source] = 0  # a value that two operations read was added up once
        return self

    def _passed(self, source: fx.Node, node: fx.Node, each: _Source) -> _Source:
        if each.reach is None:
            return each
        return replace(each, reach=passed_on(each.reach, node, source, self.modules, self.shapes))

    def _max_pool(self, node: fx.Node, source: fx.Node, arriving: list[_Source], adds: int) -> _Source:
        """Add a row for the counters of a max-pool; what its output is: spikes again where nothing else arrives."""
        name, kinds = str(node.target), {each.kind for each in arriving}
        counted = [self._passed(source, node, each) for each in arriving]
        self._sums(f"{name} (max-pool)", counted, adds, averages=False)
        if kinds != {"spikes"}:
            return _Source("image" if kinds == {"image"} else "analog")
        self.connections[name], self.sites[name] = [], _sites_of(arriving)
        return _Source("spikes", name, self.sites[name], Reach.itself(self.shapes[node]))

    def _layer(self, node: fx.Node, source: fx.Node, arriving: list[_Source]) -> str:
        """Add a layer's row; what its output is: constant like the image, or an analog value of every step."""
        module: nn.Module = self.modules[str(node.target)]
        before, after = self.shapes[source], self.shapes[node]
        kinds = {each.kind for each in arriving}
        spiking = kinds == {"spikes"}
        pooled = spiking and any(each.reach is not None and each.reach.merges for each in arriving)
        own = layer_fan_out(module, before, after)
        row = _Row(
            name=str(node.target),
            kind="linear" if isinstance(module, nn.Linear) else "conv",
            input="pooled" if pooled else "spikes" if spiking else "image" if kinds == {"image"} else "analog",
            sources=_sites_of(arriving) if spiking else (),
            ann_macs=int(own.sum()),
            nominal_macs=nominal_macs(module, after),
            outputs=int(np.prod(after)),
            has_bias=module.bias is not None,
        )
        self.rows.append(row)
        if not spiking:
            return "image" if kinds == {"image"} else "analog"
        for each in arriving:
            assert each.reach is not None, "a site's value has one"
            fan_out = into_layer(each.reach, module, before, after)
            merged = each.reach if pooled else None
            flat = np.int64(module.out_features) if each.reach.flat else own  # type: ignore[arg-type]
            stream = STREAMS.index("pooled" if pooled else "direct")
            connection = _Connection(len(self.rows) - 1, fan_out, stream, merged, np.asarray(flat) if pooled else None)
            self.connections[each.place].append(connection)
        return "analog"

    def _sums(self, name: str, arriving: list[_Source], adds: int, *, averages: bool = True) -> None:
        """Add a row for what reaches a place without a layer of its own: added there, or passed on."""
        spiking = [each for each in arriving if each.kind == "spikes"]
        if not spiking and not adds:
            return
        pooled = averages and any(each.reach is not None and each.reach.merges for each in spiking)
        kind = "pooled" if pooled else "spikes" if spiking else "analog"
        self.rows.append(_Row(name, "shortcut", kind, _sites_of(spiking), ann_adds=adds))
        for each in spiking:
            assert each.reach is not None, "a site's value has one"
            fan_out = each.reach.fan_out()
            self.connections[each.place].append(_Connection(len(self.rows) - 1, fan_out, STREAMS.index("shortcut")))
