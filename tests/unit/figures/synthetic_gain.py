"""A noise experiment without any training: arms, seeds and curves that look like real ones."""

import numpy as np

from snnlab.analysis.reports import NoiseGain

ARMS = ("control", "control_L", "nq", "half_nq", "uniform", "profile")


def noise_gain_report(arms=ARMS, *, seeds=5, images=270, steps=(2, 1, 4, 8), epochs=12, sites=9):
    rng = np.random.default_rng(3)
    lift = {"control": 0.0, "control_L": 0.04, "nq": 0.1, "half_nq": 0.06, "uniform": 0.07, "profile": 0.02}
    base = {2: 0.74, 1: 0.35, 4: 0.9, 8: 0.95}
    hard = rng.random(images)
    snn = np.stack(
        [
            [[hard < base[step] + lift[arm] + rng.normal(0, 0.03) for step in steps] for _ in range(seeds)]
            for arm in arms
        ]
    )
    noisy = np.array([arm.startswith("control") for arm in arms])
    depth = 0.1 + 0.12 * np.abs(np.sin(np.arange(sites)))
    std = np.where(noisy[:, None, None, None], 0.0, depth * np.linspace(1, 0.8, epochs)[:, None]) * np.ones(
        (len(arms), seeds, epochs, sites)
    )
    ramp = np.linspace(0, 1, epochs)
    curves = np.stack([0.4 - 0.2 * ramp, 0.95 + 0.02 * ramp, 0.5 + 0.3 * ramp, 0.7 + 0.1 * ramp], axis=-1)
    curves = curves + 0.02 * rng.normal(size=(len(arms), seeds, epochs, 4))
    curves[noisy, :, :, 2] = np.nan
    return NoiseGain(
        arms=arms,
        seeds=tuple(range(seeds)),
        steps=steps,
        names=tuple(f"stage{1 + i // 3}.act{i % 3}" for i in range(sites)),
        labels=np.zeros(images, np.int16),
        ann_correct=np.stack([[hard < 0.96] * seeds] * len(arms)),
        snn_correct=snn,
        base_ann=hard < 0.97,
        base_snn=np.stack([hard < base[step] - 0.02 for step in steps]),
        std=std,
        gap_before=depth,
        gap_after=np.stack([np.stack([depth * (1 - lift[arm])] * seeds) for arm in arms]),
        curves=curves,
        epochs=epochs,
        split="dev",
        num_classes=10,
    )
