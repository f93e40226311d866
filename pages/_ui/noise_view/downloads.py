"""What one leaves with: the profile as a file, its figures and tables, and the recipe that gives it again."""

import io
import json
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pandas as pd
import streamlit as st

import snnlab as sl
from pages._ui import label
from pages._ui.noise_view.drawn import Drawn


class Lazy(Mapping[str, "sl.figures.Figure"]):
    """Figures by title, each drawn when it is asked for: only one is chosen for export."""

    def __init__(self, makers: "Mapping[str, Callable[[], sl.figures.Figure]]") -> None:
        self._makers = makers

    def __getitem__(self, title: str) -> "sl.figures.Figure":
        return self._makers[title]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def figures(report: "sl.analysis.NoiseReport", profile: "sl.calibration.NoiseProfile", step: int) -> Lazy:
    """What the view shows, for paper: the profile over depth, the noisy ANN over the scale, the gap of each site."""

    def gap(site: int) -> "Callable[[], sl.figures.Figure]":
        return lambda: sl.figures.noise_gap(report, site, step, std=float(profile.std[site]))

    def quantiles(site: int) -> "Callable[[], sl.figures.Figure]":
        return lambda: sl.figures.gap_quantiles(report, site, step)

    makers = {f"Std over depth, T = {step}": lambda: sl.figures.noise_profile(report, step, profile)}
    if step in report.targets:
        makers[f"Noisy ANN over the scale of the stored profile, T = {step}"] = lambda: sl.figures.noise_scales(
            report, step
        )
    for title, make in (("Gap", gap), ("Quantiles of the gap", quantiles)):
        makers |= {f"{title} at {label.name(name)}, T = {step}": make(i) for i, name in enumerate(report.names)}
    return Lazy(makers)


def sites(profile: "sl.calibration.NoiseProfile", measured: "sl.calibration.NoiseProfile") -> pd.DataFrame:
    """One row a site: the drawn noise beside the measured gap."""
    with np.errstate(divide="ignore", invalid="ignore"):
        multiplier = np.where(measured.std > 0, profile.std / measured.std, np.nan)
    return pd.DataFrame(
        {
            "site": measured.names,
            "threshold": measured.thresholds,
            "std": profile.std,
            "relative_std": profile.relative,
            "multiplier": multiplier,
            "measured_std": measured.std,
            "local_std": measured.local_std,
            "share_zero": measured.share_zero,
            "mean_gap": measured.mean,
        }
    )


def recipe_of(recipe: sl.Recipe, drawn: Drawn, measured: "sl.calibration.NoiseProfile") -> sl.Recipe:
    """The noise run's recipe for one T, with the drawn profile: what gives the numbers in view again.

    Where the method looks at more steps, so many are simulated.
    """
    step = measured.num_steps
    noise = {} if recipe.noise is None else recipe.noise.model_dump(mode="json")
    choice = {**noise, **drawn.choice(measured), "targets": [step]}
    last = max(step, sl.runs.least_steps(recipe))
    return sl.Recipe.parse({**recipe.to_dict(), "num_steps": last, "snapshots": [step], "noise": choice})


def profile(drawn: "sl.calibration.NoiseProfile") -> None:
    """The profile as YAML and JSON."""
    stem = f"noise-profile-T{drawn.num_steps}"
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center", width="stretch", key="noise-profile"):
        st.markdown("This profile, master scale included", width="content")
        for title, text, mime in (
            ("YAML", drawn.to_yaml(), "application/yaml"),
            ("JSON", json.dumps(drawn.to_dict(), indent=1), "application/json"),
        ):
            st.download_button(
                title,
                io.BytesIO(text.encode()),
                f"{stem}.{title.lower()}",
                mime,
                key=f"noise-profile-{title}",
                on_click="ignore",
            )
