"""Jobs as a user meets them: progress, Cancel, a failure, a reload, a result that comes into view."""

import pytest

from pages._ui.jobs import duration
from tests.app.conftest import strip_of

FILE_JOB = {"path": "weights.pt"}


def card_of(shipped, **changed):
    card = dict(shipped["digits-vgg-relu"].card)
    return {**card, "name": "theirs.pth", "sha256": "f" * 64, "foreign": True, **changed}


def said(at):
    return " ".join([*(c.value for c in at.caption), *(m.value for m in at.markdown)])


def test_an_idle_tray_says_so(at_page):
    assert "Jobs: none running" in said(at_page("help"))


@pytest.mark.parametrize("name", ["checkpoint", "residuals", "accuracy", "help"])
def test_a_reload_finds_its_job_again(at_page, worker, name):
    job = worker.submit("analyse", {})
    worker.move(job.id, done=3, total=12, what="simulating batches")
    at = at_page(name, job=job.id)
    progress = at.get("progress")[0].proto
    assert progress.value == 25
    assert "simulating batches 3 of 12" in progress.text
    assert [b.label for b in at.button if b.label == "Cancel"]


def test_cancel_stops_the_job_and_says_that_nothing_is_stored(at_page, worker):
    job = worker.submit("analyse", {})
    at = at_page("help", job=job.id)
    next(b for b in at.button if b.label == "Cancel").click().run()
    assert worker.job(job.id).state == "cancelled"
    assert "cancelled, nothing was stored" in said(at)


def test_a_finished_analysis_comes_into_view_and_leaves_the_address(at_page, worker, shipped):
    run = shipped["digits-vgg-relu"]
    job = worker.submit("analyse", {})
    at = at_page("accuracy", job=job.id)
    assert "digits\\-vgg\\-qcfs" in strip_of(at)
    worker.move(job.id, state="done", result={"run": run.id, "notes": []})
    at.run()
    assert "digits\\-vgg\\-relu" in strip_of(at)
    assert at.query_params["run"] in (run.id[:12], [run.id[:12]])
    assert "job" not in at.query_params
    at.run()  # the result takes effect once
    choice = next(s for s in at.selectbox if s.label == "Checkpoint")
    choice.set_value(shipped["digits-resnet-qcfs-L4"].card["sha256"]).run()
    assert "digits\\-resnet" in strip_of(at)


def test_a_job_of_another_server_can_be_dismissed(at_page):
    at = at_page("help", job="99-1")
    assert "no longer known" in said(at)
    at.button(key="job-dismiss").click().run()
    assert "job" not in at.query_params


def test_a_failure_is_one_sentence_with_its_table_below(at_page, worker):
    job = worker.submit("open", FILE_JOB)
    at = at_page(job=job.id)
    at.segmented_control(key="own-origin").set_value("Upload a file").run()
    worker.move(job.id, state="failed", error="weights.pt does not fit: <b>1</b> missing.\n  missing  a.weight  (3,)")
    at.run()
    assert "weights\\.pt does not fit" in at.error[0].value
    assert "<b>" not in at.error[0].value.replace("\\<b", "")
    assert any("a.weight" in code.value for code in at.code)


def test_an_opened_checkpoint_is_shown_and_survives_a_reload(at_page, worker, shipped):
    job = worker.submit("open", FILE_JOB)
    worker.move(job.id, state="done", result={"card": card_of(shipped), "path": "kept.safetensors"})
    for _ in range(2):
        at = at_page(job=job.id)
        assert at.segmented_control(key="own-origin").value == "opened"
        assert "digits\\-vgg\\-qcfs" in strip_of(at), "opening converts nothing"
        assert next(s for s in at.selectbox if s.label == "Method").value == "percentile_norm"


def test_two_sessions_keep_their_own_checkpoints(at_page, worker, shipped):
    jobs = []
    for name in ("first.pth", "second.pth"):
        job = worker.submit("open", {"path": name})
        worker.move(job.id, state="done", result={"card": card_of(shipped, name=name), "path": name})
        jobs.append(job)
    pages = [at_page(job=job.id) for job in jobs]
    for at, name in zip(pages, ("first.pth", "second.pth"), strict=True):
        at.run()
        next(b for b in at.button if b.label == "Convert and analyse").click().run()
        submitted = list(worker.kept.values())[-1]
        assert submitted.arguments["recipe"]["checkpoint"]["source"] == name


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "under a second"), (8.4, "8 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (7200, "2.0 h")],
)
def test_time_left_is_rounded_for_people(seconds, text):
    assert duration(seconds) == text
