"""An analysis of the conversion in view that is a stored run of its own kind: found again, or asked for."""

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import streamlit as st

import snnlab as sl
from pages._ui import cached, jobs, progress

R = TypeVar("R", bound="sl.analysis.Report")
PROGRESS_PIXELS = 96  # room for what is under way, so that nothing moves when it comes and goes


@dataclass(frozen=True)
class Found(Generic[R]):
    """Such a run and its report.

    Args:
        run: The run.
        report: What it measured.
        stale: It was made with another conversion, or on other images, of the same checkpoint.
    """

    run: "sl.runs.Run"
    report: R
    stale: bool


@dataclass(frozen=True)
class Derived(Generic[R]):
    """A kind of analysis.

    Args:
        verb: Verb of its runs, kind of its job.
        report: Name of its report in a run.
        kind: Class of the report.
    """

    verb: str
    report: str
    kind: type[R]

    def find(self, run: "sl.runs.Run") -> Found[R] | None:
        """The newest such run of this conversion and these images, else of this checkpoint; None without any.

        Raises:
            StoreError: The store cannot be read.
        """
        if (own := self._report(run)) is not None:
            return Found(run, own, False)
        rows = cached.store().list(cached.seen())
        rows = [row for row in rows if row.verb == self.verb and row.sha256 == run.card["sha256"]]
        wanted = choices(run.recipe)
        for row in sorted(rows, key=lambda row: choices(row.recipe) != wanted):
            if cached.sealed(row):
                continue
            made = cached.run(row.id)
            report = self._report(made)
            if report is not None:
                return Found(made, report, choices(row.recipe) != wanted)
        return None

    def offer(self, recipe: "sl.Recipe", title: str, *, icon: str | None = None, primary: bool = True) -> None:
        """The button that starts it as a job, and the job in place.

        Args:
            recipe: What to run.
            title: On the button.
            icon: On it too.
            primary: Whether it is what the page is for.
        """
        kind: Literal["primary", "secondary"] = "primary" if primary else "secondary"
        if st.button(title, type=kind, icon=icon, disabled=jobs.busy(self.verb), key=f"{self.verb}-start"):
            jobs.start(self.verb, {"recipe": recipe.to_dict()})
            st.rerun()
        with st.container(height=PROGRESS_PIXELS, border=False, key=f"{self.verb}-job"):
            progress.panel(self.verb)

    def _report(self, run: "sl.runs.Run") -> R | None:
        report = run.reports.get(self.report)
        return report if isinstance(report, self.kind) else None


def choices(recipe: "sl.Recipe") -> object:
    """What the numbers depend on; how many images, and which T of those simulated, the view says."""
    data = recipe.data.model_dump(exclude={"folder", "limit"})
    checkpoint = recipe.checkpoint
    converted_for = recipe.num_steps if for_one_number(recipe) else None
    return (
        recipe.converter, data, checkpoint.architecture, checkpoint.levels, recipe.dtype, recipe.seed, converted_for,
    )  # fmt: skip


def for_one_number(recipe: "sl.Recipe") -> bool:
    """Whether the network depends on the T that it is converted for."""
    known = {card.name: card for card in sl.methods()}
    card = known.get(recipe.converter.method)
    return card is not None and card.depends_on_num_steps
