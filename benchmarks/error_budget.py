"""Cost of the error budget against a plain simulation of the same images, in one process.

    python benchmarks/error_budget.py CHECKPOINT [--data-dir DIR] [--images 100] [--num-steps 8] [--threads 1]
        [--repeats 3]

The checkpoint is a CIFAR-10 network; its conversion is ``percentile_norm`` where nothing is quantized, ``qcfs``
elsewhere. The two take turns. Prints processor seconds, the ratio in each turn and its median, which a busy machine
moves less than the seconds, and the largest violations of the budget's checks.
"""

import argparse
import json
import statistics
import time

import torch

import snnlab as sl
from snnlab.analysis.budget import budget_of


def main() -> None:
    """Command line of the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--data-dir")
    parser.add_argument("--normalize", default="imagenet")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--num-steps", type=int, default=8)
    parser.add_argument("--snapshots", default="")
    parser.add_argument("--micro-batch", type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    checkpoint = sl.load_checkpoint(options.checkpoint)
    places = {"dataset": options.dataset, "folder": options.data_dir, "normalize": options.normalize}
    images = checkpoint.data("dev", limit=options.images, **places)
    fit = checkpoint.data("calibration", limit=options.images, **places)
    ann = checkpoint.build()
    method = "qcfs" if checkpoint.card.activation in ("qcfs", "nq") else "percentile_norm"
    snn = sl.convert(ann, method, data=fit)
    snapshots = [int(part) for part in options.snapshots.split(",") if part]
    steps = options.num_steps

    def plain() -> None:
        sl.simulate(snn, images, num_steps=steps)

    def budget() -> None:
        report = budget_of(snn, ann, images, num_steps=steps, snapshots=snapshots, micro_batch=options.micro_batch)[0]
        checks.append((report.largest_sum_error, float(report.ideal_error.max()), float(report.charge_error.max())))

    checks: list[tuple[float, float, float]] = []
    seconds: dict[str, list[float]] = {"plain": [], "budget": []}
    for run in range(options.repeats + 1):  # the first round compiles
        for name, work in (("plain", plain), ("budget", budget)):
            started = time.process_time()
            work()
            if run:
                seconds[name].append(time.process_time() - started)
    ratios = [ours / rival for rival, ours in zip(seconds["plain"], seconds["budget"], strict=True)]
    found = {
        "images": len(images),
        "num_steps": steps,
        "snapshots": [*snapshots, steps],
        "threads": options.threads,
        "seconds": seconds,
        "ratios": ratios,
        "ratio": statistics.median(ratios),
        "largest_sum_error": max(check[0] for check in checks),
        "largest_ideal_error": max(check[1] for check in checks),
        "largest_charge_error": max(check[2] for check in checks),
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
