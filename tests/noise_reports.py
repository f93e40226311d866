"""Noise reports made up for pages: plausible gaps at as many sites as a test likes, known to the last digit."""

import dataclasses
import math

import numpy as np

import snnlab as sl

SCALES = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
REACH = 64


def noise_report(names, shapes, *, levels=4, steps=(1, 2, 4, 8), targets=None, images=100):
    """A report whose gap is a rounded Gaussian with much weight at 0, and exactly 0 at the first site for T = L."""
    sites, count = len(names), np.full(len(names), 10_000)
    thresholds = 1.0 + 0.1 * np.arange(sites)
    lattice = [_lattice(levels, step) for step in steps]
    shares = np.stack([[_shares(i, step, levels, sites) for step in steps] for i in range(sites)])
    counts = np.rint(shares * 10_000).astype(np.int64)
    counts[..., REACH] += 10_000 - counts.sum(axis=-1)
    gaps = np.arange(-REACH, REACH + 1) / np.array(lattice)[:, None]
    std = np.sqrt((counts / 10_000 * gaps**2).sum(axis=-1)) * thresholds[:, None]
    targets = tuple(steps if targets is None else targets)
    random = np.random.default_rng(0)
    ann, ranks = random.random(images) < 0.95, random.random((8, images))
    falls = np.array([0.1 + 0.86 / (1 + scale**3) for scale in SCALES])
    noisy = np.broadcast_to(ranks < falls[:, None, None], (len(targets), len(SCALES), 8, images)).copy()
    noisy[:, 0] = ann
    return sl.analysis.NoiseReport(
        names=tuple(names),
        shapes=tuple(tuple(shape) for shape in shapes),
        thresholds=thresholds,
        levels=(levels,) * sites,
        steps=tuple(steps),
        std=std,
        mean=0.01 * std,
        local_std=0.6 * std,
        zero=counts[..., REACH] / 10_000,
        count=count,
        lattice=tuple(lattice),
        gap_counts=counts,
        outside=np.zeros((sites, len(steps)), np.int64),
        fit_split="calibration",
        fit_images=512,
        paper_compat=False,
        split="dev",
        num_classes=10,
        ann_correct=ann,
        snn_correct=np.stack([random.random(images) < min(0.95, 0.5 + 0.12 * step) for step in steps]),
        targets=targets,
        profile_std=np.stack([std[:, steps.index(target)] for target in targets]),
        scales=np.array(SCALES),
        noisy_correct=noisy,
        kappa=np.tile([0.8, 0.7, 0.9], (len(targets), 1)),
        kappa_why=("",) * len(targets),
    )


def noise_run(run, report, *, run_id="ab" * 16, **recipe):
    """A stored noise run of a conversion."""
    chosen = sl.runs.noise_recipe(run.recipe.changed(**recipe), targets=report.targets)
    reports = {name: run.reports[name] for name in ("accuracy", "conversion")} | {"noise": report}
    return dataclasses.replace(run, id=run_id, verb="noise", recipe=chosen, reports=reports)


def deep_names(blocks=18):
    """Names and shapes of 6 blocks + 1 sites."""
    names = [f"layer{stage}.{block}.act{act}" for stage in (1, 2, 3) for block in range(blocks) for act in (1, 2)]
    return ["stem.act", *names], [(8, 8, 8)] * (6 * blocks + 1)


def _lattice(levels, step):
    common = REACH + 1 if levels is None else math.lcm(levels, step)
    return common if common <= REACH else 32


def _shares(site, step, levels, sites):
    std = 0.0 if site == 0 and step == levels else (0.1 + 0.1 * (site % 2) + 0.05 * site / sites) * math.sqrt(2 / step)
    gaps = np.arange(-REACH, REACH + 1) / _lattice(levels, step)
    bell = np.where(np.abs(gaps) <= 1, np.exp(-0.5 * (gaps / max(std, 1e-9)) ** 2), 0.0)
    shares = 0.4 * bell / bell.sum()
    shares[REACH] += 0.6
    return shares
