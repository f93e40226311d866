"""Record TTRBR and ECL on digits: fine-tuning a bundled network, and block forms trained from random weights.

    python scripts/record_papers.py STATE [--seeds 3] [--only fine-tuning | from-scratch]
        [--blocks post_act,pre_act,dual_neuron] [--activations clipped_relu,qcfs]

Goes on where it was stopped: STATE keeps every training. Final weights, no selection; read on ``dev``; what a method
measures comes from ``calibration``, what it chooses from ``validation``. One file each in ``results/ttrbr-ecl/``.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from snnlab.analysis.accuracy import predict
from snnlab.analysis.reports import wilson_interval
from snnlab.analysis.reports.gain import paired_difference
from snnlab.cli.train import gain_as_json
from snnlab.converters.apply import convert
from snnlab.core.files import write_atomically
from snnlab.io import Checkpoint
from snnlab.runs import default_recipe
from snnlab.simulation import simulate
from snnlab.sweeps import experiment_run
from snnlab.training import train_new

NAME, STEPS = "digits-resnet-qcfs-L4", (2, 1, 4, 8)
ARMS = ("control", "nq", "clipped", "ecl", "ttrbr")
FINE_TUNING = {"epochs": 4, "batch_size": 64, "learning_rate": 0.03, "augment": ["crop"], "noise": "re_estimate"}
FROM_SCRATCH = {"epochs": 30, "batch_size": 64, "learning_rate": 0.1}
RESNET = {
    "family": "resnet",
    "widths": [8, 16, 32],
    "blocks": [3, 3, 3],
    "shortcut": "B",
    "num_classes": 10,
    "in_channels": 1,
    "input_size": 8,
}
BLOCKS = ("post_act", "pre_act", "dual_neuron")
LEVELS = {"clipped_relu": None, "qcfs": 4}
"""Source activation -> its levels L."""

FROM_SCRATCH_FILES = {"clipped_relu": "resnet-from-scratch", "qcfs": "resnet-from-scratch-qcfs"}
METHODS = {"plain": "qcfs", "ttrbr": "ttrbr", "ecl": "ecl"}
FOLDER = Path("results") / "ttrbr-ecl"


def fine_tuning(seeds: int, state: Path, *, limit: int | None = None, **training: Any) -> dict[str, Any]:
    """Control, NQ, and a learned clip converted plainly, by ECL and by TTRBR; from the bundled QCFS network."""
    recipe = default_recipe(NAME, num_steps=max(STEPS), limit=limit).changed(
        snapshots=[],
        traces=0,
        training=FINE_TUNING | training,
        noise={},
        experiment={"arms": ARMS, "seeds": seeds, "steps": STEPS},
    )
    run = experiment_run(recipe, folder=state / "fine-tuning")
    gain: Any = run.reports["gain"]
    return {"recipe": run.recipe.to_dict(), "environment": run.environment, **gain_as_json(gain)}


def from_scratch(
    seeds: int,
    state: Path,
    *,
    blocks: Sequence[str] = BLOCKS,
    activations: Sequence[str] = tuple(LEVELS),
    limit: int | None = None,
    architecture: dict[str, Any] = RESNET,
    **training: Any,
) -> dict[str, Any]:
    """Every block form and source activation from random weights, converted by each method at each T."""
    rows: list[dict[str, Any]] = []
    for block in blocks:
        for activation in activations:
            for seed in range(seeds):
                checkpoint = train_new(
                    {**architecture, "block": block},
                    activation=activation,
                    levels=LEVELS[activation],
                    seed=seed,
                    state=state / f"{block}-{activation}-{seed}",
                    **FROM_SCRATCH | training,
                )
                row = {"block": block, "activation": activation, "levels": LEVELS[activation], "seed": seed}
                rows.append(row | read(checkpoint, limit))
                print(json.dumps(rows[-1]), flush=True)
    return {
        "architecture": architecture,
        "training": FROM_SCRATCH | training,
        "split": "dev",
        "images": rows[0]["images"],
        "seeds": seeds,
        "steps": sorted(STEPS),
        "trainings": rows,
        "gain_over_plain": [
            {"block": block, "activation": activation, "method": method, **_paired(rows, block, activation, method)}
            for block in blocks
            for activation in activations
            for method in METHODS
            if method != "plain"
        ],
    }


def read(checkpoint: Checkpoint, limit: int | None) -> dict[str, Any]:
    """Accuracies on ``dev`` of a network and of its conversions, and where the deviation error sits at T = 4."""
    dev, calibration = checkpoint.data("dev", limit=limit), checkpoint.data("calibration")
    validation, ann = checkpoint.data("validation"), checkpoint.build()
    right = int((predict(ann, dev) == dev.labels).sum())
    low, high = wilson_interval(right, len(dev))
    found: dict[str, Any] = {
        "images": len(dev),
        "ann": right / len(dev),
        "ann_interval": [float(low), float(high)],
        "sites": len(checkpoint.sites),
    }
    for name, method in METHODS.items():
        found[name] = {}
        for step in sorted(STEPS):
            snn = convert(ann, method, data=calibration, validation=validation, num_steps=step)
            answers = simulate(snn, dev, num_steps=step).predictions[-1]
            found[name][str(step)] = float((answers == dev.labels).mean())
            if name == "ecl":
                found.setdefault("negative_fraction", {})[str(step)] = snn.findings["negative_fraction"]["chosen"]
            if name == "ttrbr" and step == 4:
                found["deviation"] = {
                    row["site"]: {
                        "deviation": row["deviation"]["mean_abs"] / row["chosen"],
                        "input_std": float(np.sqrt(row["input_variance"])) / row["chosen"],
                    }
                    for row in snn.findings["thresholds"]["sites"]
                }
    return found


def _paired(rows: list[dict[str, Any]], block: str, activation: str, method: str) -> dict[str, Any]:
    """A method over the plain conversion of the same networks, at every T."""
    same = [row for row in rows if (row["block"], row["activation"]) == (block, activation)]
    return {
        step: paired_difference([row[method][step] for row in same], [row["plain"][step] for row in same])
        for step in map(str, sorted(STEPS))
    }


def write(name: str, values: dict[str, Any]) -> None:
    """One result, written as a whole."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_atomically(FOLDER / f"{name}.json", (json.dumps(values, indent=1) + "\n").encode())
    print(f"wrote {name}", flush=True)


def main() -> None:
    """Run both parts, or one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("state", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=("fine-tuning", "from-scratch"))
    parser.add_argument("--blocks", type=lambda text: text.split(","), default=list(BLOCKS))
    parser.add_argument("--activations", type=lambda text: text.split(","), default=list(LEVELS))
    options = parser.parse_args()
    torch.set_num_threads(1)  # one order of summation
    if options.only != "from-scratch":
        write(NAME, fine_tuning(options.seeds, options.state))
    if options.only != "fine-tuning":
        for activation in options.activations:
            found = from_scratch(options.seeds, options.state, blocks=options.blocks, activations=[activation])
            write(FROM_SCRATCH_FILES[activation], found)


if __name__ == "__main__":
    main()
