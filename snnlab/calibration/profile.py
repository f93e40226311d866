"""A noise profile: the std of additive Gaussian noise at every site, and what was measured for it. Without torch."""

import difflib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
import yaml

from snnlab.core.errors import SnnlabError
from snnlab.core.files import write_atomically

if TYPE_CHECKING:
    from torch import nn

MAX_BYTES = 1024 * 1024
MAX_BRACKETS = 5000

_FACTS = ("mean", "share_zero", "local_std")


def _none() -> np.ndarray:
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class NoiseProfile:
    r"""Std of the noise :math:`\sigma^l \epsilon`, one a site, that stands for the conversion error in the ANN.

    Args:
        names: Site names, input first.
        thresholds: Firing thresholds, mean over channels, (sites,), activation units.
        std: Std of the noise, not negative, (sites,), activation units.
        num_steps: T at which the gap was measured.
        mean: Mean of the measured gap ANN - SNN, which the noise leaves out, (sites,), activation units; NaN where
            nothing was measured.
        share_zero: Share of the elements whose gap is exactly 0, (sites,).
        local_std: Std of the gap that a constant input would leave, (sites,), activation units.
        count: Elements measured, (sites,); 0 where nothing was.

    Raises:
        SnnlabError: A std is missing, negative or not a number, or T is below 1; names the site.
    """

    names: tuple[str, ...]
    thresholds: np.ndarray
    std: np.ndarray
    num_steps: int
    mean: np.ndarray = field(default_factory=_none)
    share_zero: np.ndarray = field(default_factory=_none)
    local_std: np.ndarray = field(default_factory=_none)
    count: np.ndarray = field(default_factory=_none)

    def __post_init__(self) -> None:
        sites = len(self.names)
        put = object.__setattr__  # the class is frozen for its users
        put(self, "names", tuple(self.names))
        if self.num_steps < 1:
            raise SnnlabError(f"A noise profile is measured at T = 1 or more time-steps; found T = {self.num_steps}.")
        for name in ("thresholds", "std", *_FACTS):
            values = np.asarray(getattr(self, name), dtype=float)
            if values.size == 0 and name in _FACTS:
                values = np.full(sites, np.nan)
            if values.shape != (sites,):
                raise SnnlabError(
                    f"A noise profile of {sites} sites needs {sites} values of {name}, one a site; found {values.size}."
                )
            put(self, name, values)
        count = np.asarray(self.count)
        put(self, "count", np.zeros(sites, np.int64) if count.size == 0 else count.astype(np.int64))
        for name, std in zip(self.names, self.std.tolist(), strict=True):
            check_std(name, std)
        for name, threshold in zip(self.names, self.thresholds.tolist(), strict=True):
            if not (math.isfinite(threshold) and threshold > 0):
                raise SnnlabError(f"{name}: the threshold {threshold:g} is not a positive number.")

    @property
    def relative(self) -> np.ndarray:
        """Std over threshold, (sites,)."""
        return self.std / self.thresholds

    @property
    def rms(self) -> float:
        """Root mean square over the sites of std / threshold."""
        return float(np.sqrt(np.mean(self.relative**2)))

    def scaled(self, factor: float) -> Self:
        """Every std times ``factor``, which is at least 0."""
        return replace(self, std=self.std * _checked_factor("The scale", factor))

    def multiplied(self, factors: Mapping[str, float]) -> Self:
        """The std of the named sites times a factor each, at least 0; the others stay.

        Raises:
            SnnlabError: No such site, or a factor that is negative or not a number.
        """
        std = self.std.copy()
        for name, factor in factors.items():
            std[self._index(name)] *= _checked_factor(f"{name}: the multiplier", factor)
        return replace(self, std=std)

    def uniform(self) -> Self:
        """The same std / threshold at every site, with the same root mean square over the sites."""
        return replace(self, std=self.thresholds * self.rms)

    def reversed(self) -> Self:
        """The values of std / threshold from last site to first."""
        return replace(self, std=self.thresholds * self.relative[::-1])

    def with_std(self, values: Mapping[str, float] | Sequence[float]) -> Self:
        """Other stds: of the named sites, or all of them in the order of the sites, activation units.

        Raises:
            SnnlabError: No such site, too few or too many values, or one that is negative or not a number.
        """
        if not isinstance(values, Mapping):
            if len(values) != len(self.names):
                raise SnnlabError(
                    f"A noise profile of this network has {len(self.names)} values, one a site; found {len(values)}."
                )
            values = dict(zip(self.names, values, strict=True))
        std = self.std.copy()
        for name, value in values.items():
            std[self._index(name)] = check_std(name, value)
        return replace(self, std=std)

    def std_by_site(self) -> dict[str, float]:
        """Site name -> std, activation units."""
        return dict(zip(self.names, self.std.tolist(), strict=True))

    def apply(self, ann: "nn.Module") -> "nn.Module":
        """A copy of the ANN whose activations add this noise; off in evaluation until switched on.

        Raises:
            SnnlabError: The network has not these sites.
        """
        from snnlab.calibration.noise import noisy_copy

        return noisy_copy(ann, self)

    def to_frame(self) -> pd.DataFrame:
        """One row a site, columns as in ``to_dict``, with std over threshold."""
        return pd.DataFrame(self.to_dict()["sites"]).assign(relative_std=self.relative)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, JSON-ready; what was not measured is None."""
        columns = {name: getattr(self, name).tolist() for name in ("thresholds", "std", *_FACTS, "count")}
        sites = []
        for index, name in enumerate(self.names):
            row = {key.removesuffix("s") if key == "thresholds" else key: v[index] for key, v in columns.items()}
            sites.append({"name": name} | {k: None if isinstance(v, float) and v != v else v for k, v in row.items()})
        return {"num_steps": self.num_steps, "sites": sites}

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """Inverse of ``to_dict``; the measured facts may be left out.

        Raises:
            SnnlabError: One sentence on what is missing or wrong.
        """
        rows = values.get("sites") if isinstance(values, Mapping) else None
        if not isinstance(values, Mapping) or not isinstance(rows, list) or not rows:
            raise SnnlabError("A noise profile has num_steps and a list of sites; write one with fit-noise --out.")
        for row in rows:
            if not isinstance(row, Mapping) or not isinstance(row.get("name"), str):
                raise SnnlabError("Every site of a noise profile has a name, a threshold and a std.")
        names = tuple(row["name"] for row in rows)
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise SnnlabError(f"The noise profile names the site {twice!r} twice.")
        steps = values.get("num_steps")
        if type(steps) is not int:
            raise SnnlabError("The noise profile does not say num_steps, the time-steps T of its gap.")
        columns = {name: [_number(row, name) for row in rows] for name in ("threshold", "std")}
        facts = {name: [_number(row, name, optional=True) for row in rows] for name in (*_FACTS, "count")}
        return cls(
            names=names,
            thresholds=np.array(columns["threshold"]),
            std=np.array(columns["std"]),
            num_steps=steps,
            count=np.nan_to_num(np.array(facts.pop("count"))),
            **{name: np.array(column) for name, column in facts.items()},
        )

    def to_yaml(self) -> str:
        """The profile as YAML, numbers in full, one line a site; ``from_yaml`` gives an equal profile."""
        values = self.to_dict()
        rows = [f"- {json.dumps(row, ensure_ascii=False)}" for row in values["sites"]]  # JSON is YAML on one line
        return "\n".join([f"num_steps: {values['num_steps']}", "sites:", *rows]) + "\n"

    @classmethod
    def from_yaml(cls, text: str) -> Self:
        """Read a profile from YAML or JSON.

        Raises:
            SnnlabError: Too large, aliases, not YAML, or not a profile.
        """
        if len(text.encode()) > MAX_BYTES or max(text.count("["), text.count("{")) > MAX_BRACKETS:
            raise SnnlabError("The text is too large to be a noise profile; one has a line for each site.")
        try:
            if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=yaml.SafeLoader)):
                raise SnnlabError("The noise profile uses YAML aliases (*name), which are not read; write values out.")
            return cls.from_dict(yaml.safe_load(text))
        except yaml.YAMLError as error:
            line = getattr(getattr(error, "problem_mark", None), "line", None)
            where = "" if line is None else f" (line {line + 1})"
            raise SnnlabError(f"The noise profile is not valid YAML{where}.") from None

    def save(self, path: str | Path) -> Path:
        """``to_yaml`` to a file.

        Raises:
            SnnlabError: The file cannot be written.
        """
        path = Path(path)
        try:
            write_atomically(path, self.to_yaml().encode())
        except OSError as error:
            raise SnnlabError(f"{path} cannot be written: {error.strerror or error}.") from None
        return path

    def _index(self, name: str) -> int:
        if name not in self.names:
            near = difflib.get_close_matches(name, self.names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"sites are: {', '.join(self.names)}."
            raise SnnlabError(f"There is no site {name!r} in this noise profile; {hint}")
        return self.names.index(name)


def check_std(site: str, value: Any) -> float:
    """The std of a site as a number.

    Raises:
        SnnlabError: It is negative, infinite or not a number; names the site.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise SnnlabError(f"{site}: the std {value!r} is not a number.")
    if not (math.isfinite(value) and value >= 0):
        raise SnnlabError(f"{site}: the std {value:g} of the noise must be a finite number, 0 or more.")
    return float(value)


def _checked_factor(what: str, value: float) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise SnnlabError(f"{what} {value:g} of the noise must be a finite number, 0 or more.")
    return float(value)


def _number(row: Mapping[str, Any], name: str, *, optional: bool = False) -> float:
    value = row.get(name)
    if value is None and optional:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SnnlabError(f"{row['name']}: the noise profile gives no number for {name}.")
    return float(value)
