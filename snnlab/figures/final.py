"""How accurate is it on images that chose nothing? The curves of a final evaluation."""

from dataclasses import replace

from snnlab.analysis.reports import FinalEvaluation
from snnlab.figures.accuracy import accuracy_vs_steps
from snnlab.figures.figure import Figure
from snnlab.figures.scene import Rule


def ordinal(number: int) -> str:
    """A number as it is said in a row.

    Example:
        >>> [ordinal(number) for number in (1, 2, 3, 4, 11, 12, 22)]
        ['1st', '2nd', '3rd', '4th', '11th', '12th', '22nd']
    """
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def final_accuracy(report: FinalEvaluation, which: str = "", *, log_steps: bool = False, within: float = 1.0) -> Figure:
    """Accuracy of every arm after t = 1..T on the test set, the primary T as a dotted line.

    Args:
        report: The evaluation.
        which: Image set; "" for the one that the final figure is given for.
        log_steps: Logarithmic steps, base 2.
        within: A diamond marks the step from which on the SNN stays within so many points of its ANN.

    Raises:
        SnnlabError: More arms than can be drawn.
    """
    which = which or report.sets[0]
    curves = [report.curve(arm, which) for arm in range(len(report.arms))]
    drawn = accuracy_vs_steps(curves, log_steps=log_steps, within=within)
    (panel,) = drawn.panels
    primary = Rule(float(report.target), role="mute")
    look = f"{ordinal(report.look)} look" if report.look else "not counted"
    return replace(
        drawn,
        name="final",
        title="How accurate is it on images that chose nothing?",
        subtitle=f"{drawn.subtitle} of {report.dataset} · {look} · primary T = {report.target}",
        panels=(replace(panel, marks=(primary, *panel.marks)),),
        foot=f"{drawn.foot} Dotted: the primary T, declared before the test set was opened; other T are exploratory.",
    )
