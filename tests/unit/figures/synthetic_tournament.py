"""An invented tournament: four methods of known accuracy, one of them without draws, one that does not fit."""

import numpy as np

from snnlab.analysis.reports import Tournament
from snnlab.analysis.reports.tournament import NOT_RUN

ACCURACY = {"max_norm": (0.1, 0.3, 0.6), "opi": (0.6, 0.8, 0.9), "snm": (0.5, 0.85, 0.9)}
TITLES = {"max_norm": "Max norm", "opi": "OPI †", "snm": "Signed neurons", "qcfs": "QCFS"}


def tournament_report(images=200, seeds=3, steps=(4, 8, 16), without=(), titles=None):
    """The report; ``without`` names (method, step) whose last network was not run."""
    generator = np.random.default_rng(5)
    methods = [*ACCURACY, "qcfs"]
    shape = (len(methods), seeds, len(steps))
    correct = np.full((*shape, images), NOT_RUN, dtype=np.int8)
    calibration, syn_ops = np.full(shape, np.nan), np.full(shape, np.nan)
    latency = np.zeros((len(methods), len(steps)), dtype=np.int64)
    rows = []
    for place, method in enumerate(methods):
        why = "It takes over learned thresholds." if method == "qcfs" else ""
        own = 0 if why else 1 if method == "snm" else seeds
        rows.append(
            {
                "name": method,
                "method": method,
                "title": (titles or TITLES)[method],
                "evidence": "interpretation" if method == "opi" else "paper_text",
                "parameters": {},
                "depends_on_num_steps": False,
                "seeds": own,
                "why": why,
            }
        )
        difficulty = np.linspace(0, 1, images)
        for seed in range(own):
            for at, step in enumerate(steps):
                if (method, step) in without and seed == own - 1:
                    continue
                noise = generator.normal(0, 0.05, images)
                correct[place, seed, at] = difficulty + noise < ACCURACY[method][at % 3]
                calibration[place, seed, at] = 0.2 * (place + 1) + 0.01 * seed
                syn_ops[place, seed, at] = 1e5 * step * (1.3 if method == "snm" else 1)
                latency[place, at] = step + (4 if method == "snm" else 0)
    return Tournament(
        entrants=tuple(rows),
        steps=steps,
        labels=np.arange(images, dtype=np.int16) % 10,
        ann_correct=np.arange(images) % 20 != 0,
        correct=correct,
        calibration_seconds=calibration,
        syn_ops=syn_ops,
        total_latency=latency,
        refused=(),
        first_seed=0,
        calibration_images=64,
        split="dev",
        num_classes=10,
    )
