"""A noise experiment without any training, and noise at one site at a time: numbers that look like real ones."""

import numpy as np

from snnlab.analysis.reports import NoiseGain, SensitivityReport

ARMS = ("control", "control_L", "nq", "half_nq", "uniform", "profile")


def noise_gain_report(arms=ARMS, *, seeds=5, images=270, steps=(2, 1, 4, 8), epochs=12, sites=9):
    rng = np.random.default_rng(3)
    lift = {"control": 0.0, "control_L": 0.04, "nq": 0.1, "half_nq": 0.06, "uniform": 0.07, "profile": 0.02}
    lift |= {"noise_adaptor_none": 0.03, "noise_adaptor": 0.09}
    base = {2: 0.74, 1: 0.35, 4: 0.9, 8: 0.95}
    hard = rng.random(images)
    snn = np.stack(
        [
            [[hard < base[step] + lift[arm] + rng.normal(0, 0.03) for step in steps] for _ in range(seeds)]
            for arm in arms
        ]
    )
    noisy = np.array([arm.startswith("control") or arm.endswith("_none") for arm in arms])
    depth = 0.1 + 0.12 * np.abs(np.sin(np.arange(sites)))
    std = np.where(noisy[:, None, None, None], 0.0, depth * np.linspace(1, 0.8, epochs)[:, None]) * np.ones(
        (len(arms), seeds, epochs, sites)
    )
    ramp = np.linspace(0, 1, epochs)
    curves = np.stack([0.4 - 0.2 * ramp, 0.95 + 0.02 * ramp, 0.5 + 0.3 * ramp, 0.7 + 0.1 * ramp], axis=-1)
    curves = curves + 0.02 * rng.normal(size=(len(arms), seeds, epochs, 4))
    curves[noisy, :, :, 2] = np.nan
    classes, errors = inside(arms, lift, seeds, sites, images)
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
        classes_before=classes[0, 0],
        classes_after=classes[1:],
        errors_before=errors[0, 0],
        errors_after=errors[1:],
    )


def inside(arms, lift, seeds, sites, images):
    """Counts by class and by k, base first: what lifts an arm's accuracy lowers its excess."""
    neurons = 16 * images
    shape = (len(arms) + 1, seeds, sites)
    excess = np.array([0.16, *(0.15 - lift[arm] for arm in arms)])[:, None, None] + 0.002 * np.arange(seeds)[:, None]
    silent, missing = np.full(shape, 0.5), np.full(shape, 0.06)
    excess = excess * np.linspace(0.5, 1.0, sites)
    exact, saturated = 0.2 + 0 * excess, 0.24 - excess
    shares = np.stack([silent, exact, excess, missing, saturated], axis=-1)
    classes = np.rint(shares * neurons).astype(np.int64)
    classes[..., 0] += neurons - classes.sum(axis=-1)
    errors = np.zeros((*shape, 13), np.int64)
    errors[..., 6] = classes[..., [0, 1, 4]].sum(axis=-1)
    errors[..., 5] = classes[..., 3]
    errors[..., 8] = classes[..., 2] // 4
    errors[..., 7] = classes[..., 2] - errors[..., 8]
    return classes, errors


def site_losses(sites=5, images=200, seeds=4):
    right = np.full((sites, images), seeds, np.uint8)
    for i in range(sites):
        right[i, : 7 * i] = i % seeds
    std = np.full(sites, 0.2)
    std[0] = 0
    return SensitivityReport(
        names=tuple(f"stage{1 + i // 3}.act{i % 3}" for i in range(sites)),
        thresholds=np.full(sites, 2.0),
        std=std,
        num_steps=2,
        noise_seeds=seeds,
        ann_correct=np.ones(images, bool),
        right=right,
        together=np.zeros(images, np.uint8),
        split="dev",
    )
