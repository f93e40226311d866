"""A page that shows one stored run of its own kind: by link, by click, or as its job has just left it."""

from dataclasses import dataclass

import streamlit as st

import snnlab as sl
from pages._ui import cached, jobs, state


@dataclass(frozen=True)
class Stored:
    """What such a page shows. Nothing here starts a job.

    Args:
        name: Kind of the job, key of the run's id in its result, and query parameter of the page.
        verb: Verb of the runs that belong here.
        what: How a run of it is called, for sentences.
        otherwise: What the page shows without one.
    """

    name: str
    verb: str
    what: str
    otherwise: str

    def take_over(self) -> None:
        """Show what a job of this session has just stored."""
        job, taken = jobs.latest(self.name), f"{self.name}.taken"
        if job is not None and job.state == "done" and st.session_state.get(taken) != job.id:
            st.session_state[taken] = job.id
            self.show(job.result[self.name])

    def show(self, run_id: str) -> None:
        """Bring a stored run onto the page, and its id into the address."""
        self._choose(run_id[: state.ID_DIGITS])
        st.query_params[self.name] = run_id[: state.ID_DIGITS]

    def close(self) -> None:
        """Go back to what the page shows otherwise."""
        st.session_state.pop(self._shown, None)
        st.session_state.pop(self._beside, None)
        st.session_state.pop(self._refused, None)
        st.query_params.pop(self.name, None)

    def shown(self, beside: str, problems: list[str]) -> "sl.runs.Run | None":
        """The run that the address or this session asks for; None where the page shows something else.

        Args:
            beside: What is in view; another one than when the run was opened closes it.
            problems: Receives one sentence where the address asks for what is not there.
        """
        asked = st.query_params.get(self.name)
        if asked is not None and asked != st.session_state.get(self._shown):
            self._choose(asked)
        wanted = st.session_state.get(self._shown)
        if wanted is None:
            problem, of = st.session_state.get(self._refused, ("", beside))
            if problem and of == beside:
                problems.append(problem)
            return None
        if st.session_state.setdefault(self._beside, beside) != beside:
            self.close()
            return None
        st.query_params[self.name] = wanted
        told: list[str] = []
        try:
            rows = [row for row in cached.store().list() if len(wanted) >= 6 and row.id.startswith(wanted)]
            if len(rows) == 1 and rows[0].verb == self.verb:
                return cached.run(rows[0].id)
            if rows:
                told.append(f"The run {wanted[:40]!r} is no {self.what}; {self.otherwise} is shown instead.")
            else:
                cached.store().get(wanted)  # raises the sentence that says what is wrong
        except ValueError as error:
            told.append(f"{str(error).rstrip('.')}; {self.otherwise} is shown instead.")
        self.close()
        # Kept for the scripts that follow by themselves, as when the browser's token arrives: a link is read once.
        st.session_state[self._refused] = (told[0], beside)
        problems += told
        return None

    def _choose(self, run_id: str) -> None:
        st.session_state[self._shown] = run_id
        st.session_state.pop(self._beside, None)
        st.session_state.pop(self._refused, None)

    @property
    def _shown(self) -> str:
        return f"{self.name}.shown"

    @property
    def _beside(self) -> str:
        return f"{self.name}.beside"

    @property
    def _refused(self) -> str:
        return f"{self.name}.refused"
