"""Which site matters: what the drawn noise costs at one site at a time, and the largest scale that costs little."""

import json
from typing import Any

import streamlit as st

import snnlab as sl
from pages._ui import jobs, label, progress, show
from pages._ui.noise_view.found import Found
from pages._ui.show import Column

SITES, LARGEST = "sensitivity", "largest_scale"
_OLD = ":material/history: Of another {} than in view: ask again."


def draw(found: Found, profile: "sl.calibration.NoiseProfile", recipe: sl.Recipe) -> None:
    """The panel, below the view.

    Args:
        found: The noise run; where it is stale, nothing can be asked.
        profile: What is drawn, master scale included.
        recipe: The noise run's recipe with that profile, for the command line.
    """
    with st.expander("Which site matters", icon=":material/troubleshoot:"):
        st.caption(
            "Noise of this profile at one site at a time, the other sites quiet: a prediction for the noisy ANN, on "
            "the images and noise seeds of this page."
        )
        sites, largest = st.columns([3, 2], gap="large")
        asked = {"recipe": found.run.recipe.to_dict(), "profile": profile.to_dict()}
        with sites:
            _ask(SITES, "Find out, site by site", asked, found.stale)
        with largest:
            points = st.number_input(
                "Points that the ANN may lose",
                0.1,
                100.0,
                1.0,
                0.5,
                format="%g",
                key="noise-points",
                width=210,
                help="For the largest scale of this profile, all sites together, that costs at most so much.",
            )
            _ask(LARGEST, "Find the largest scale", {**asked, "points": float(points)}, found.stale)
            _tell_largest(found, {**asked, "points": float(points)})
        _tell_sites(found, asked)
        line = f"{sl.runs.as_cli(recipe, verb='fit-noise')} --sensitivity --max-loss {points:g}"
        st.code(line, language="bash", wrap_lines=True)


def losses(found: Found, profile: "sl.calibration.NoiseProfile") -> dict[str, Any] | None:
    """What noise costs at each site alone, for the rows of the view; None where nobody has asked.

    Args:
        found: The noise run.
        profile: What is drawn, master scale included.
    """
    answer = _answer(SITES, found)
    if answer is None:
        return None
    arguments, result = answer
    report, _ = _read(json.dumps(arguments, sort_keys=True), result)
    points = [100 * loss.value for loss in report.losses]
    return {"points": points, "old": arguments["profile"] != profile.to_dict()}


def _ask(kind: str, title: str, arguments: dict[str, Any], stale: bool) -> None:
    if st.button(title, key=f"noise-ask-{kind}", disabled=stale or jobs.busy(kind)):
        jobs.start(kind, arguments)
        st.rerun()
    progress.panel(kind)


def _tell_sites(found: Found, asked: dict[str, Any]) -> None:
    answer = _answer(SITES, found)
    if answer is None:
        return
    arguments, result = answer
    report, drawn = _read(json.dumps(arguments, sort_keys=True), result)
    if arguments != asked:
        st.caption(_OLD.format("profile"))
    st.markdown(_verdict(report))
    show.figure(drawn, "noise-sensitivity")
    if st.toggle("As a table", key="noise-sensitivity-table"):
        _table(report)
    show.export({drawn.title: drawn}, {"Which site matters": report.to_frame()}, found.run.recipe, "noise-sites")


@st.cache_resource(max_entries=8, show_spinner=False)
def _read(asked: str, _result: dict[str, Any]) -> "tuple[sl.analysis.SensitivityReport, sl.figures.Figure]":
    """The answer to a question and its figure, made once."""
    report = sl.analysis.Report.from_payload(dict(_result[SITES]), {})
    assert isinstance(report, sl.analysis.SensitivityReport), "the worker answers with what was asked for"
    return report, sl.figures.sensitivity(report)


def _verdict(report: "sl.analysis.SensitivityReport") -> str:
    """What the report says, in a sentence or two."""
    clear = [loss for loss in report.losses if loss.low > 0]
    worst = min(report.losses, key=lambda loss: loss.rank)
    whole = _span(*report.whole, unit=" points")
    together = f"At all sites together it costs {whole}."
    if not clear:
        return f"At no site alone does this noise cost clearly more than nothing. {together}"
    named = label.md(worst.name, 60)
    told = f"It costs most at **{named}**: " + _span(worst.value, worst.low, worst.high, unit=" points")
    rank = "" if worst.rank_high == 1 else f", though on other images its rank could be up to {worst.rank_high}"
    cost = "costs" if len(clear) == 1 else "cost"
    told += f"{rank}. {len(clear)} of {len(report.losses)} sites {cost} clearly more than nothing"
    return f"{told}, each by its own 95 % interval: about one site in forty does so by chance. {together}"


def _table(report: "sl.analysis.SensitivityReport") -> None:
    std = dict(zip(report.names, report.std / report.thresholds, strict=True))
    show.table(
        report.losses,
        [
            Column("site", lambda loss: label.name(loss.name), staged=True),
            Column("std / threshold", lambda loss: f"{std[loss.name]:.3f}", numeric=True),
            Column(
                "points lost [95 %]",
                lambda loss: _span(loss.value, loss.low, loss.high),
                "ANN accuracy lost to noise at this site alone; bootstrap over images",
                numeric=True,
                strong=True,
            ),
            Column(
                "rank [95 %]",
                lambda loss: f"{loss.rank} [{loss.rank_low}, {loss.rank_high}]",
                "1 costs most; the interval from the same samples of images",
                numeric=True,
            ),
        ],
        "What noise costs at one site at a time",
    )


def _span(value: float, low: float, high: float, unit: str = "") -> str:
    """A loss in points with its interval; what is lost counts upwards, as in the chart."""
    number = sl.figures.tables.number
    return f"{number(100 * value)}{unit} [{number(100 * low)}, {number(100 * high)}]"


def _tell_largest(found: Found, asked: dict[str, Any]) -> None:
    answer = _answer(LARGEST, found)
    if answer is None:
        return
    arguments, told = answer
    if arguments != asked:
        st.caption(_OLD.format("profile or loss"))
    if told["value"] is None:
        st.markdown(f"No scale: {label.md(told['why'], 200)}.")
        return
    high = "> 4" if told["high"] is None else f"{told['high']:.2f}"
    points = told["points"]
    lost = "**1 point** is" if points == 1 else f"**{points:g} points** are"
    st.markdown(f"At most {lost} lost up to **× {told['value']:.2f}** of this profile [{told['low']:.2f}, {high}].")


def _answer(kind: str, found: Found) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Arguments and result of what was asked last, where it was about this run."""
    answer = jobs.result(kind)
    if answer is None or answer[0]["recipe"] != found.run.recipe.to_dict():
        return None
    return answer
