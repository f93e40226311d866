"""What stands before the test set is opened: splits, looks taken, and what was tried on dev."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

import snnlab as sl
from pages._ui import label, reports, show
from pages._ui.show import Column


@dataclass(frozen=True)
class Split:
    """One line of the protocol."""

    name: str
    images: str
    seen: str
    used: str
    sealed: bool = False


def dataset_title(name: str) -> str:
    """How the app writes a dataset."""
    return sl.data.DATASETS[name].title if name in sl.data.DATASETS else label.name(name, 40)


def looks_said(count: int) -> str:
    """For sentences: how often the test set was opened."""
    return {0: "not opened yet", 1: "opened once"}.get(count, f"opened {count} times")


def draw(protocol: "sl.runs.Protocol", runs: "Sequence[sl.runs.Run]") -> None:
    """The splits and what each was used for, in one table and one sentence."""
    st.markdown(_provenance(protocol, runs))
    show.table(
        _splits(protocol, runs),
        [
            Column("split", lambda row: row.name, strong=True),
            Column("images", lambda row: row.images, numeric=True),
            Column(
                "seen in training",
                lambda row: row.seen,
                "Whether the network was trained on these images",
                optional=True,
            ),
            Column("what it was used for in this experiment", lambda row: row.used),
        ],
        "Splits of the dataset and what each was used for",
        on=lambda row: row.sealed,
    )


def _provenance(protocol: "sl.runs.Protocol", runs: "Sequence[sl.runs.Run]") -> str:
    if not protocol.foreign:
        plural = len({run.card["sha256"] for run in runs}) > 1
        who = "These checkpoints were" if plural else "This checkpoint was"
        return f"{who} trained here: neither dev nor test was seen in training."
    kept = "part" if protocol.explored is None else f"{protocol.explored:,} images"
    rest = "the others" if protocol.fresh is None else f"the other {protocol.fresh:,}"
    return (
        "**It is not known what this checkpoint was trained and selected on.** Published checkpoints are usually "
        f"chosen by their accuracy on test. Here dev is {kept} of the test file, so the final figure is for {rest}; "
        "the whole test set stands beside it, marked."
    )


def _splits(protocol: "sl.runs.Protocol", runs: "Sequence[sl.runs.Run]") -> list[Split]:
    sizes = protocol.sizes or {}

    def images(name: str) -> str:
        return f"{sizes[name]:,}" if name in sizes else "–"

    def seen(name: str) -> str:
        return " / ".join(sorted({str(run.card["seen"].get(name, "unknown")) for run in runs}))

    thresholds = "thresholds of these arms, measured" if protocol.calibrated else "nothing: no arm measures thresholds"
    profiles = sum(tried.profiles for tried in protocol.tried.values())
    calibration = thresholds + ("; std of the noise" if profiles else "")
    conversions = sum(tried.conversions for tried in protocol.tried.values())
    explored = f"explored: every page shows it; {_count(conversions, 'conversion')} stored"
    explored += f" and {_count(profiles, 'noise profile')}" if profiles else ""
    training = "perhaps training of the network" if protocol.foreign else "training of the network"
    sealed = f"sealed, {looks_said(max(protocol.looks.values()))}"
    rows = [
        Split("train", images("train"), seen("train"), training),
        Split("calibration, part of train", images("calibration"), seen("calibration"), calibration),
        Split("validation", images("validation"), seen("validation"), "nothing in this experiment"),
    ]
    if not protocol.foreign:
        return [
            *rows,
            Split("dev", images("dev"), seen("dev"), explored),
            Split("test", images("test"), seen("test"), f"{sealed}; the final figure", sealed=True),
        ]
    whole, part, rest = sizes.get("test"), protocol.explored, protocol.fresh
    marked = "stands beside it" + ("" if part is None else f", marked “{part:,} explored”")
    return [
        *rows,
        Split("dev, drawn from test", "half or 2,000" if part is None else f"{part:,}", seen("test"), explored),
        Split(
            "test, not explored",
            "the others" if rest is None else f"{rest:,}",
            seen("test"),
            f"{sealed}; the final figure",
            sealed=True,
        ),
        Split("test, all", "–" if whole is None else f"{whole:,}", seen("test"), f"sealed; {marked}", sealed=True),
    ]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def draw_looks(protocol: "sl.runs.Protocol", titles: dict[str, str]) -> None:
    """How often this test set was opened with these checkpoints, and by what.

    Args:
        protocol: The protocol.
        titles: Lineage -> name of the checkpoint.
    """
    parts = []
    for lineage, count in protocol.looks.items():
        name = label.md(titles.get(lineage, lineage[:8]), 60)
        parts.append(f"**{looks_said(count)}** with {name}")
    st.markdown(
        f"The test set of {label.md(dataset_title(protocol.dataset), 60)} was {', '.join(parts)}, as far as this run "
        "store knows. Every opening is counted by dataset and checkpoint: final evaluations, *Check it on the test "
        "set* on the Checkpoint page, and `--split test` on the command line."
    )


def draw_dev(titles: dict[str, str], runs: "Sequence[sl.runs.Run]", target: int) -> None:
    """What the chosen runs reach on dev, on which they were chosen.

    Args:
        titles: Run id -> name.
        runs: The arms.
        target: T.
    """

    def at(run: "sl.runs.Run") -> int:
        return min(target, reports.accuracy(run).num_steps)

    def snn(run: "sl.runs.Run") -> str:
        curve, t = reports.accuracy(run), at(run)
        low, high = (bound[t - 1] for bound in curve.snn_interval)
        return f"{label.percent(curve.snn_accuracy[t - 1])} [{label.span(low, high)}]"

    def ann(run: "sl.runs.Run") -> str:
        curve = reports.accuracy(run)
        return f"{label.percent(curve.ann_accuracy)} [{label.span(*curve.ann_interval)}]"

    def gap(run: "sl.runs.Run") -> str:
        curve = reports.accuracy(run)
        return label.points(float(curve.snn_accuracy[at(run) - 1]) - curve.ann_accuracy)

    show.table(
        runs,
        [
            Column("arm", lambda run: label.name(titles[run.id], 90)),
            Column("explored on", lambda run: label.images(reports.accuracy(run)), optional=True, soft=True),
            Column("ANN [95 % interval]", ann, "Wilson interval over images", numeric=True, optional=True),
            Column(f"SNN at T = {target} [95 % interval]", snn, "Wilson interval over images", numeric=True),
            Column("gap, points", gap, "SNN minus ANN, percentage points", numeric=True),
        ],
        "What the arms reach on dev",
    )
