"""Where two residual reports have the same sites: there the second run is overlaid on the first."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

import snnlab as sl

_NAMED = 4  # so many sites are named in a sentence


def shared(report: sl.analysis.ResidualReport, theirs: sl.analysis.ResidualReport) -> sl.analysis.ResidualReport | None:
    """The second report at the sites whose name and shape the first one has too, in their order; None for no such site.

    Args:
        report: Of the run in view.
        theirs: Of the compared run.
    """
    own = dict(zip(report.names, report.shapes, strict=True))
    kept = [
        i for i, (name, shape) in enumerate(zip(theirs.names, theirs.shapes, strict=True)) if own.get(name) == shape
    ]
    if len(kept) == len(theirs.names):
        return theirs
    if not kept:
        return None
    values = {field.name: getattr(theirs, field.name) for field in dataclasses.fields(theirs)}
    part: dict[str, Any] = {name: value[kept] for name, value in values.items() if isinstance(value, np.ndarray)}
    part |= {name: tuple(values[name][i] for i in kept) for name in ("names", "shapes")}
    return dataclasses.replace(theirs, **part)


def told(report: sl.analysis.ResidualReport, theirs: sl.analysis.ResidualReport, name: str) -> list[str]:
    """Which sites only one of two runs has, or has in another shape; one sentence each, none where all are shared.

    Args:
        report: Of the run in view.
        theirs: Of the compared run.
        name: What the compared run is called.
    """
    own, other = (dict(zip(one.names, one.shapes, strict=True)) for one in (report, theirs))
    missing = [site for site in own if site not in other]
    further = [site for site in other if site not in own]
    reshaped = [site for site in own if site in other and own[site] != other[site]]
    found = []
    if missing:
        found.append(f"{name} has no {_sites(missing)}.")
    if further:
        found.append(f"Only {name} has {_sites(further)}.")
    if reshaped:
        found.append(f"{name} has another shape at {_sites(reshaped)}.")
    return [*found, *(["Nothing is overlaid there."] if missing or reshaped else [])]


def _sites(names: Sequence[str]) -> str:
    shown = ", ".join(sl.figures.style.shorten(name, 32) for name in names[:_NAMED])
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"site{'s' * (len(names) > 1)} {shown}{rest}"
