"""Train the bundled checkpoints and record their runs.

    python scripts/make_bundled.py            # train, choose the seed, write checkpoints and runs
    python scripts/make_bundled.py --runs     # only the runs, after RESULTS_VERSION has changed

Of five training seeds the one with the median accuracy loss on ``dev`` at the telling T is kept, not the nicest one.
A few minutes on one core; the same machine and versions give the same weights.
"""

import argparse
import dataclasses
import hashlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

from snnlab.activations import ActivationSpec
from snnlab.analysis import accuracy_vs_steps
from snnlab.converters.apply import convert
from snnlab.core.assets import asset_folder
from snnlab.core.files import write_atomically
from snnlab.core.recipe import AttributionChoice
from snnlab.data import ImageSplit, load_dataset
from snnlab.io import Checkpoint
from snnlab.models import build
from snnlab.runs import (
    Run,
    Store,
    analyse,
    attribution_recipe,
    attribution_run,
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
    flips_recipe,
    flips_run,
    noise_recipe,
    restore_run,
)
from snnlab.sweeps.tournament import Cells, tournament_run

SEEDS = range(5)
EPOCHS, BATCH, LEARNING_RATE, WEIGHT_DECAY = 30, 64, 0.1, 5e-4
FIRST_THRESHOLD = 4.0
EXPLAINED = 0  # the image of dev that the app explains at first sight
REPORTED = (1, 2, 4, 8, 16, 32)
TOURNAMENT_STEPS = (2, 4, 8)
TOURNAMENT = {
    "methods": ["qcfs", "srp", "max_norm", "opi", "opt_shift", "calibration_light"],
    "steps": TOURNAMENT_STEPS,
    "seeds": 3,
    "calibration_images": 128,
}
"""Shown first on the Tournament page, with the first network."""


@dataclasses.dataclass(frozen=True)
class Bundled:
    """One bundled network: what it is, how it is converted, and the T at which its loss is told."""

    name: str
    architecture: dict
    activation: ActivationSpec
    method: str
    parameters: dict
    telling_step: int


VGG = {
    "family": "vgg",
    "plan": [16, 16, "A", 32, 32, 32, "A", 32, 32, 32],
    "classifier": [64],
    "num_classes": 10,
    "in_channels": 1,
    "input_size": 8,
    "conv_bias": False,
    "batch_norm": True,
}
RESNET = {
    "family": "resnet",
    "widths": [8, 16, 32],
    "blocks": [3, 3, 3],
    "shortcut": "B",
    "num_classes": 10,
    "in_channels": 1,
    "input_size": 8,
}
NETWORKS = (
    Bundled("digits-vgg-qcfs-L8", VGG, ActivationSpec("qcfs", 8, FIRST_THRESHOLD), "qcfs", {}, 2),
    Bundled("digits-resnet-qcfs-L4", RESNET, ActivationSpec("qcfs", 4, FIRST_THRESHOLD), "qcfs", {}, 2),
    Bundled("digits-vgg-relu", VGG, ActivationSpec("relu"), "percentile_norm", {"initial_fraction": 0.5}, 8),
)


def train(network: nn.Module, images: ImageSplit, seed: int) -> nn.Module:
    """SGD with cosine schedule; images shifted by up to one pixel. Final weights, no selection."""
    generator = torch.Generator().manual_seed(seed)
    x, y = images.images(), torch.from_numpy(images.labels)
    optimizer = torch.optim.SGD(network.parameters(), LEARNING_RATE, momentum=0.9, weight_decay=WEIGHT_DECAY)
    steps = EPOCHS * -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    network.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x), generator=generator).split(BATCH):
            batch = _shifted(x[rows], generator)
            loss = nn.functional.cross_entropy(network(batch), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def _shifted(batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Each image moved by up to one pixel in both directions, edges filled with zeros."""
    height, width = batch.shape[2:]
    padded = nn.functional.pad(batch, (1, 1, 1, 1))
    down, right = torch.randint(0, 3, (2, len(batch), 1, 1), generator=generator)
    rows, columns = down + torch.arange(height).view(1, -1, 1), right + torch.arange(width).view(1, 1, -1)
    return padded[torch.arange(len(batch)).view(-1, 1, 1), :, rows, columns].permute(0, 3, 1, 2)


def trained(bundled: Bundled) -> tuple[Checkpoint, list[dict]]:
    """The checkpoint of the median seed, and what every seed reached on dev."""
    digits = load_dataset("digits")
    fit, dev, calibration = digits.split("train"), digits.split("dev"), digits.split("calibration")
    rows, networks = [], []
    for seed in SEEDS:
        network = train(build(bundled.architecture, bundled.activation, seed=seed), fit, seed)
        snn = convert(network, bundled.method, data=calibration, **bundled.parameters)
        (curve,) = accuracy_vs_steps({"ANN": network, "SNN": snn}, dev, num_steps=max(REPORTED))
        reached = {f"T{t}": float(curve.snn_accuracy[t - 1]) for t in REPORTED}
        rows.append({"seed": seed, "ann": curve.ann_accuracy, **reached})
        networks.append(network)
        print(json.dumps(rows[-1]), flush=True)
    losses = [row["ann"] - row[f"T{bundled.telling_step}"] for row in rows]
    chosen = int(np.argsort(losses, kind="stable")[len(losses) // 2])
    checkpoint = Checkpoint.from_network(
        networks[chosen],
        bundled.architecture,
        bundled.activation,
        name=bundled.name,
        dataset="digits",
        normalization="unit",
        licence="MIT",
        seen={"train": "yes", "calibration": "yes", "validation": "no", "dev": "no", "test": "no"},
        accuracies={"dev ANN": rows[chosen]["ann"]} | {f"dev SNN T={t}": rows[chosen][f"T{t}"] for t in REPORTED},
        notes=(
            f"Trained by scripts/make_bundled.py: {EPOCHS} epochs on 942 images, seed {chosen}, the median loss at "
            f"T = {bundled.telling_step} of {len(rows)} seeds.",
        ),
    )
    return checkpoint, rows


def record(bundled: Bundled) -> None:
    """Write the run that the app shows first, its noise at every snapshot, and its operations at every step."""
    recipe = default_recipe(bundled.name, activation=bundled.activation.kind).changed(
        converter={"method": bundled.method, "parameters": bundled.parameters}
    )
    ship(analyse(recipe), f"{bundled.name}.run")
    ship(fit_noise_run(noise_recipe(recipe)), f"{bundled.name}-noise.run")
    steps = tuple(bundled.telling_step * share // 2 for share in (1, 2, 4, 8))
    explained = attribution_recipe(recipe, AttributionChoice(image=EXPLAINED, steps=steps))
    ship(attribution_run(explained), f"{bundled.name}-attribution.run")
    ship(flips_run(flips_recipe(recipe)), f"{bundled.name}-flips.run")
    ship(energy_run(recipe.changed(snapshots=[], traces=0)), f"{bundled.name}-energy.run")
    ship(early_exit_run(early_exit_recipe(recipe)), f"{bundled.name}-exit.run")
    ship(budget_run(budget_recipe(recipe)), f"{bundled.name}-budget.run")
    ship(restore_run(budget_recipe(recipe)), f"{bundled.name}-restore.run")
    ship(
        diagnosis_run(diagnosis_recipe(recipe, default_target(bundled.activation.kind))),
        f"{bundled.name}-diagnosis.run",
    )
    if bundled is NETWORKS[0]:
        record_tournament(bundled)


def record_tournament(bundled: Bundled) -> None:
    """Write the tournament of a network, its cells kept nowhere; the seconds of its conversions are this machine's."""
    plain = default_recipe(bundled.name, activation=bundled.activation.kind, num_steps=TOURNAMENT_STEPS[-1])
    recipe = plain.changed(snapshots=[], traces=0, tournament=TOURNAMENT)
    with tempfile.TemporaryDirectory() as folder:
        run = tournament_run(recipe, cells=Cells(Store(Path(folder) / "cells.sqlite")))
    ship(run, f"{bundled.name}-tournament.run")


def ship(run: Run, name: str) -> None:
    """Write a run as a file of the package, the same bytes for the same numbers."""
    environment = {name: value for name, value in run.environment.items() if name != "seconds"}
    # Analyses of one recipe differ by what was asked only.
    key = run.key if run.verb in ("analyse", "noise") else hashlib.sha256(f"{run.key} {run.verb}".encode()).hexdigest()
    shipped = dataclasses.replace(run, id=key[:32], created="2026-11-21T00:00:00+00:00", environment=environment)
    path = asset_folder() / "runs" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, shipped.to_bytes())
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} kB", flush=True)


def main(arguments: list[str]) -> None:
    """Command line of the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", action="store_true", help="record the runs of the present checkpoints only")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # one order of summation, so that weights can be made again
    folder = asset_folder() / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    for bundled in NETWORKS:
        if not options.runs:
            checkpoint, rows = trained(bundled)
            checkpoint.save(folder / f"{bundled.name}.safetensors")
            results = Path("results") / f"{bundled.name}.json"
            results.parent.mkdir(exist_ok=True)
            write_atomically(
                results, (json.dumps({"split": "dev", "images": 270, "seeds": rows}, indent=1) + "\n").encode()
            )
        record(bundled)


if __name__ == "__main__":
    main(sys.argv[1:])
