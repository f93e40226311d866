"""How the arms of a noise experiment are called and drawn: one name and one colour in all figures and on all pages."""

import pandas as pd

from snnlab.analysis.reports import BASE, CONTROL, OWN_CONTROLS, OWN_WORDS, Gain, NoiseGain
from snnlab.figures.tables import number, percent

_NAMES = {
    BASE: ("untouched base", "no fine-tuning"),
    CONTROL: ("control", "same fine-tuning, no noise"),
    "control_L": ("control at L = T", "same fine-tuning at L = T, no noise"),
    "nq": ("NQ", "std measured anew after every epoch"),
    "half_nq": ("half NQ", "half the measured std"),
    "double_nq": ("double NQ", "twice the measured std"),
    "uniform": ("uniform", "same std / threshold everywhere, equal RMS"),
    "reversed": ("reversed", "measured std / threshold from last site to first"),
    "profile": ("yours", "the profile drawn on the Noise page"),
    "noise_adaptor_none": (
        "LSQ, no noise",
        "Noise Adaptor's quantizer without its noise: the control of Noise Adaptor",
    ),
    "noise_adaptor": ("Noise Adaptor †", "another quantizer, with noise: what the noise brings is over LSQ, no noise"),
    "clipped": (
        "learned clip",
        "activations clipped at a learned threshold, plain neurons: the control of ECL and TTRBR",
    ),
    "ecl": ("ECL †", "the learned clip, and negative spikes whose threshold is chosen on validation at every T"),
    "ttrbr": ("TTRBR †", "the learned clip, and thresholds searched under the running spiking network at every T"),
}
_ROLES = {
    BASE: "input",
    CONTROL: "ann",
    "control_L": "ann",
    "nq": "snn",
    "half_nq": "third",
    "double_nq": "sixth",
    "uniform": "fourth",
    "reversed": "fifth",
    "profile": "compared",
    "noise_adaptor_none": "ann",
    "noise_adaptor": "seventh",
    "clipped": "ann",
    "ecl": "excess",
    "ttrbr": "missing",
}

OVER_DEPTH = (CONTROL, "nq", "profile", "noise_adaptor")
"""Arms that a chart over depth shows beside the untouched base: more would hide each other."""


def arm_name(arm: str) -> str:
    """An arm as people call it.

    Example:
        >>> arm_name("control_L"), arm_name("half_nq")
        ('control at L = T', 'half NQ')
    """
    return _NAMES[arm][0] if arm in _NAMES else arm


def arm_note(arm: str) -> str:
    """What an arm does, in a few words."""
    return _NAMES[arm][1] if arm in _NAMES else ""


def arm_role(arm: str) -> str:
    """Role of an arm's colour."""
    return _ROLES.get(arm, "seventh")


def arm_gain(report: NoiseGain, arm: str, step: int | None) -> Gain:
    """Gain of an arm, or of the untouched base, over the control."""
    return report.base_gain(step) if arm == BASE else report.gain(arm, step)


def arm_accuracy(report: NoiseGain, arm: str, step: int | None) -> float:
    """Accuracy of an arm, or of the untouched base."""
    return report.base_accuracy(step) if arm == BASE else report.accuracy(arm, step)


def own_gains_told(report: NoiseGain, step: int) -> str:
    """Sentences on the arms that have a control of their own, as zero is not what their idea alone brings."""
    told = []
    for arm in report.arms:
        what, idea = OWN_WORDS.get(arm, ("", ""))
        if (other := report.own_control(arm)) is not None:
            found = gain_text(report.own_gain(arm, step))
            told.append(
                f"{arm_name(arm)} has another {what} than the control; its {idea} alone brings {found} points, over "
                f"{arm_name(other)}."
            )
        elif arm in OWN_CONTROLS:
            told.append(
                f"{arm_name(arm)} has another {what} than the control; what its {idea} alone brings needs the arm "
                f"{arm_name(OWN_CONTROLS[arm])}."
            )
    return " ".join(told)


def gain_text(gain: Gain, decimals: int = 1) -> str:
    """A gain in points, with its t interval over seeds where there is one.

    Example:
        >>> gain_text(Gain(0.0821, 0.0241, 0.1402, 0.06, 0.1, (0.08,)))
        '+8.2 [+2.4, +14.0]'
    """
    value, *bounds = (number(100 * each, decimals, sign=True) for each in (gain.value, gain.low, gain.high))
    return value if gain.low != gain.low else f"{value} [{bounds[0]}, {bounds[1]}]"


def gain_table(report: NoiseGain) -> pd.DataFrame:
    """The experiment as it is printed: one row an arm and T; accuracies in percent, gains in points with interval.

    The first T is the question; the others are exploratory, and their rows say so. A row an arm with all its T beside
    each other would be wider than a page.
    """
    alone = any(report.own_control(arm) for arm in report.arms)
    rows = []
    for step in report.steps:
        for arm in (BASE, *report.arms):
            own = report.own_control(arm)
            row = {
                "T": str(step) if step == report.target else f"{step}, exploratory",
                "arm": arm_name(arm),
                "ANN": percent(arm_accuracy(report, arm, None)),
                "SNN": percent(arm_accuracy(report, arm, step)),
                "points over control": "–" if arm == CONTROL else gain_text(arm_gain(report, arm, step), 2),
            }
            if alone:
                told = "–" if own is None else f"{gain_text(report.own_gain(arm, step), 2)} over {arm_name(own)}"
                row["over own control"] = told
            rows.append(row)
    return pd.DataFrame(rows)
