"""What is known of a checkpoint, and what a conversion put at each of its sites."""

from typing import Any

import pandas as pd
import streamlit as st

import snnlab as sl
from pages._ui import label, reports, show
from pages._ui.show import Column


def facts(card: dict[str, Any]) -> None:
    """What was recognised."""
    show.facts(_pairs(card))


def frame(card: dict[str, Any]) -> pd.DataFrame:
    """What was recognised, as exported; the hash in full."""
    rows = {**dict(_pairs(card)), "SHA-256": card["sha256"]}
    return pd.DataFrame({"fact": list(rows), "value": list(rows.values())})


def _pairs(card: dict[str, Any]) -> list[tuple[str, str]]:
    activation = label.activation(card["activation"], card["levels"])
    if "levels" in card["unknown"]:
        activation += ", L unknown"
    if card.get("code") is not None:
        activation += f" ({label.name(card['code']['file'], 40)})"
    quantizer = card.get("quantizer") or {}
    noise = "; ".join(f"{name.replace('_', ' ')} {label.name(value)}" for name, value in quantizer.items())
    return [
        ("architecture", label.name(card["architecture_name"], 80)),
        ("activation", activation),
        *([("trained with", noise)] if noise else []),
        ("parameters", label.count(card["parameters"])),
        ("classes", label.count(card["num_classes"])),
        ("input", label.shape(card["input_shape"])),
        ("sites", label.count(len(card["sites"]))),
        ("learned thresholds", thresholds(card)),
        ("trained on", label.name(card["dataset"] or "not in the file", 60)),
        ("normalisation", label.name(card["normalization"] or "not in the file", 60)),
        ("seen in training", seen(card)),
        ("layout", "snnlab" if card["source"] == "snnlab" else label.name(card["source"], 60)),
        ("licence", label.name(card["licence"] or "not stated", 60)),
        ("SHA-256", card["sha256"][:12]),
    ]


def thresholds(card: dict[str, Any]) -> str:
    """Range of the thresholds that training learned."""
    values = [site["threshold"] for site in card["sites"] if site["threshold"] is not None]
    if not values:
        return "none, they are measured"
    low, high = min(values), max(values)
    return f"{low:.2f}" if low == high else f"{low:.2f} to {high:.2f}"


def seen(card: dict[str, Any]) -> str:
    """Which splits the network was trained on."""
    known = [split for split, was in card["seen"].items() if was == "yes"]
    unknown = [split for split, was in card["seen"].items() if was == "unknown"]
    if not known and unknown:
        return "unknown"
    parts = [", ".join(known)] if known else []
    return "; ".join(parts + ([f"unknown: {', '.join(unknown)}"] if unknown else [])) or "unknown"


def notes(texts: "tuple[str, ...] | list[str]") -> None:
    """What was assumed on the way."""
    if texts:
        st.caption("  \n".join(label.md(text, 600) for text in dict.fromkeys(texts)))


def accuracy(run: "sl.runs.Run", target: int) -> None:
    """ANN and SNN side by side, with intervals and the seen-in-training remark."""
    curve = reports.accuracy(run)
    first = curve.first_step_within(1.0)
    steps = sorted({target, *(2**i for i in range(curve.num_steps.bit_length()) if 2**i <= curve.num_steps)})
    low, high = curve.snn_interval
    rows: list[tuple[str, float, str, str, bool]] = [
        ("ANN", curve.ann_accuracy, label.span(*curve.ann_interval), "", False)
    ]
    for t in steps:
        snn = float(curve.snn_accuracy[t - 1])
        gap = label.points(snn - curve.ann_accuracy)
        rows.append((f"SNN, T = {t}", snn, label.span(low[t - 1], high[t - 1]), gap, t == target))
    where = f"from **T = {first}** on" if first else f"at no T up to {curve.num_steps}"
    gap = label.points(float(curve.snn_accuracy[target - 1]) - curve.ann_accuracy)
    st.markdown(
        f"The SNN is within 1 point of its ANN {where}; at the target T = {target} the gap is **{gap}** points."
    )
    show.table(
        rows,
        [
            Column("network", lambda row: row[0], swatch=lambda row: "ann" if row[0] == "ANN" else "snn"),
            Column("accuracy", lambda row: label.percent(row[1]), numeric=True, strong=True),
            Column(
                "95 % interval", lambda row: row[2], "Wilson interval over images, percent", numeric=True, soft=True
            ),
            Column("gap, points", lambda row: row[3], "SNN minus ANN, percentage points", numeric=True),
        ],
        "Accuracy of the ANN and of the SNN",
        on=lambda row: row[4],
    )
    st.caption(f"On {label.images(curve)}.")


def site_rows(run: "sl.runs.Run") -> pd.DataFrame:
    """One row per site, as exported."""
    return reports.conversion(run).to_frame()


def sites(run: "sl.runs.Run") -> None:
    """One row per site, input first: what stands there and how often it fires."""
    report = reports.conversion(run)
    fastest = max((site["firing_rate"] for site in report.sites), default=0.0) or 1.0
    show.table(
        report.sites,
        [
            Column("site", lambda s: label.name(s["name"], 80), "As the network's author named it", staged=True),
            Column("neurons", lambda s: label.shape(s["shape"]), "channels × height × width", optional=True),
            Column("threshold", _threshold, "In activation units; a range where it differs by channel", numeric=True),
            Column("v(0)", lambda s: label.fraction(s["v0"]), "As a fraction of the threshold", numeric=True),
            Column(
                "firing rate",
                lambda s: f"{s['firing_rate']:.3f}",
                f"Spikes per neuron and time-step, mean over images and T = {report.num_steps}",
                numeric=True,
                bar=lambda s: s["firing_rate"] / fastest,
            ),
            Column("folded and replaced", _replaced, optional=True, soft=True),
        ],
        "One row per site",
    )


def coverage(run: "sl.runs.Run") -> None:
    """Every operation of the network, and what the conversion did with it."""
    rows = reports.conversion(run).coverage
    exact = sum(row["verdict"] == "exact" for row in rows)
    verdict = "all exact" if exact == len(rows) else f"{len(rows) - exact} not exact"
    with st.expander(f"Every operation of the network: {len(rows)}, {verdict}", icon=":material/account_tree:"):
        show.table(
            rows,
            [
                Column("operation", lambda row: label.name(row["node"], 80), staged=True),
                Column("kind", lambda row: row["operation"]),
                Column("rule", lambda row: row["rule"], optional=True),
                Column("verdict", lambda row: row["verdict"]),
                Column("what happens", lambda row: row["note"], optional=True, soft=True),
            ],
            "Every operation of the network",
        )


def _threshold(site: dict[str, Any]) -> str:
    low, high = site["threshold_low"], site["threshold_high"]
    return f"{low:.3f}" if low == high else f"{low:.3f} to {high:.3f}"


def _replaced(site: dict[str, Any]) -> str:
    return str(site["replaced"]) + (" · edited by hand" if site["edited"] else "")
