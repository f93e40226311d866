"""The app without a browser: one helper that opens a page, and a pool that does what a test tells it."""

import dataclasses
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import snnlab as sl
from pages._ui import cached, workspace

ROOT = Path(__file__).resolve().parents[2]
WORKSPACE = "ab" * 16
HOSTILE = "<img src=x onerror=alert(1)> **b** $x$ :red[r] `c` [l](http://x) | _u_"


class FakePool:
    """A pool whose jobs move when the test says so; ``answers`` maps a kind of ask to what it gives at once."""

    devices = ("cpu",)

    def __init__(self):
        self.kept, self.slots, self.answers, self.waited = {}, {}, {}, []

    def submit(self, kind, arguments, *, workspace, title=""):
        return self._add(kind, arguments, workspace, title)

    def ask(self, kind, arguments, *, workspace, slot, before=()):
        older = self.kept.get(self.slots.get((workspace, slot)))
        if older is not None and older.state == "cancelled" and (older.kind, older.arguments) == (kind, arguments):
            return older
        for place in (slot, *before):
            gone = self.slots.get((workspace, place))
            if gone in self.kept and self.kept[gone].active:
                self.move(gone, state="cancelled")
        job = self._add(kind, arguments, workspace, "")
        self.slots[workspace, slot] = job.id
        if kind in self.answers:
            answer = self.answers[kind]
            self.move(job.id, state="done", result=answer(arguments) if callable(answer) else answer)
        return self.kept[job.id]

    def warm(self):
        self.warmed = True

    def wait(self, job_id, seconds):
        self.waited.append((job_id, seconds))
        return self.kept.get(job_id)

    def job(self, job_id):
        return self.kept.get(job_id)

    def jobs(self, workspace):
        asks = set(self.slots.values())
        mine = [job for job in self.kept.values() if job.workspace == workspace and job.id not in asks]
        return tuple(reversed(mine))

    def cancel(self, job_id, *, workspace):
        if self._own(job_id, workspace).active:
            self.move(job_id, state="cancelled")

    def restart(self, job_id, *, workspace):
        job = self._own(job_id, workspace)
        del self.kept[job_id]
        return self._add(job.kind, job.arguments, workspace, job.title)

    def dismiss(self, job_id, *, workspace):
        assert not self._own(job_id, workspace).active
        del self.kept[job_id]

    def move(self, job_id, **values):
        self.kept[job_id] = dataclasses.replace(self.kept[job_id], **values)
        return self.kept[job_id]

    def last(self, kind=None):
        """The newest job, of a kind or of any."""
        return next(job for job in reversed(self.kept.values()) if kind in (None, job.kind))

    def _add(self, kind, arguments, workspace, title):
        self.count = getattr(self, "count", 0) + 1
        job = sl.runs.Job(f"{self.count:032x}", kind, arguments, workspace, title, state="running", what="starting")
        self.kept[job.id] = job
        return job

    def _own(self, job_id, workspace):
        job = self.kept[job_id]
        assert job.workspace in (workspace, "local"), "another browser's job"
        return job


def cifar_folder(folder):
    """That folder, with CIFAR-10 files of the right names and sizes."""
    inside = folder / "cifar-10-batches-bin"
    inside.mkdir(parents=True)
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        with (inside / f"{name}.bin").open("wb") as stream:
            stream.truncate(10_000 * 3073)
    return folder


@pytest.fixture
def pool(monkeypatch):
    """Jobs of a browser whose token has arrived."""
    fake = FakePool()
    monkeypatch.setattr(cached, "pool", lambda: fake)
    monkeypatch.setattr(workspace, "current", lambda: WORKSPACE)
    monkeypatch.setattr(workspace, "settled", lambda: True)
    return fake


@pytest.fixture
def at_page(pool):
    """``at_page("accuracy", T="4")``: the page at that address, after its first script run."""

    def open_page(name="checkpoint", *, failing=False, **address):
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        at.switch_page(f"pages/{name}.py")
        for key, value in address.items():
            at.query_params[key] = value
        at.run()
        if not failing:
            assert not at.exception, at.exception
        return at

    return open_page


@pytest.fixture
def store():
    return sl.runs.Store()


@pytest.fixture
def shipped(store):
    """Name -> bundled run."""
    return {run.card["name"]: run for run in store.shipped() if run.verb == "analyse"}


@pytest.fixture
def hostile(store, shipped):
    """A stored run whose every name is an attack."""
    run = shipped["digits-vgg-qcfs-L8"]
    conversion = run.reports["conversion"]
    sites = tuple({**site, "name": f"{HOSTILE}.{i}", "replaced": HOSTILE} for i, site in enumerate(conversion.sites))
    nodes = tuple({**row, "node": HOSTILE, "note": HOSTILE} for row in conversion.coverage)
    residuals = run.reports["residuals"]
    renamed = {
        "accuracy": dataclasses.replace(run.reports["accuracy"], name=HOSTILE),
        "conversion": dataclasses.replace(conversion, sites=sites, coverage=nodes),
        "residuals": dataclasses.replace(residuals, names=tuple(f"{HOSTILE}.{i}" for i in range(len(residuals.names)))),
    }
    facts = ("name", "architecture_name", "licence", "dataset", "normalization", "source")
    card = {**run.card, **dict.fromkeys(facts, HOSTILE)}
    attack = dataclasses.replace(
        run,
        id="ab" * 16,
        recipe=run.recipe.changed(data={"limit": 9}),
        card=card,
        notes=(HOSTILE,),
        reports={**run.reports, **renamed},
    )
    store.save(attack)
    return attack


def html_of(at):
    """Everything that reaches the page as HTML."""
    return "\n".join(element.proto.body for element in at.get("html"))


def links(at):
    """(page, label) of the context strip."""
    every = [(link.proto.page, link.proto.label) for link in at.get("page_link")]
    return [(page, label) for page, label in every if label.startswith(":small[")]


def strip_of(at):
    return " ".join(label for _, label in links(at))


def warnings(at):
    return " ".join(element.value for element in at.warning)
