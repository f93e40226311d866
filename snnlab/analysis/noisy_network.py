"""An ANN with noise at its sites, run for many noise seeds and scales at once on common random numbers."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from snnlab.activations import switch_noise
from snnlab.activations.fused import with_given_noise
from snnlab.activations.keyed import mixed_seed, normals_like
from snnlab.calibration.noise import check_site
from snnlab.calibration.profile import check_std
from snnlab.core.progress import ProgressCallback, silent
from snnlab.graph import prepare
from snnlab.graph.rules import is_size
from snnlab.simulation.images import ImageSource, check_finite

BLOCK = 64
"""Images that one draw of noise serves; the last block draws as many, so that noise does not depend on the limit."""

_BYTES_AT_ONCE = 48 * 2**20  # of noise of one block, which decides how many noise seeds run together
_BYTES_KEPT = 128 * 2**20  # of noise kept for the next question

_IDENTITY = nn.Identity()

_Noise = Callable[[str, Tensor], Tensor]
_NOTHING: Mapping[fx.Node, Any] = MappingProxyType({})


class NoisyNetwork:
    r"""The ANN with :math:`s\,\sigma^l \epsilon` added to the activation of every site.

    The standard normal numbers are keyed by (seed, block of images, noise seed, site): the same for every scale and
    every profile, whatever runs together. What no noise reaches is computed once a block.

    Args:
        ann: The network; left alone, and its own noise, if it has any, is off. Batch-norm is folded.

    Raises:
        ConversionError: The network has an operation without a rule.
    """

    def __init__(self, ann: nn.Module) -> None:
        prepared = prepare(ann)
        graph: fx.GraphModule = prepared.graph.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.modules = dict(switch_noise(graph, False).named_modules())
        self.sites = prepared.sites
        self.nodes: tuple[fx.Node, ...] = tuple(graph.graph.nodes)
        self._kept: OrderedDict[tuple[Any, ...], Tensor] = OrderedDict()

    def correct(
        self,
        std_by_site: Mapping[str, float],
        images: ImageSource,
        *,
        scales: Sequence[float],
        seeds: int,
        seed: int,
        progress: ProgressCallback = silent,
    ) -> np.ndarray:
        """Whether each image is classified right, (scales, seeds, images), bool; as ``noisy_correct``."""
        found = self.correct_under([std_by_site], images, scales=scales, seeds=seeds, seed=seed, progress=progress)
        return np.asarray(found[0])

    def correct_under(
        self,
        profiles: Sequence[Mapping[str, float]],
        images: ImageSource,
        *,
        scales: Sequence[float] = (1.0,),
        seeds: int,
        seed: int,
        progress: ProgressCallback = silent,
    ) -> np.ndarray:
        """The same for several profiles, (profiles, scales, seeds, images), bool.

        What no noise of one profile reaches is not computed again for the next one: let the profile without noise, or
        the one whose noise starts last, come first.
        """
        stds = [self._checked(profile) for profile in profiles]
        labels = np.asarray(images.labels)
        right = np.empty((len(stds), len(scales), seeds, len(images)), bool)
        done = 0
        with torch.inference_mode():
            per_image = self._elements(images.batch(0, 1))
            at_once = max(1, min(seeds, _BYTES_AT_ONCE // (4 * BLOCK * per_image)))
            for block, start in enumerate(range(0, len(images), BLOCK)):
                stop = min(start + BLOCK, len(images))
                x = images.batch(start, stop)
                check_finite(x, start)
                quiet: dict[fx.Node, Any] = {}
                for which, std in enumerate(stds):
                    run = _Block(self, x, std, quiet)
                    quiet.update(run.constant)
                    for first in range(0, seeds, at_once):
                        together = range(first, min(first + at_once, seeds))
                        noise = self._noise(seed, block, together)
                        for at, scale in enumerate(scales):
                            classes = run.classes(noise, len(together), float(scale))
                            right[which, at, first : together.stop, start:stop] = classes == labels[start:stop]
                            # Often: this is where a question that a newer one replaces is stopped.
                            done += (stop - start) * len(together)
                            progress(done, right.size, "noisy images through the ANN")
        return right

    def _checked(self, std_by_site: Mapping[str, float]) -> dict[str, float]:
        """Sites with noise, and its std."""
        std = {name: check_std(name, value) for name, value in std_by_site.items()}
        for name in std:
            check_site(name, self.sites)
        return {name: value for name, value in std.items() if value > 0}

    def value(self, node: fx.Node, env: Mapping[fx.Node, Any]) -> Any:
        """A node's result from those of its sources."""
        args: Any = fx.node.map_arg(node.args, env.__getitem__)
        kwargs: Any = fx.node.map_arg(node.kwargs, env.__getitem__)
        if node.op == "call_module":
            return self.modules[str(node.target)](*args, **kwargs)
        if node.op == "call_function":
            return node.target(*args, **kwargs)  # type: ignore[operator]
        return getattr(args[0], str(node.target))(*args[1:], **kwargs)

    def _elements(self, image: Tensor) -> int:
        """Activations of all sites for one image."""
        found = {node.target: value for node, value in _Block(self, image, {}).constant.items() if node.op != "output"}
        return sum(found[name].numel() for name in self.sites)

    def _noise(self, seed: int, block: int, together: range) -> _Noise:
        """Standard normal numbers (noise seeds x n, ...) of one block, seed by seed, drawn when first asked for."""
        held: dict[str, Tensor] = {}

        def draw(site: str, like: Tensor) -> Tensor:
            if site not in held:
                n = len(like) // len(together)
                key = (seed, block, together, site, n)
                if key not in self._kept:
                    whole = like.new_empty((BLOCK, *like.shape[1:]))
                    whole = whole.contiguous(memory_format=torch.channels_last) if like.ndim == 4 else whole
                    index = self.sites.index(site)
                    drawn = [
                        normals_like(whole, torch.Generator().manual_seed(mixed_seed(seed, block, each, index)))[:n]
                        for each in together
                    ]
                    self._keep(key, torch.cat(drawn))
                self._kept.move_to_end(key)
                held[site] = self._kept[key]
            return held[site]

        return draw

    def _keep(self, key: tuple[Any, ...], noise: Tensor) -> None:
        self._kept[key] = noise
        total = sum(kept.numel() for kept in self._kept.values()) * 4
        while total > _BYTES_KEPT and len(self._kept) > 1:
            total -= self._kept.popitem(last=False)[1].numel() * 4


class _Block:
    """One block of images: what no noise reaches is computed here, once.

    Args:
        network: The network.
        x: Images (n, C, H, W).
        std: Sites with noise, and its std in activation units.
        quiet: What is known of the same images without noise.
    """

    def __init__(
        self, network: NoisyNetwork, x: Tensor, std: Mapping[str, float], quiet: Mapping[fx.Node, Any] = _NOTHING
    ) -> None:
        self.network, self.std, self.images = network, std, len(x)
        self.constant: dict[fx.Node, Any] = {}
        self.varying: list[fx.Node] = []
        reached: set[fx.Node] = set()
        for node in network.nodes:
            if node.op == "placeholder":
                self.constant[node] = x
            elif any(source in reached for source in node.all_input_nodes) or (std and is_size(node)):
                reached.add(node)  # a size counts the images of all noise seeds together
                self.varying.append(node)
            elif node.op == "output":
                self.constant[node] = self.constant[node.args[0]]  # type: ignore[index]  # an output has one source
            else:
                self.constant[node] = quiet[node] if node in quiet else network.value(node, self.constant)
                if node.op == "call_module" and node.target in std:
                    reached.add(node)
                    self.varying.append(node)
        self.output = network.nodes[-1]
        self.done = _last_uses(self.varying)
        self._repeated: dict[int, dict[fx.Node, Any]] = {}

    def classes(self, noise: _Noise, seeds: int, scale: float) -> np.ndarray:
        """Predicted classes, (seeds, n) or, without noise, (1, n).

        Args:
            noise: Standard normal numbers (seeds x n, ...) by site.
            seeds: Number of noise seeds.
            scale: Factor on every std.
        """
        if scale == 0.0 or not self.varying:
            seeds = 1
        env = self._repeat(seeds)
        for node in self.varying:
            if node.op == "output":
                env[node] = env[node.args[0]]  # type: ignore[index]
                continue
            known = node in self.constant  # the first sites with noise: their activation is constant
            site = str(node.target)
            if node.op == "call_module" and site in self.std and scale > 0:
                z = env[node] if known else env[node.all_input_nodes[0]]
                activation = _IDENTITY if known else self.network.modules[site]
                # One product, so that a scale s on a std x is a scale of 1 on s x, bitwise.
                env[node] = with_given_noise(activation, z, noise(site, z), scale * self.std[site])
            elif not known:
                env[node] = self.network.value(node, env)
            for source in self.done.get(node, ()):
                del env[source]
        return np.asarray(env[self.output].argmax(1).numpy()).reshape(seeds, self.images)

    def _repeat(self, seeds: int) -> dict[fx.Node, Any]:
        """Constant values that varying ones need, once for every noise seed."""
        if seeds not in self._repeated:
            needed = {source for node in self.varying for source in node.all_input_nodes} | {*self.varying, self.output}
            self._repeated[seeds] = {
                node: torch.cat([value] * seeds) if seeds > 1 and isinstance(value, Tensor) else value
                for node, value in self.constant.items()
                if node in needed
            }
        return dict(self._repeated[seeds])


def _last_uses(nodes: Sequence[fx.Node]) -> dict[fx.Node, list[fx.Node]]:
    """Node -> values that no later one of ``nodes`` needs."""
    last = {source: node for node in nodes for source in node.all_input_nodes}
    ends: dict[fx.Node, list[fx.Node]] = {}
    for source, node in last.items():
        ends.setdefault(node, []).append(source)
    return ends
