"""Record what Noise Adaptor's noise brings on digits: fine-tuning a bundled network, and training from random weights.

    python scripts/record_noise_adaptor.py STATE [--seeds 5] [--only fine-tuning | from-scratch]

Goes on where it was stopped: STATE keeps every training from scratch, the user's data folder every fine-tuning. Final
weights, no selection; read on ``dev``. One file each in ``results/noise-adaptor/``.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from snnlab.activations import ActivationSpec
from snnlab.analysis import accuracy_vs_steps
from snnlab.analysis.reports.gain import paired_difference
from snnlab.cli.train import gain_as_json
from snnlab.converters.apply import convert
from snnlab.core.files import write_atomically
from snnlab.core.recipe import TrainingChoice
from snnlab.data import load_dataset
from snnlab.io import example
from snnlab.runs import default_recipe
from snnlab.sweeps import experiment_run
from snnlab.training.batches import Batches
from snnlab.training.noise import noise_hooks
from snnlab.training.start import new_network
from snnlab.training.trainer import fit

NAME, BITS, STEPS = "digits-vgg-qcfs-L8", 2, (2, 1, 4, 8, 16, 32)
FINE_TUNING = {"epochs": 12, "batch_size": 64, "learning_rate": 0.03, "augment": ["crop"]}
FROM_SCRATCH = TrainingChoice(epochs=30, batch_size=64, learning_rate=0.1, augment=("crop",))
FIRST_SCALE = 0.5  # activation units; in the quantizer author's code scales start between 0.3 and 0.6
MODES = ("pre_round", "additive")
FOLDER = Path("results") / "noise-adaptor"


def fine_tuning(mode: str, seeds: int) -> dict[str, Any]:
    """Control, quantizer without noise, quantizer with noise; from the bundled QCFS network."""
    recipe = default_recipe(NAME, num_steps=max(STEPS), limit=None).changed(
        snapshots=[],
        traces=0,
        training=FINE_TUNING,
        noise={},
        adaptor={"bits": BITS, "noise_mode": mode},
        experiment={"arms": ["control", "noise_adaptor_none", "noise_adaptor"], "seeds": seeds, "steps": STEPS},
    )
    run = experiment_run(recipe)
    gain: Any = run.reports["gain"]
    return {"recipe": run.recipe.to_dict(), "environment": run.environment, **gain_as_json(gain)}


def from_scratch(seeds: int, state: Path) -> dict[str, Any]:
    """The same network from random weights, without noise and with; the SNN by ``noise_adaptor``."""
    digits, architecture = load_dataset("digits"), example(NAME).card.architecture
    train, dev = digits.split("train"), digits.split("dev")
    reached: dict[str, list[dict[str, float]]] = {}
    for mode in ("none", *MODES):
        spec = ActivationSpec("lsq_noise", 2**BITS - 1, FIRST_SCALE * (2**BITS - 1), noise_mode=mode)
        for seed in range(seeds):
            network = fit(
                new_network(architecture, spec, seed=seed),
                Batches(train, FROM_SCRATCH.batch_size, FROM_SCRATCH.augment, seed),
                FROM_SCRATCH,
                folder=state / f"{mode}-{seed}",
                hooks=noise_hooks(None, seed=seed),
            ).network
            snn = convert(network, "noise_adaptor")
            (curve,) = accuracy_vs_steps({"ANN": network, "SNN": snn}, dev, num_steps=max(STEPS))
            row = {"ann": curve.ann_accuracy} | {str(t): float(curve.snn_accuracy[t - 1]) for t in STEPS}
            reached.setdefault(mode, []).append(row)
            print(json.dumps({"mode": mode, "seed": seed, **row}), flush=True)
    return {
        "training": FROM_SCRATCH.model_dump(
            mode="json", exclude={"activation", "code", "levels", "architecture", "noise"}
        ),
        "activation": {"kind": "lsq_noise", "bits": BITS, "first_scale": FIRST_SCALE},
        "split": "dev",
        "images": len(dev),
        "seeds": seeds,
        "accuracy": reached,
        "gain_over_none": {mode: _paired(reached[mode], reached["none"]) for mode in MODES},
    }


def _paired(arm: list[dict[str, float]], control: list[dict[str, float]]) -> dict[str, Any]:
    """Differences seed by seed, of the ANN and at every T."""
    return {key: paired_difference([one[key] for one in arm], [one[key] for one in control]) for key in control[0]}


def write(name: str, values: dict[str, Any]) -> None:
    """One result, written as a whole."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_atomically(FOLDER / f"{name}.json", (json.dumps(values, indent=1) + "\n").encode())
    print(f"wrote {name}", flush=True)


def main() -> None:
    """Run both parts, or one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("state", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", choices=("fine-tuning", "from-scratch"))
    options = parser.parse_args()
    torch.set_num_threads(1)  # one order of summation
    if options.only != "from-scratch":
        for mode in MODES:
            write(f"{NAME}-{mode}", fine_tuning(mode, options.seeds))
    if options.only != "fine-tuning":
        write("vgg-from-scratch", from_scratch(options.seeds, options.state))


if __name__ == "__main__":
    main()
