"""Comparisons, seed groups and flips that no run has to be made for."""

import numpy as np

from snnlab.analysis.reports import Comparison, EarlyExit, FlipReport, SeedGroup
from snnlab.analysis.reports.comparison import QUANTITIES


def comparison(sites=9, names=("net · qcfs", "net · max_norm"), steps=(2, 4), unshared=0):
    """Runs over ``sites`` sites; every quantity lies in [0, 1), thresholds in [2, 6)."""
    generator = np.random.default_rng(sites)
    runs = tuple(
        {
            "run": f"{place:032x}",
            "name": name,
            "checkpoint": name,
            "sha256": f"{place:064x}",
            "method": "QCFS",
            "split": "dev",
            "images": 270,
            "num_steps": max(steps),
            "why": "",
        }
        for place, name in enumerate(names)
    )
    accuracy = tuple(
        {
            "run": run["run"],
            "step": step,
            "role": "snn" if step else "ann",
            **{"accuracy": 0.9, "low": 0.8, "high": 0.95},
            **dict.fromkeys(("difference", "difference_low", "difference_high", "gained", "lost")),
        }
        for run in runs
        for step in range(max(steps) + 1)
    )
    rows = tuple(
        {
            "site": f"layer{site // 6 + 1}.{site % 6}.act",
            "run": run["run"],
            "step": step,
            **{name: float(generator.random()) for name in QUANTITIES},
            "threshold": float(2 + 4 * generator.random()),
        }
        for step in steps
        for site in range(sites)
        for run in runs
    )
    left = {run["run"]: [f"extra{i}" for i in range(unshared * place)] for place, run in enumerate(runs)}
    return Comparison(runs, accuracy, rows, left, "")


def seed_group(seeds=3, num_steps=8, images=200, name="net · qcfs"):
    """Answers that get better with t, each seed a little different."""
    generator = np.random.default_rng(seeds)
    chance = np.linspace(0.2, 0.9, num_steps)[None, :, None] - 0.03 * np.arange(seeds)[:, None, None]
    return SeedGroup(
        name=name,
        members=tuple({"run": f"{i:032x}", "checkpoint": f"net{i}", "sha256": f"{i:064x}"} for i in range(seeds)),
        ann_correct=generator.random((seeds, images)) < 0.92,
        snn_correct=generator.random((seeds, num_steps, images)) < chance,
        split="dev",
    )


def flips(sites: int = 19, *, images: int = 60, num_steps: int = 8, classes: int = 10, names=None) -> FlipReport:
    """A third of the images flips at first, ever fewer later; later sites of those are further apart."""
    rng = np.random.default_rng(0)
    ann = rng.integers(0, classes, images).astype(np.int16)
    snn = np.repeat(ann[None], num_steps, axis=0)
    for t in range(num_steps):
        snn[t, : images // (3 + t)] = (ann[: images // (3 + t)] + 1 + t % (classes - 1)) % classes
    distances = np.full((2, sites, images), 0.3) + 0.02 * rng.random((2, sites, images))
    distances[:, sites // 2 :, : images // 6] += 0.4
    return FlipReport(
        name="x",
        names=tuple(names or (f"layer{1 + i % 3}.{i}.act" for i in range(sites))),
        steps=(1, num_steps) if num_steps > 1 else (1,),
        labels=np.where(rng.random(images) < 0.2, snn[0], ann),
        ann_predictions=ann,
        ann_margins=rng.random(images).astype(np.float32),
        snn_predictions=snn,
        snn_margins=rng.random((num_steps, images)).astype(np.float32),
        distances=distances[: min(num_steps, 2)].astype(np.float16),
        pictures=rng.integers(0, 256, (images, 8, 8, 1)).astype(np.uint8),
        pictured=np.arange(images, dtype=np.int32),
        classes=tuple(f"class {place}" for place in range(classes)),
        split="dev",
    )


def early_exit(num_steps: int = 8, images: int = 60) -> EarlyExit:
    """Margins that grow with t; images with larger ones are right more often."""
    rng = np.random.default_rng(0)
    margins = [np.cumsum(rng.random((num_steps, images)), axis=0).astype(np.float32) for _ in range(2)]
    correct = [margin + rng.normal(0, 0.8, margin.shape) > 0.9 for margin in margins]
    ann = rng.random(images) < 0.95
    return EarlyExit("x", margins[0], correct[0], ann, "dev", margins[1], correct[1], "validation")
