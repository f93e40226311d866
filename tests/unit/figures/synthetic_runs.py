"""Comparisons and seed groups that no run has to be made for."""

import numpy as np

from snnlab.analysis.reports import Comparison, SeedGroup
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
