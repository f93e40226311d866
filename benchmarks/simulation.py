"""Cost of a simulation against T ANN passes and against plain snnTorch, in one process.

    python benchmarks/simulation.py [--images 64] [--num-steps 32] [--threads 1] [--repeats 3]

One ANN pass is the same network with batch-norm folded and clipped ReLU (at the thresholds) in place of the neurons,
same dtype and threads, at the best of several batch sizes and memory formats. Plain snnTorch is the same folded network
with ``snntorch.Leaky(beta=1)`` stepped in a Python loop. Prints medians and ratios; random weights cost what trained
ones cost.
"""

import argparse
import copy
import json
import statistics
import time
from collections.abc import Callable
from functools import partial

import snntorch
import torch
from torch import nn

from snnlab.activations import ActivationSpec, ClippedReLU
from snnlab.converters.apply import convert
from snnlab.models import build, named_architecture
from snnlab.simulation import SpikingModel, simulate
from snnlab.simulation.engine import site_shapes

BATCHES = (1, 4, 16, 64)


class PlainNeuron(nn.Module):
    """``Leaky(beta=1)`` fed current / threshold, output x threshold, v(0) = half the threshold at full shape."""

    def __init__(self, threshold: torch.Tensor) -> None:
        super().__init__()
        self.threshold = threshold
        self.leaky = snntorch.Leaky(beta=1.0, threshold=1.0, reset_mechanism="subtract")
        self.mem: torch.Tensor | None = None

    def forward(self, current: torch.Tensor) -> torch.Tensor:
        """One step."""
        if self.mem is None:
            self.mem = torch.full_like(current, 0.5)
        spikes, self.mem = self.leaky(current / self.threshold, self.mem)
        return spikes * self.threshold


def with_modules(snn: SpikingModel, make: Callable[[torch.Tensor], nn.Module]) -> nn.Module:
    """The folded network with another module at every site."""
    graph = copy.deepcopy(snn.graph)
    for name, neuron in snn.sites.items():
        graph.set_submodule(name, make(neuron.threshold))
    return graph.eval()


def clipped(threshold: torch.Tensor) -> nn.Module:
    """Clipped ReLU at a threshold."""
    return ClippedReLU(float(threshold.mean()))


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """Median wall time after one warm-up."""
    work()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def ann_pass_seconds(ann: nn.Module, images: torch.Tensor, repeats: int) -> tuple[float, str]:
    """Seconds of the fastest of several ways to run the ANN once over all images, and which it was."""
    found = []
    for channels_last in (False, True):
        form = torch.channels_last if channels_last else torch.contiguous_format
        network, x = copy.deepcopy(ann).to(memory_format=form), images.contiguous(memory_format=form)
        for batch in BATCHES:
            seconds = median_seconds(partial(run_in_batches, network, x, batch), repeats)
            found.append((seconds, f"batch {batch}, {'channels last' if channels_last else 'contiguous'}"))
    return min(found)


def run_in_batches(network: nn.Module, images: torch.Tensor, batch: int) -> None:
    """One ANN pass."""
    for part in images.split(batch):
        network(part)


def plain_snntorch(network: nn.Module, images: torch.Tensor, num_steps: int, batch: int = 16) -> None:
    """Step the snnTorch network in a loop."""
    for part in images.split(batch):
        for module in network.modules():
            if isinstance(module, PlainNeuron):
                module.mem = None
        total = torch.zeros(())
        for _ in range(num_steps):
            total = total + network(part)


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--architecture", default="resnet20-A")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--num-steps", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    generator = torch.Generator().manual_seed(0)
    images = torch.randn(options.images, 3, 32, 32, generator=generator)
    ann = build(named_architecture(options.architecture, 10), ActivationSpec("relu")).eval()
    snn = convert(ann, "percentile_norm", data=images, initial_fraction=0.5)
    steps = options.num_steps
    snapshots = [t for t in (1, 2, 4, 8, 16, 32) if t <= steps]
    with torch.inference_mode():
        one_pass, how = ann_pass_seconds(with_modules(snn, clipped), images, options.repeats)
        ours = median_seconds(lambda: simulate(snn, images, num_steps=steps), options.repeats)
        recorded = median_seconds(lambda: simulate(snn, images, num_steps=steps, snapshots=snapshots), options.repeats)
        plain = with_modules(snn, PlainNeuron)
        rival = median_seconds(lambda: plain_snntorch(plain, images, steps), 1)
    print(
        json.dumps(
            {
                "architecture": options.architecture,
                "images": options.images,
                "num_steps": steps,
                "threads": options.threads,
                "seed": 0,
                "sites": len(site_shapes(snn, images[:1])),
                "ann_pass_seconds": round(one_pass, 4),
                "ann_pass": how,
                "ours_over_T_passes": round(ours / (steps * one_pass), 3),
                f"ours_with_{len(snapshots)}_snapshots_over_T_passes": round(recorded / (steps * one_pass), 3),
                "snntorch_over_T_passes": round(rival / (steps * one_pass), 3),
                "snntorch_over_ours": round(rival / ours, 2),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
