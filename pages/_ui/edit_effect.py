"""What the edits do: run in view (A) and edited conversion (B) on the same few images, asked at every edit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

import snnlab as sl
from pages._ui import edits, label, progress, questions, reports, show
from pages._ui.edits import Choice
from pages._ui.show import Column

SLOT = "conversion"
IMAGES = (64, 128, 256, 512)
_OLD = "These numbers belong to the edit before."
_ANSWERS = "edits.answers"
_METHODS = "edits.methods"


@dataclass(frozen=True)
class Effect:
    """An answer of the worker.

    Args:
        before: A, the run in view.
        after: B, the edited conversion.
        ann_correct: Whether the ANN is right, (images,) bool.
        choice: The conversion that B is.
        stale: The conversion, T or the images have changed since.
    """

    before: sl.analysis.Probe
    after: sl.analysis.Probe
    ann_correct: np.ndarray
    choice: Choice
    stale: bool


def ask(run: "sl.runs.Run", choice: Choice, num_steps: int, images: int) -> tuple[Effect | None, "sl.runs.Job"]:
    """Ask what the edits do.

    Args:
        run: The run in view, A.
        choice: The edited conversion, B.
        num_steps: T.
        images: First images of dev.

    Returns:
        The answer, or the last one of this run, then stale, or None; and the question as it stands.
    """
    own, edited = (recipe.to_dict() for recipe in (run.recipe, edits.recipe(run, choice)))
    arguments = {"recipe": own, "converter": edited["converter"], "num_steps": num_steps, "images": images}
    answers: dict[str, tuple[dict[str, Any], dict[str, Any]]] = st.session_state.setdefault(_ANSWERS, {})
    job = questions.ask("probe", arguments, slot=SLOT)
    if job.state == "done":
        answers[run.id] = (arguments, job.result)
        _measured()[_method_key(run, choice)] = job.result["method"]
    if run.id not in answers:
        return None, job
    asked, result = answers[run.id]
    before, after = (_probe(result[name]) for name in ("before", "after"))
    right = np.array(result["ann_correct"], bool)
    return Effect(before, after, right, asked["converter"], asked != arguments), job


def measured(run: "sl.runs.Run", choice: Choice) -> dict[str, Any] | None:
    """What a worker told of the method's own thresholds and v(0); None before it was asked."""
    return _measured().get(_method_key(run, choice))


def _measured() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = st.session_state.setdefault(_METHODS, {})
    return found


def _method_key(run: "sl.runs.Run", choice: Choice) -> str:
    return f"{run.id} {choice['method']} {sorted(choice['parameters'].items())}"


def _probe(values: dict[str, Any]) -> sl.analysis.Probe:
    """The report that the worker sent as plain lists."""
    plain = ("kind", "names", "num_steps", "split")
    arrays = {name: np.array(value) for name, value in values.items() if name not in plain}
    report = sl.analysis.Report.from_payload({name: values[name] for name in plain}, arrays)
    assert isinstance(report, sl.analysis.Probe), "the worker answers with probes"
    return report


def as_conversion(run: "sl.runs.Run", probe: sl.analysis.Probe, choice: Choice) -> sl.analysis.ConversionReport:
    """A probe as the conversion that figures draw."""
    stored = reports.conversion(run)
    hand = choice.get("sites", {})
    sites = tuple(
        {
            **site,
            "threshold_low": float(probe.threshold_low[i]),
            "threshold_high": float(probe.threshold_high[i]),
            "v0": float(probe.v0[i]),
            "firing_rate": float(probe.firing_rate[i]),
            "edited": site["name"] in hand,
        }
        for i, site in enumerate(stored.sites)
    )
    return sl.analysis.ConversionReport(choice["method"], choice["parameters"], sites, stored.coverage, probe.num_steps)


def draw_numbers(effect: Effect) -> None:
    """Accuracies of ANN, A and B on the same images, and the paired difference."""
    before, after = effect.before, effect.after
    difference = sl.analysis.paired_difference(before.correct, after.correct)
    ann_low, ann_high = sl.analysis.wilson_interval(int(effect.ann_correct.sum()), before.images)
    lines = [
        ("ANN", "ann", float(effect.ann_correct.mean()), float(ann_low), float(ann_high)),
        ("A, the run in view", "snn", before.accuracy, *before.interval),
        ("B, edited", "compared", after.accuracy, *after.interval),
    ]
    draw_accuracies(lines, "Accuracy on the probe images")
    draw_difference(
        difference, f"the first {before.images:,} images of {before.split.replace('_', ' ')}, T = {before.num_steps}"
    )


def draw_question(job: "sl.runs.Job", *, stale: bool) -> None:
    """How the question stands: progress while it is open, the sentence when it failed, a way to ask again.

    Args:
        job: The question.
        stale: Numbers of an older question are shown.
    """
    if job.state == "done":
        return
    if stale:
        st.caption("These numbers belong to the edit before; the new ones are on their way." if job.active else _OLD)
    progress.follow(job)
    if job.state in ("cancelled", "failed") and st.button(
        "Simulate again", key="edit-again", icon=":material/refresh:"
    ):
        questions.ask_again(SLOT)
        st.rerun()


def draw_accuracies(lines: Sequence[tuple[str, str, float, float, float]], caption: str) -> None:
    """Networks with their accuracy: name, role of its colour, accuracy, low, high (fractions)."""
    show.table(
        lines,
        [
            Column("network", lambda line: line[0], swatch=lambda line: line[1]),
            Column("accuracy", lambda line: label.percent(line[2]), numeric=True, strong=True),
            Column(
                "95 % interval",
                lambda line: label.span(line[3], line[4]),
                "Wilson interval over images, percent",
                numeric=True,
                soft=True,
            ),
        ],
        caption,
    )


def draw_difference(difference: sl.analysis.PairedDifference, where: str, of: str = "B − A") -> None:
    """A difference in one sentence, with its interval and the images that changed."""
    low, high = label.points(difference.low), label.points(difference.high)
    clear = "" if difference.low <= 0 <= difference.high else ", clear of 0"
    st.markdown(
        f"{of}: **{label.points(difference.value)} points** [{low}, {high}]{clear}. "
        f"{_count(difference.gained)} gained, {_count(difference.lost)} lost."
    )
    st.caption(f"On {where}; in brackets Newcombe's 95 % interval of the paired difference.")


def _count(images: int) -> str:
    return f"{images} image{'s' * (images != 1)}"
