"""The app without a browser: one helper that opens a page, and a worker that does what a test tells it."""

import dataclasses
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import snnlab as sl
from pages._ui import cached

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "<img src=x onerror=alert(1)> **b** $x$ :red[r] `c` [l](http://x) | _u_"


class FakeWorker:
    """A worker whose jobs move when the test says so."""

    def __init__(self):
        self.kept = {}

    def submit(self, kind, arguments):
        job = sl.runs.Job(f"{len(self.kept) + 1}-7", kind, arguments, state="running", what="starting")
        self.kept[job.id] = job
        return job

    def job(self, job_id):
        return self.kept.get(job_id)

    def jobs(self):
        return tuple(self.kept.values())

    def cancel(self, job_id):
        self.move(job_id, state="cancelled")

    def move(self, job_id, **values):
        self.kept[job_id] = dataclasses.replace(self.kept[job_id], **values)


@pytest.fixture
def worker(monkeypatch):
    fake = FakeWorker()
    monkeypatch.setattr(cached, "worker", lambda: fake)
    return fake


@pytest.fixture
def at_page(worker):
    """``at_page("accuracy", T="4")``: the page at that address, after its first script run."""

    def open_page(name="checkpoint", *, failing=False, **address):
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        if name != "checkpoint":
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
    return {run.card["name"]: run for run in store.shipped()}


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
