"""Small reports with known numbers, made by running integrate-and-fire neurons on random input."""

from dataclasses import replace

import numpy as np

from snnlab.analysis.reports import AccuracyCurve, AttributionReport, ConversionReport, NeuronTraces, ResidualReport
from snnlab.core.histogram import CLASSES, EDGES, K_LIMIT, NUM_BINS


def names(sites: int) -> tuple[str, ...]:
    """Site names of a CIFAR ResNet with so many activations."""
    rest = [f"layer{1 + min(2, i * 3 // max(sites - 1, 1))}" for i in range(sites - 1)]
    seen: dict[str, int] = {}
    result = ["stem.act"]
    for stage in rest:
        k = seen[stage] = seen.get(stage, -1) + 1
        result.append(f"{stage}.{k // 2}.act{1 + k % 2}")
    return tuple(result)


def simulate(current: np.ndarray, initial: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Potential, spikes fired and spikes paid for after the last step; ``current`` is (num_steps, neurons)."""
    membrane, fired = np.full(current.shape[1], initial), np.zeros(current.shape[1], dtype=int)
    for value in current:
        membrane = membrane + value
        spikes = membrane >= 1
        membrane = membrane - spikes
        fired += spikes
    paid = np.clip(np.floor(initial + current.sum(axis=0)), 0, len(current)).astype(int)
    return membrane, fired, paid


def classify(fired: np.ndarray, paid: np.ndarray, step: int) -> np.ndarray:
    """Index of the class of every neuron."""
    right = np.where(fired == 0, 0, np.where(fired == step, 4, 1))
    return np.where(fired > paid, 2, np.where(fired < paid, 3, right))


def residuals(
    sites: int = 4, steps: tuple[int, ...] = (1, 4, 8), images: int = 30, neurons: int = 64, seed: int = 0, **changes
) -> ResidualReport:
    rng = np.random.default_rng(seed)
    shape = (sites, len(steps))
    histogram = np.zeros((*shape, len(CLASSES), NUM_BINS), dtype=np.int64)
    errors = np.zeros((*shape, 2 * K_LIMIT + 1), dtype=np.int64)
    moments = np.zeros((*shape, len(CLASSES), 4))
    fired_moments, spikes = np.zeros((*shape, 3)), np.zeros(shape, dtype=np.int64)
    for i in range(sites):
        mean = rng.normal(0.25, 0.45, images * neurons)
        noise = 0.15 + 0.5 * rng.random()
        current = mean + (0 if i == 0 else noise) * rng.normal(size=(max(steps), images * neurons))
        for j, step in enumerate(steps):
            membrane, fired, paid = simulate(current[:step], 0.5)
            index = classify(fired, paid, step)
            bins = np.searchsorted(EDGES, membrane, side="right")
            np.add.at(histogram[i, j], (index, bins), 1)
            np.add.at(errors[i, j], np.clip(fired - paid, -K_LIMIT, K_LIMIT) + K_LIMIT, 1)
            for c in range(len(CLASSES)):
                v = membrane[index == c]
                ends = (v.min(), v.max()) if len(v) else (np.inf, -np.inf)
                moments[i, j, c] = (v.sum(), (v**2).sum(), *ends)
            v = membrane[(fired > 0) & (np.abs(membrane) < 2)]
            fired_moments[i, j] = len(v), v.sum(), (v**2).sum()
            spikes[i, j] = fired.sum()
    values = {
        "names": names(sites),
        "shapes": ((neurons // 16, 4, 4),) * sites,
        "thresholds": rng.uniform(0.8, 4, sites),
        "steps": steps,
        "histogram": histogram,
        "spike_errors": errors,
        "moments": moments,
        "fired_moments": fired_moments,
        "spikes": spikes,
        "nan": np.zeros(shape, dtype=np.int64),
        "identity_error": np.zeros(sites),
        "identity_tolerance": np.full(sites, 1e-5),
        "images": images,
        "split": "dev",
        "initial_fraction": np.full(sites, 0.5),
    }
    return ResidualReport(**{**values, **changes})


def curve(
    name: str = "QCFS, L = 8",
    num_steps: int = 8,
    images: int = 270,
    half: float = 1.5,
    seed: int = 0,
    ann: float = 0.98,
) -> AccuracyCurve:
    """An SNN whose loss halves about every ``half`` steps."""
    rng = np.random.default_rng(seed)
    labels = np.arange(images) % 10
    difficulty = rng.random(images)
    ann_predictions = np.where(difficulty < ann, labels, (labels + 1) % 10)
    shares = [ann * (1 - 0.6 * 2 ** (-t / half)) for t in range(num_steps)]
    snn = np.stack([np.where(difficulty < share, labels, (labels + 1) % 10) for share in shares])
    return AccuracyCurve(name, labels, ann_predictions, snn, "dev", 10)


def conversion(sites: int = 19, seed: int = 0) -> ConversionReport:
    rng = np.random.default_rng(seed)
    rows = []
    for i, name in enumerate(names(sites)):
        low = float(rng.uniform(0.5, 4))
        high = low * (1.0 if i % 3 else 1.3)
        row = {"name": name, "shape": [16, 8, 8], "activation": "relu", "threshold_low": low, "threshold_high": high}
        rows.append({**row, "v0": 0.5, "firing_rate": float(rng.uniform(0, 0.4)), "neurons": 1024})
    return ConversionReport("percentile_norm", {"percentile": 99.9}, tuple(rows), (), 8)


def tuned(sites: int = 19, seed: int = 0) -> ConversionReport:
    """A conversion that searched thresholds, errors in units of a quarter of each threshold."""
    rng, plain, rows = np.random.default_rng(seed), conversion(sites, seed), []
    for site in plain.sites:
        chosen = site["threshold_low"]
        parts = ("deviation", "quantization", "clipping", "activation", "propagated", "total")
        rows.append(
            {
                "site": site["name"],
                "chosen": chosen,
                "candidates": [0.5 * chosen, chosen, 1.5 * chosen],
                "error": [chosen**2, 0.04 * chosen**2, chosen**2],
                **{part: {"mean": 0.0, "mean_abs": float(rng.uniform(0, 0.25)) * chosen} for part in parts},
                "input_variance": 0.09 * chosen**2,
            }
        )
    found = {"note": "It was searched.", "num_steps": 8, "split": "calibration", "images": 128, "sites": rows}
    return replace(plain, method="ttrbr", findings={"thresholds": found})


def traces(num_steps: int = 8, seed: int = 0) -> NeuronTraces:
    """Five neurons, one of each class in the order of ``CLASSES``."""
    rng = np.random.default_rng(seed)
    found: dict[int, np.ndarray] = {}
    while len(found) < len(CLASSES):
        current = rng.normal(rng.choice([-0.2, 0.3, 0.9]), 0.6, (num_steps, 1)).astype(np.float32)
        _, fired, paid = simulate(current.astype(float), 0.5)
        found.setdefault(int(classify(fired, paid, num_steps)[0]), current[:, 0])
        if num_steps == 1 and set(found) >= {0, 4}:
            break
    order = sorted(found)
    count = len(order)
    return NeuronTraces(
        currents=np.stack([found[c] for c in order]),
        site=np.minimum(np.arange(count), 1),
        image=np.arange(count) * 7,
        position=np.arange(count) + 5,
        initial=np.full(count, 0.5),
        members=np.array([[min(i, 1), 0, c, i] for i, c in enumerate(order)]),
        negative=np.full(count, -np.inf, np.float32),
        most=np.ones(count, np.int16),
    )


def attribution(steps=(1, 2, 4), *, method="ig", sites=9, name="dev image 3", size=8):
    """One image explained, without any network; nothing fires at the last site up to the first T."""
    rng = np.random.default_rng(5)
    count, points = 1 + len(steps), 21
    maps = rng.normal(size=(count, size, size)).astype(np.float32)
    correlation = np.linspace(0.2, 0.9, count)[:, None] * np.ones(sites)
    if steps:
        correlation[1, -1] = np.nan
    return AttributionReport(
        method=method, target=3, target_from="ann", label=3, classes=tuple(f"{name} {i}" for i in range(10)),
        image_name=name, split="dev", index=3, picture=rng.random((3, size, size)).astype(np.float32),
        baseline="black", integration_steps=50, steps=tuple(steps),
        maps=np.abs(maps) if method in ("gradcam", "saliency") else maps, varied=np.ones((size, size), bool),
        predicted=np.full(count, 3, np.int16), outputs=np.linspace([9.0, -2.0], [7.0, -1.0], count),
        rank_correlation=np.linspace(1.0, 0.4, count), seed=0,
        shuffled=np.array([0.1, -0.2, *[np.nan] * count])[:count],
        fractions=np.linspace(0, 1, points), deletion=np.linspace(np.ones(count), np.zeros(count), points).T,
        insertion=np.linspace(np.zeros(count), np.ones(count), points).T,
        sites=tuple(f"stage{1 + i // 3}.act{i % 3}" for i in range(sites)),
        site_evidence=rng.normal(size=(count, sites)),
        site_correlation=correlation, site_active=np.full((count, sites), 0.3), notes=(),
        restored=9.0 - np.linspace(4, 0, 1 + sites) / np.array(steps)[:, None] if steps else None,
        restored_predicted=np.where(np.arange(1 + sites) < 3, 5, 3) * np.ones((len(steps), 1), int) if steps else None,
    )  # fmt: skip
