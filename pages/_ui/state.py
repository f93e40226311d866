"""What is in view: the address bar holds it, the session carries it from page to page."""

from dataclasses import dataclass
from enum import StrEnum

import streamlit as st

import snnlab as sl
from pages._ui import cached, reports

FIRST_EXAMPLE = "digits-vgg-qcfs-L8"
ID_DIGITS = 12


class Address(StrEnum):
    """Query parameters of the address bar that every page shares."""

    RUN = "run"
    COMPARE = "compare"
    TARGET = "T"
    JOB = "job"


@dataclass(frozen=True)
class View:
    """What every page looks at.

    Args:
        run: The run in view; None while the store is empty.
        compare: The run it is compared with.
        target: T, the time-step that numbers are given for.
        store: Where runs are kept.
        steps: Values of T that may be chosen.
        problems: What the address asked for and could not get, one sentence each.
    """

    run: sl.runs.Run | None
    compare: sl.runs.Run | None
    target: int
    store: sl.runs.Store
    steps: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def recipe(self) -> sl.Recipe | None:
        """Recipe of the run in view."""
        return None if self.run is None else self.run.recipe


def get(name: Address) -> str | None:
    """A shared value of the address."""
    value: str | None = st.session_state.get(f"address.{name}")
    return value


def put(name: Address, value: str | None) -> None:
    """Change a shared value, in the session and in the address bar."""
    st.session_state[f"address.{name}"] = value
    if value is None:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = value


def show_run(run_id: str) -> None:
    """Bring a run into view; a comparison with itself ends."""
    put(Address.RUN, run_id[:ID_DIGITS])
    if (get(Address.COMPARE) or "-").startswith(run_id[:ID_DIGITS]):
        put(Address.COMPARE, None)


def renew_choices() -> None:
    """Give the sidebar new widgets, as something else than they has changed what is in view."""
    st.session_state["generation"] = generation() + 1


def generation() -> int:
    """How often ``renew_choices`` was called; part of the keys of the sidebar's widgets."""
    count: int = st.session_state.get("generation", 0)
    return count


def adopt_address() -> None:
    """Take over what the address bar asks for; after a change of page it is empty and gets back what it had."""
    for name in Address:
        if name in st.query_params:
            if get(name) not in (None, st.query_params[name]):
                renew_choices()
            st.session_state[f"address.{name}"] = st.query_params[name]
        elif (value := get(name)) is not None:
            st.query_params[name] = value


def view() -> View:
    """The run, comparison and T that the address names, or the first example.

    Raises:
        StoreError: The store cannot be read.
    """
    problems: list[str] = []
    run = _named(Address.RUN, "the first example is shown instead", problems) or _first()
    compare = _named(Address.COMPARE, "nothing is compared", problems)
    if run is None:
        return View(None, None, 2, cached.store(), problems=tuple(problems))
    if compare is not None and compare.id == run.id:
        compare = None
    residuals, accuracy = reports.residuals(run), reports.accuracy(run)
    steps = residuals.steps if residuals is not None else tuple(range(1, accuracy.num_steps + 1))
    target = _target(run, steps, accuracy.num_steps, problems)
    return View(run, compare, target, cached.store(), steps, tuple(problems))


def _named(name: Address, otherwise: str, problems: list[str]) -> "sl.runs.Run | None":
    wanted = get(name)
    if wanted is None:
        return None
    try:
        found = [row.id for row in cached.store().list() if len(wanted) >= 6 and row.id.startswith(wanted)]
        if len(found) == 1:
            return cached.run(found[0])
        cached.store().get(wanted)  # raises the sentence that says what is wrong
    except ValueError as error:
        problems.append(f"{str(error).rstrip('.')}; {otherwise}.")
    return None


def _first() -> "sl.runs.Run | None":
    briefs = cached.briefs()
    first = next((brief for brief in briefs if brief.shipped and brief.checkpoint == FIRST_EXAMPLE), None)
    first = first or next(iter(briefs), None)
    return None if first is None else cached.run(first.id)


def _target(run: "sl.runs.Run", steps: tuple[int, ...], num_steps: int, problems: list[str]) -> int:
    usual = min(sl.runs.default_target(run.card["activation"]), num_steps)
    default = max((step for step in steps if step <= usual), default=steps[0])
    wanted = get(Address.TARGET)
    if wanted is None:
        return default
    if wanted.isascii() and wanted.isdigit() and int(wanted) in steps:
        return int(wanted)
    kept = ", ".join(map(str, steps)) if len(steps) <= 16 else f"1 to {steps[-1]}"
    problems.append(
        f"This run has nothing at T = {wanted[:20]!r}: it holds T = {kept}; T = {default} is shown instead."
    )
    return default
