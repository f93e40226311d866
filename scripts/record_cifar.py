"""Fine-tune the bundled CIFAR-10 network, and record what comes with snnlab.

    python scripts/record_cifar.py DATA STATE [base] [noise-gain] [papers] ... [--first-seed 0] [--seeds 3]

DATA is the folder of the data set, STATE/base what ``train_cifar.py`` left. ``base`` puts that network into the
assets; ``noise-gain`` is the noise experiment against its controls; ``papers`` are the other methods that train, beside
the same control; ``pre_act`` is TTRBR and ECL from a base with pre-activation blocks, which
``train_cifar.py DATA STATE/pre_act --architecture resnet20-A-pre_act`` makes. Each goes on where it was stopped: STATE
keeps every training, and processes with other seeds may fill it at once. ``ship-tuned`` puts control and NQ of seed 0
(the first, not chosen) into the assets; it and ``ship-base`` record the runs that the app shows without the data set.
Final weights, no selection; read on ``dev``.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import torch
from make_bundled import ship

from snnlab.analysis import accuracy_vs_steps
from snnlab.cli.train import gain_as_json
from snnlab.converters.apply import convert
from snnlab.core.assets import asset_folder
from snnlab.core.files import write_atomically
from snnlab.core.recipe import Recipe
from snnlab.io import Checkpoint, load_checkpoint
from snnlab.runs import (
    Run,
    analyse,
    budget_recipe,
    budget_run,
    default_recipe,
    default_target,
    diagnosis_recipe,
    diagnosis_run,
    early_exit_recipe,
    early_exit_run,
    energy_run,
    fit_noise_run,
    noise_recipe,
    restore_run,
)
from snnlab.sweeps import experiment_run

BASE = "cifar10-resnet20-qcfs-L4"
SHIPPED = {"control": "cifar10-resnet20-control-L4", "nq": "cifar10-resnet20-nq-L4"}
"""Arm -> name of its bundled checkpoint."""

STEPS = (2, 1, 4, 8)
ARMS = {
    "noise-gain": ("control", "control_L", "nq", "half_nq", "uniform"),
    "papers": ("control", "nq", "noise_adaptor_none", "noise_adaptor", "clipped", "ecl", "ttrbr"),
    "pre_act": ("control", "nq", "clipped", "ecl", "ttrbr"),
}
PARTS = ("base", "ship-base", *ARMS, "ship-tuned")
FOLDERS = {"noise-gain": "noise-gain", "papers": "ttrbr-ecl", "pre_act": "ttrbr-ecl"}
PRE_ACT = "cifar10-resnet20-pre_act-qcfs-L4"
FINE_TUNING = {"epochs": 3, "images": 10_000, "batch_size": 100, "learning_rate": 0.01, "augment": ["crop", "flip"]}
MEASURED = 1000
"""Calibration images that the gap is measured on after every epoch."""

IMAGES = 2000
"""Images of ``dev``: all."""

IMAGES_AT_SITES = 500
"""Images of the budget, the restoration and the diagnosis that are shown first."""


def experiment(kind: str, data: Path, state: Path, *, first_seed: int, seeds: int, **changed: Any) -> Run:
    """The trainings of one experiment that are missing, and the comparison.

    Args:
        kind: Key of ``ARMS``.
        data: Folder of the data set.
        state: Where trainings are kept.
        first_seed: Of the training seeds.
        seeds: Training seeds.
        **changed: Of ``FINE_TUNING``.
    """
    source = str(state / f"{PRE_ACT}.safetensors") if kind == "pre_act" else BASE
    recipe = default_recipe(source, dataset="cifar10", folder=str(data), num_steps=max(STEPS), limit=IMAGES).changed(
        snapshots=[],
        traces=0,
        seed=first_seed,
        training=FINE_TUNING | {"noise": "re_estimate"} | changed,
        noise={"limit": MEASURED},
        experiment={"arms": ARMS[kind], "seeds": seeds, "steps": STEPS},
    )
    return experiment_run(recipe, folder=state, watch=lambda epoch: print(epoch, flush=True))


def without_place(run: Run) -> Run:
    """The run as it ships: without the folder of this machine."""
    values = run.recipe.to_dict()
    values["data"].pop("folder", None)
    return dataclasses.replace(run, recipe=Recipe.parse(values))


def record_experiment(kind: str, data: Path, state: Path, out: Path, *, first_seed: int, seeds: int) -> None:
    """Write the result of an experiment, and the run that the Train page shows."""
    run = without_place(experiment(kind, data, state, first_seed=first_seed, seeds=seeds))
    gain: Any = run.reports["gain"]
    result = {"recipe": run.recipe.identity(), "environment": run.environment, **gain_as_json(gain)}
    path = out / FOLDERS[kind] / f"{PRE_ACT if kind == 'pre_act' else BASE}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(result, indent=1, allow_nan=False) + "\n").encode())
    if kind == "noise-gain":
        ship(run, f"{BASE}-experiment.run")


def ship_checkpoint(checkpoint: Checkpoint, name: str, data: Path) -> None:
    """Write a checkpoint of the package, with what it reaches on ``dev``; the same as its bundled run will say."""
    ann, images = checkpoint.build(), checkpoint.data("dev", folder=data)
    snn = convert(ann, "qcfs", data=checkpoint.data("calibration", folder=data))
    (curve,) = accuracy_vs_steps({"ANN": ann, "SNN": snn}, images, num_steps=max(STEPS))
    reached = {f"dev SNN T={step}": float(curve.snn_accuracy[step - 1]) for step in sorted(STEPS)}
    accuracies = {"dev ANN": curve.ann_accuracy, **reached}
    card = dataclasses.replace(checkpoint.card, name=name, licence="MIT", accuracies=accuracies)
    dataclasses.replace(checkpoint, card=card).save(asset_folder() / "checkpoints" / f"{name}.safetensors")
    print(name, accuracies, flush=True)


def ship_tuned(data: Path, state: Path) -> None:
    """Checkpoints of control and NQ, and the conversion that opens with each."""
    for arm, name in SHIPPED.items():
        ship_checkpoint(load_checkpoint(state / f"{arm}-0" / "network.safetensors"), name, data)
        ship(without_place(analyse(recipe_of(name, data))), f"{name}.run")


def ship_base(data: Path) -> None:
    """All runs of the base."""
    recipe = recipe_of(BASE, data)
    ship(without_place(analyse(recipe)), f"{BASE}.run")
    ship(without_place(fit_noise_run(noise_recipe(recipe))), f"{BASE}-noise.run")
    few = recipe.changed(data={"limit": IMAGES_AT_SITES})
    ship(without_place(budget_run(budget_recipe(few))), f"{BASE}-budget.run")
    ship(without_place(energy_run(few.changed(snapshots=[], traces=0))), f"{BASE}-energy.run")
    at_target = few.changed(num_steps=2, snapshots=[2])
    ship(without_place(restore_run(budget_recipe(at_target))), f"{BASE}-restore.run")
    ship(without_place(early_exit_run(early_exit_recipe(recipe))), f"{BASE}-exit.run")
    ship(without_place(diagnosis_run(diagnosis_recipe(few, default_target("qcfs")))), f"{BASE}-diagnosis.run")


def recipe_of(name: str, data: Path) -> Recipe:
    """What the app starts from, on all of ``dev``."""
    return default_recipe(name, dataset="cifar10", folder=str(data)).changed(data={"limit": IMAGES})


def main() -> None:
    """Command line of the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("state", type=Path)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("results"))
    options = parser.parse_intermixed_args()
    if unknown := [part for part in options.parts if part not in PARTS]:
        parser.error(f"there is no part {unknown[0]!r}; choose among {', '.join(PARTS)}")
    torch.set_num_threads(1)
    for part in options.parts or PARTS:
        if part == "base":
            ship_checkpoint(load_checkpoint(options.state / "base" / f"{BASE}.safetensors"), BASE, options.data)
        elif part == "ship-base":
            ship_base(options.data)
        elif part == "ship-tuned":
            ship_tuned(options.data, options.state)
        else:
            seeds = {"first_seed": options.first_seed, "seeds": options.seeds}
            state = options.state / "pre_act" if part == "pre_act" else options.state
            record_experiment(part, options.data, state, options.out, **seeds)


if __name__ == "__main__":
    main()
