"""What is in view: the address bar holds it, the session carries it from page to page."""

from dataclasses import dataclass
from enum import StrEnum

import streamlit as st

import snnlab as sl
from pages._ui import cached, reports, workspace

FIRST_EXAMPLE = "digits-vgg-qcfs-L8"
ID_DIGITS = 12
_DROPPED = "address.dropped"


class Address(StrEnum):
    """Query parameters of the address bar that every page shares."""

    RUN = "run"
    COMPARE = "compare"
    BASELINE = "baseline"
    TARGET = "T"
    CHOSEN = "chosen"  # one image or class; see selection


@dataclass(frozen=True)
class View:
    """What every page looks at.

    Args:
        run: The run in view; None while the store is empty.
        compare: The run it is compared with.
        baseline: The pinned run, shown beside whatever is in view; None while it is in view itself.
        target: T, the time-step that numbers are given for.
        store: Where runs are kept.
        steps: Values of T that may be chosen.
        problems: What the address asked for and could not get, one sentence each.
        row: Its line in the store.
        own: Whether it may be changed here: this browser's or the command line's, not another's or a shipped one.
        named: The lines of all three runs, which menus offer however old they are.
    """

    run: sl.runs.Run | None
    compare: sl.runs.Run | None
    target: int
    store: sl.runs.Store
    steps: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()
    row: "sl.runs.RunRow | None" = None
    own: bool = False
    baseline: sl.runs.Run | None = None
    named: "tuple[sl.runs.RunRow, ...]" = ()

    @property
    def recipe(self) -> sl.Recipe | None:
        """Recipe of the run in view."""
        return None if self.run is None else self.run.recipe


_RUNS = (Address.RUN, Address.COMPARE, Address.BASELINE)


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


def show_run(run_id: str, *, by_hand: bool = True) -> None:
    """Bring a run into view; a comparison with itself ends.

    Args:
        run_id: The run.
        by_hand: Whether the user chose it; then no job that was started before takes the view over.
    """
    if by_hand:
        _move()
    put(Address.RUN, run_id[:ID_DIGITS])
    st.session_state.pop(_DROPPED, None)
    if (get(Address.COMPARE) or "-").startswith(run_id[:ID_DIGITS]):
        put(Address.COMPARE, None)


def compare_with(run_id: str | None) -> None:
    """Overlay another run on every page; None for nothing. A comparison with the run in view itself is none."""
    itself = run_id is None or shows(run_id)
    put(Address.COMPARE, None if itself or run_id is None else run_id[:ID_DIGITS])


def pin(run_id: str | None) -> None:
    """Make a run the baseline, which stays while runs come into view; None for no baseline."""
    put(Address.BASELINE, None if run_id is None else run_id[:ID_DIGITS])


def pinned(run_id: str) -> bool:
    """Whether this run is the baseline."""
    return run_id.startswith(get(Address.BASELINE) or "-")


def shows(run_id: str) -> bool:
    """Whether this run is the one that the session has in view."""
    return run_id.startswith(get(Address.RUN) or "-")


def drop_run() -> None:
    """Take the run out of the address at the first edit, as the page no longer shows what the run holds.

    The run stays the one that is edited; it is named again when a run comes into view.
    """
    st.session_state[_DROPPED] = True
    st.query_params.pop(Address.RUN, None)


def forget_missing() -> None:
    """Leave the runs that were deleted: the first example comes into view, nothing is compared, no baseline pinned."""
    kept = [row.id for row in cached.store().list()]
    for name in _RUNS:
        wanted = get(name)
        if wanted is not None and not any(run_id.startswith(wanted) for run_id in kept):
            put(name, None)
            renew_choices()


def moves() -> int:
    """How often the user has gone to another run."""
    count: int = st.session_state.get("moves", 0)
    return count


def _move() -> None:
    st.session_state["moves"] = moves() + 1


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
            if name is Address.RUN:
                if get(name) != st.query_params[name]:
                    _move()
                st.session_state.pop(_DROPPED, None)  # a link is stronger than what was edited
            st.session_state[f"address.{name}"] = st.query_params[name]
        elif (value := get(name)) is not None and not (name is Address.RUN and _DROPPED in st.session_state):
            st.query_params[name] = value


def view() -> View:
    """The run, comparison, baseline and T that the address names, or the first example.

    Raises:
        StoreError: The store cannot be read.
    """
    problems: list[str] = []
    row = _named(Address.RUN, "the first example is shown instead", problems) or _first()
    other = _named(Address.COMPARE, "nothing is compared", problems)
    pinned_row = _named(Address.BASELINE, "no baseline is pinned", problems)
    if row is None:
        return View(None, None, 2, cached.store(), problems=tuple(problems))
    run = cached.run(row.id)
    compare = None if other is None or other.id == run.id else cached.run(other.id)
    baseline = None if pinned_row is None or pinned_row.id == run.id else cached.run(pinned_row.id)
    residuals, accuracy = reports.residuals(run), reports.accuracy(run)
    steps = residuals.steps if residuals is not None else tuple(range(1, accuracy.num_steps + 1))
    target = _target(run, steps, accuracy.num_steps, problems)
    named = tuple({found.id: found for found in (row, other, pinned_row) if found is not None}.values())
    own = not row.shipped and row.workspace in (workspace.current(), cached.LOCAL)
    return View(run, compare, target, cached.store(), steps, tuple(problems), row, own, baseline, named)


def _named(name: Address, otherwise: str, problems: list[str]) -> "sl.runs.RunRow | None":
    wanted = get(name)
    if wanted is None:
        return None
    try:
        row = cached.store().row(wanted, cached.seen())
        if cached.sealed(row):
            problems.append(
                f"The run {wanted[:ID_DIGITS]} is on test images, which only Final evaluation shows; {otherwise}."
            )
            return None
        if "accuracy" not in cached.run(row.id).reports:  # a damaged one is told of here, too
            problems.append(f"The run {wanted[:ID_DIGITS]} is of single images, not of a conversion; {otherwise}.")
            return None
        return row
    except ValueError as error:
        problems.append(f"{str(error).rstrip('.')}; {otherwise}.")
    return None


def _first() -> "sl.runs.RunRow | None":
    shipped = [row for row in cached.store().list(()) if sl.runs.is_conversion(row.verb) and not cached.sealed(row)]
    first = next((row for row in shipped if row.checkpoint == FIRST_EXAMPLE), None)
    return first or next(iter(cached.briefs()), None)


def _target(run: "sl.runs.Run", steps: tuple[int, ...], num_steps: int, problems: list[str]) -> int:
    usual = min(sl.runs.default_target(run.card["activation"]), num_steps)
    default = max((step for step in steps if step <= usual), default=steps[0])
    wanted = get(Address.TARGET)
    if wanted is None:
        return default
    if wanted in map(str, steps):
        return int(wanted)
    kept = ", ".join(map(str, steps)) if len(steps) <= 16 else f"1 to {steps[-1]}"
    problems.append(
        f"This run has nothing at T = {wanted[:20]!r}: it holds T = {kept}; T = {default} is shown instead."
    )
    return default
