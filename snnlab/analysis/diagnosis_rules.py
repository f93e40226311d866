"""The rules of a diagnosis: what each cause looks like in the numbers of a conversion.

A rule compares what stands at a site with what would fit it, or with what stands at the other sites. It predicts no
accuracy: what a finding's experiment brings is for a run to measure.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from snnlab.analysis.reports.budget import ErrorBudget
from snnlab.analysis.reports.diagnosis import MOST_FINDINGS, Finding
from snnlab.analysis.reports.normalization import NormalizationReport
from snnlab.analysis.site_repairs import FACTORS, SiteRepair
from snnlab.calibration.profile import NoiseProfile
from snnlab.core.histogram import EXCESS, MISSING
from snnlab.core.registry import card

_SAME = 1e-3  # relative: beyond what float32 makes of a threshold


@dataclass(frozen=True)
class Evidence:
    """Everything that rules look at.

    Args:
        budget: The error budget at T.
        repairs: What another threshold or v(0) would make of each site's own error.
        learned: Clipping thresholds that the ANN was trained with, by site; of sites that have one.
        weights: Site -> name of a weight before it that is not the ANN's, and how far: largest difference over largest
            value; "" for what lies behind the last site.
        normalization: How the ANN does under each known normalisation; None where it was not tried.
        drawn: Noise that a user has drawn; None for none.
        measured: Noise as it was measured, beside it.
        num_steps: T.
    """

    budget: ErrorBudget
    repairs: tuple[SiteRepair, ...]
    learned: Mapping[str, float]
    weights: Mapping[str, tuple[str, float]]
    normalization: NormalizationReport | None
    drawn: NoiseProfile | None
    measured: NoiseProfile | None
    num_steps: int


@dataclass(frozen=True)
class Rule:
    """One cause that is looked for.

    Args:
        name: Of the cause.
        rank: Findings of a higher rank stand first: what is broken before what could be better.
        find: Gives its findings, in any order.
        limits: The numbers that it fires at, by name.
    """

    name: str
    rank: int
    find: Callable[[Evidence, Mapping[str, float]], Iterator[Finding]]
    limits: Mapping[str, float] = field(default_factory=dict)


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """What the rules find, the weightiest first; of one site and one rule at most one."""
    found = [(rule.rank, finding) for rule in RULES for finding in rule.find(evidence, rule.limits)]
    found.sort(key=lambda each: (-each[0], -each[1].size, each[1].site))
    return tuple(finding for _, finding in found)[:MOST_FINDINGS]


def _normalization(evidence: Evidence, limits: Mapping[str, float]) -> Iterator[Finding]:
    report = evidence.normalization
    if report is None or not report.chosen_is_clearly_worse():
        return
    chosen, best = (report.correct[report.names.index(name)] / report.images for name in (report.chosen, report.best))
    yield Finding(
        rule="normalization",
        site="",
        words=f"The images are probably normalised wrongly: the ANN is right on {_percent(chosen)} of {report.images} "
        f"training images with {report.chosen}, on {_percent(best)} with {report.best}.",
        size=float(best - chosen),
        evidence="checkpoint",
        experiment=f"Normalise the images as {report.best}.",
        changes={"data": {"normalize": report.best}},
    )


def _weights(evidence: Evidence, limits: Mapping[str, float]) -> Iterator[Finding]:
    for site, (name, far) in evidence.weights.items():
        if far > limits["far"]:
            yield Finding(
                rule="weights",
                site=site,
                words=f"{site}: {name} before it is not the ANN's; it differs by up to {_percent(far)} of its largest "
                "value."
                if site
                else f"{name}, behind the last site, is not the ANN's; it differs by up to {_percent(far)} of its "
                "largest value.",
                size=far,
                evidence="conversion",
            )


def _noise(evidence: Evidence, limits: Mapping[str, float]) -> Iterator[Finding]:
    drawn, measured = evidence.drawn, evidence.measured
    if drawn is None or measured is None:
        return
    at = dict(zip(measured.names, measured.std.tolist(), strict=True))
    ratios = {name: std / at[name] for name, std in zip(drawn.names, drawn.std.tolist(), strict=True) if at[name] > 0}
    if not ratios:
        return
    usual = float(np.median(list(ratios.values()))) or 1.0
    for site, ratio in ratios.items():
        apart = ratio / usual
        if apart >= limits["factor"] or apart <= 1 / limits["factor"]:
            yield Finding(
                rule="noise",
                site=site,
                words=f"{site}: the drawn noise is {ratio:.2f} times the measured gap, {usual:.2f} times at most other "
                "sites.",
                size=abs(math.log2(max(apart, 2.0**-10))),
                evidence="noise",
                experiment="Draw the measured std there.",
                changes={"noise": {"multipliers": {site: usual}}},
            )


def _threshold(evidence: Evidence, limits: Mapping[str, float]) -> Iterator[Finding]:
    """A threshold apart from the learned one, or from what fits, by another factor than at most other sites."""
    repairs = evidence.repairs
    active = [each for each in repairs if each.power > 0]
    if not active:
        return
    learned = _stand_at_learned(evidence, active)
    fitting = {each.name: evidence.learned[each.name] / each.threshold if learned else each.factor for each in active}
    usual = float(np.median(list(fitting.values())))
    for each in active:
        factor = fitting[each.name] / usual
        if abs(math.log2(factor)) < limits["octaves"]:
            continue
        saved = max(each.own - _own_at(each, factor), 0.0)
        if not learned and saved < limits["saved"]:
            continue
        wrong = "low" if factor > 1 else "high"
        reference = "the learned one" if learned else "what fits its activations, as those of most other sites are"
        error = "clipping" if factor > 1 else "coarse steps of threshold / T"
        share = saved / each.own if each.own > 0 else 0.0
        told = (
            f"with {factor:.2g} times that threshold {_percent(share, 0)} of its own error, {error}, would be gone"
            if saved > 0
            else f"at T = {evidence.num_steps} its own error is no larger for it"
        )
        yield Finding(
            rule="threshold",
            site=each.name,
            words=f"{each.name}: its threshold {each.threshold:.4g} is too {wrong}, {_times(factor)} {reference}; "
            f"{told}.",
            size=saved + limits["fact"] * learned,
            evidence="budget",
            experiment=f"Set its threshold to {each.threshold * factor:.4g}.",
            changes={"converter": {"sites": {each.name: {"threshold": float(f"{each.threshold * factor:.6g}")}}}},
        )


def _stand_at_learned(evidence: Evidence, active: Sequence[SiteRepair]) -> bool:
    """Whether most sites stand at one multiple of their learned thresholds; a method that sets others means to."""
    if any(each.name not in evidence.learned for each in active):
        return False
    ratios = np.array([evidence.learned[each.name] / each.threshold for each in active])
    return bool(np.isclose(ratios, np.median(ratios), rtol=_SAME).mean() >= 0.5)


def _v0(evidence: Evidence, limits: Mapping[str, float]) -> Iterator[Finding]:
    """A v(0) apart from that of most other sites, which costs."""
    active = [each for each in evidence.repairs if each.power > 0]
    if not active:
        return
    usual = float(np.median([each.v0 for each in active]))
    for each in active:
        if abs(each.v0 - usual) < limits["apart"] or each.saved_by_v0 < limits["saved"]:
            continue
        share = each.saved_by_v0 / each.own
        yield Finding(
            rule="v0",
            site=each.name,
            words=f"{each.name}: its v(0) is {each.v0:.2f} of the threshold, {usual:.2f} at most other sites; with "
            f"{each.fraction:g} {_percent(share, 0)} of its own error would be gone.",
            size=each.saved_by_v0,
            evidence="budget",
            experiment=f"Set its v(0) to {each.fraction:g} of the threshold.",
            changes={"converter": {"sites": {each.name: {"v0": each.fraction}}}},
        )


def _v0_everywhere(evidence: Evidence, limits: Mapping[str, float]) -> Iterator[Finding]:
    active = [each for each in evidence.repairs if each.power > 0 and each.own > 0]
    if not active:
        return
    saved, share = (
        float(np.median(values))
        for values in ([each.saved_by_v0 for each in active], [each.saved_by_v0 / each.own for each in active])
    )
    if saved < limits["saved"] or share < limits["share"]:
        return
    now, best = (float(np.median(values)) for values in ([e.v0 for e in active], [e.fraction for e in active]))
    yield Finding(
        rule="v0_everywhere",
        site="",
        words=f"v(0) is {now:.2f} of the threshold at most sites; with {best:g} {_percent(share, 0)} of a site's own "
        "error would be gone, in the median.",
        size=saved,
        evidence="budget",
        experiment=f"Set v(0) to {best:g} of the threshold everywhere.",
        changes={"converter": {"sites": {each.name: {"v0": best} for each in active}}},
    )


def _threshold_everywhere(evidence: Evidence, limits: Mapping[str, float]) -> Iterator[Finding]:
    active = [each for each in evidence.repairs if each.power > 0 and each.own > 0]
    if not active:
        return
    factor = float(np.median([each.factor for each in active]))
    share = float(np.median([each.saved_by_threshold / each.own for each in active]))
    saved = float(np.median([each.saved_by_threshold for each in active]))
    if abs(math.log2(factor)) < limits["octaves"] or saved < limits["saved"] or share < limits["share"]:
        return
    wrong = "higher" if factor < 1 else "lower"
    yield Finding(
        rule="threshold_everywhere",
        site="",
        words=f"Thresholds are {wrong} than T = {evidence.num_steps} can resolve: {factor:.2g} times as large, "
        f"{_percent(share, 0)} of a site's own error would be gone, in the median.",
        size=saved,
        evidence="budget",
        experiment=f"Tune the thresholds for this T under the running spiking network: {card('ttrbr').display_name}.",
        changes={"converter": {"method": "ttrbr", "parameters": {}, "sites": {}}},
    )


def _uneven(evidence: Evidence, limits: Mapping[str, float]) -> Iterator[Finding]:
    """Timing: the site where it weighs most."""
    budget, step = evidence.budget, evidence.num_steps
    power = np.array([each.power for each in evidence.repairs])
    alive = power > 0
    if not alive.any():
        return
    sizes = np.where(alive, budget.values("uneven", step, of="mean_square") / np.where(alive, power, 1.0), 0.0)
    worst = int(np.argmax(sizes))
    if sizes[worst] < limits["size"]:
        return
    shares = budget.shares(step)[worst]
    name = budget.names[worst]
    yield Finding(
        rule="uneven",
        site=name,
        words=f"{name}: spikes come unevenly; {_percent(shares[EXCESS])} of its neurons fired too often and "
        f"{_percent(shares[MISSING])} too rarely for their charge. By timing alone {_percent(sizes[worst])} of the "
        f"activation's mean square is lost there, {_percent(float(np.median(sizes)))} at the median site.",
        size=float(sizes[worst]),
        evidence="residuals",
        experiment=f"Let neurons take spikes back: {card('ecl').display_name}."
        if evidence.learned
        else f"Let neurons take spikes back: {card('snm').display_name}.",
        changes={"converter": {"method": "ecl" if evidence.learned else "snm", "parameters": {}, "sites": {}}},
    )


def _resolution(evidence: Evidence, limits: Mapping[str, float]) -> Iterator[Finding]:
    """Steps of threshold / T are coarse."""
    active = [each for each in evidence.repairs if each.power > 0]
    if not active:
        return
    own = float(np.median([each.own for each in active]))
    if own < limits["own"]:
        return
    doubled = 2 * evidence.num_steps
    yield Finding(
        rule="resolution",
        site="",
        words=f"T = {evidence.num_steps} steps are few: even with the ANN's input a site misses {_percent(own)} of its "
        "activation's mean square, in the median, as it can only say multiples of threshold / T.",
        size=own,
        evidence="budget",
        experiment=f"Simulate T = {doubled} steps.",
        changes={"num_steps": doubled},
    )


def _own_at(repair: SiteRepair, factor: float) -> float:
    """Own error at the tried factor that lies nearest."""
    return float(repair.by_factor[int(np.argmin([abs(math.log2(each / factor)) for each in FACTORS]))])


def _percent(share: float, decimals: int = 1) -> str:
    """A share in percent."""
    return f"{100 * share:.{decimals}f}\u00a0%"


def _times(factor: float) -> str:
    """How a threshold stands to another one."""
    return f"1/{factor:.2g} of" if factor > 1 else f"{1 / factor:.2g} times"


RULES: tuple[Rule, ...] = (
    Rule("normalization", 4, _normalization),
    Rule("weights", 3, _weights, {"far": 1e-4}),
    Rule("noise", 2, _noise, {"factor": 1.5}),
    Rule("threshold", 1, _threshold, {"octaves": 0.5, "saved": 0.01, "fact": 0.05}),
    Rule("v0", 1, _v0, {"apart": 0.1, "saved": 1e-3}),
    Rule("v0_everywhere", 0, _v0_everywhere, {"saved": 0.005, "share": 0.2}),
    Rule("threshold_everywhere", 0, _threshold_everywhere, {"octaves": 0.5, "saved": 0.01, "share": 0.2}),
    Rule("uneven", 0, _uneven, {"size": 0.01}),
    Rule("resolution", 0, _resolution, {"own": 0.02}),
)
"""Every cause that is looked for. Limits are ours: they were set on the bundled networks, healthy and broken."""
