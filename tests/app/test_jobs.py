"""Jobs as a user meets them: progress, Cancel, a failure, a reload, a restart, a result that comes into view."""

import pytest

from pages._ui import job_kinds, jobs
from pages._ui.progress import duration
from snnlab.runs.kinds import KINDS
from tests.app.conftest import HOSTILE, ROOT, WORKSPACE, strip_of

FILE_JOB = {"path": "weights.pt"}
STRANGER = "cd" * 16


def card_of(shipped, **changed):
    card = dict(shipped["digits-vgg-relu"].card)
    return {**card, "name": "theirs.pth", "sha256": "f" * 64, "foreign": True, **changed}


def said(at):
    return " ".join([*(c.value for c in at.caption), *(m.value for m in at.markdown)])


def buttons(at):
    return [button.label for button in at.button]


def press(at, label):
    return next(button for button in at.button if button.label == label).click().run()


def start_analysis(at, pool):
    """The form's own button; returns the job."""
    press(at, "Convert and analyse")
    return pool.last("analyse")


def test_an_idle_tray_says_so(at_page):
    assert "Jobs: none running" in said(at_page("help"))


@pytest.mark.parametrize("name", ["checkpoint", "residuals", "accuracy", "help"])
def test_a_reload_finds_its_job_again_on_every_page(at_page, pool, name):
    job = pool.submit("analyse", {}, workspace=WORKSPACE)
    pool.move(job.id, done=3, total=12, what="simulating batches")
    at = at_page(name)
    progress = at.sidebar.get("progress")[0].proto
    assert progress.value == 25
    assert "simulating batches 3 of 12" in progress.text
    assert "Cancel" in buttons(at)
    assert "job" not in at.query_params


def test_the_jobs_of_another_browser_are_not_shown(at_page, pool):
    mine = pool.submit("analyse", {}, workspace=WORKSPACE, title="my own work")
    for state in ("running", "failed", "interrupted", "done"):
        theirs = pool.submit("analyse", {}, workspace=STRANGER, title=f"their {state} work")
        pool.move(theirs.id, state=state, error="No.", result={"run": "0" * 32})
    at = at_page("help")
    assert "my own work" in at.sidebar.get("progress")[0].proto.text
    assert len(at.sidebar.get("progress")) == 1
    assert not any(f"their {state} work" in said(at) for state in ("running", "failed", "interrupted", "done"))
    pool.move(mine.id, state="cancelled")
    assert buttons(at_page("help")) == []


def test_a_job_says_what_it_waits_for_and_how_long_it_takes(at_page, pool):
    job = pool.submit("analyse", {}, workspace=WORKSPACE, title=f"Convert {HOSTILE}")
    pool.move(job.id, state="queued")
    text = at_page("help").sidebar.get("progress")[0].proto.text
    assert "waiting for a free worker" in text
    assert "<img" not in text.replace("\\<img", "")


def test_cancel_waits_for_the_end_so_that_the_next_picture_is_without_the_job(at_page, pool):
    job = pool.submit("analyse", {}, workspace=WORKSPACE)
    at = at_page("help")
    press(at, "Cancel")
    assert pool.job(job.id).state == "cancelled"
    assert pool.waited[-1][0] == job.id
    assert pool.waited[-1][1] < 1
    assert not at.sidebar.get("progress")
    assert "cancelled, nothing was stored" in said(at)


def test_what_needs_nothing_more_leaves_the_tray(at_page, pool, monkeypatch):
    job = pool.submit("analyse", {}, workspace=WORKSPACE)
    at = at_page("help")
    pool.move(job.id, state="cancelled")
    at.run()
    assert "nothing was stored" in said(at)
    monkeypatch.setattr(jobs, "BRIEF_SECONDS", 0)
    at.run()
    assert "Jobs: none running" in said(at)


def test_a_refused_click_is_one_sentence_in_the_tray(at_page, pool, monkeypatch, store):
    pool.submit("analyse", {}, workspace=WORKSPACE)
    at = at_page("help")

    def refuse(job_id, *, workspace):
        store.get("0" * 12)  # any of snnlab's sentences

    monkeypatch.setattr(pool, "cancel", refuse)
    press(at, "Cancel")
    assert not at.exception
    assert "There is no run" in at.error[0].value


def test_a_finished_analysis_comes_into_view_where_it_was_started(at_page, pool, shipped):
    run = shipped["digits-vgg-relu"]
    at = at_page()
    job = start_analysis(at, pool)
    assert "digits\\-vgg\\-qcfs" in strip_of(at)
    pool.move(job.id, state="done", result={"run": run.id, "notes": []})
    at.run()
    assert "digits\\-vgg\\-relu" in strip_of(at)
    assert at.query_params["run"] in (run.id[:12], [run.id[:12]])
    assert "in view" in said(at)
    at.run()  # the result takes effect once
    choice = next(s for s in at.selectbox if s.label == "Checkpoint")
    choice.set_value(shipped["digits-resnet-qcfs-L4"].card["sha256"]).run()
    assert "digits\\-resnet" in strip_of(at)


def test_it_does_not_where_the_user_has_gone_to_another_run_but_is_offered(at_page, pool, shipped):
    run = shipped["digits-vgg-relu"]
    at = at_page()
    job = start_analysis(at, pool)
    choice = next(s for s in at.selectbox if s.label == "Checkpoint")
    choice.set_value(shipped["digits-resnet-qcfs-L4"].card["sha256"]).run()
    pool.move(job.id, state="done", result={"run": run.id, "notes": []})
    at.run()
    assert "digits\\-resnet" in strip_of(at)
    press(at, "Show")
    assert "digits\\-vgg\\-relu" in strip_of(at)
    assert "Show" not in buttons(at)


def test_in_another_tab_and_after_a_reload_it_is_offered_only(at_page, pool, shipped):
    run = shipped["digits-vgg-relu"]
    job = pool.submit("analyse", {}, workspace=WORKSPACE)
    at = at_page("accuracy")
    pool.move(job.id, state="done", result={"run": run.id, "notes": []})
    at.run()
    assert "digits\\-vgg\\-qcfs" in strip_of(at)
    press(at, "Show")
    assert "digits\\-vgg\\-relu" in strip_of(at)


def test_what_ended_while_nobody_looked_is_offered_until_it_is_dismissed(at_page, pool, shipped):
    job = pool.submit("analyse", {}, workspace=WORKSPACE)
    pool.move(job.id, state="done", result={"run": shipped["digits-vgg-relu"].id})
    at = at_page("help")
    assert "Show" in buttons(at)
    press(at, "Dismiss")
    assert "Jobs: none running" in said(at)
    assert pool.job(job.id) is None


def test_a_result_that_was_in_view_is_not_offered_again(at_page, pool, shipped, monkeypatch):
    run = shipped["digits-vgg-relu"]
    at = at_page()
    job = start_analysis(at, pool)
    pool.move(job.id, state="done", result={"run": run.id})
    at.run()
    assert "Show" not in buttons(at_page("help", run=run.id[:12])), "the link shows it already"
    monkeypatch.setattr(jobs, "BRIEF_SECONDS", 0)
    at.run()
    assert pool.job(job.id) is None


@pytest.mark.parametrize("kind", ["flips", "energy", "budget"])
def test_a_result_of_a_page_is_offered_until_that_page_was_open(at_page, pool, shipped, kind):
    job = pool.submit(kind, {}, workspace=WORKSPACE)
    at = at_page("help")
    assert f"{job_kinds.of(kind).title}: starting" in at.sidebar.get("progress")[0].proto.text
    pool.move(job.id, state="done", result={"run": shipped["digits-vgg-relu"].id})
    at.run()
    assert {"Show", "Dismiss"} <= set(buttons(at))
    at.switch_page(f"pages/{kind}.py").run()
    assert not {"Show", "Dismiss"} & set(buttons(at))
    at.switch_page("pages/help.py").run()
    assert not {"Show", "Dismiss"} & set(buttons(at))


def test_a_run_that_came_into_view_otherwise_is_not_offered_any_more(at_page, pool, shipped):
    job = pool.submit("analyse", {}, workspace=WORKSPACE)
    pool.move(job.id, state="done", result={"run": shipped["digits-vgg-relu"].id})
    at = at_page("help")
    assert "Show" in buttons(at)
    for name in ("digits-vgg-relu", "digits-resnet-qcfs-L4"):
        choice = next(s for s in at.selectbox if s.label == "Checkpoint")
        choice.set_value(shipped[name].card["sha256"]).run()
        assert "Show" not in buttons(at)


def test_an_interrupted_job_starts_again_by_one_click(at_page, pool, shipped):
    job = pool.submit("analyse", {"recipe": "theirs"}, workspace=WORKSPACE, title="Convert theirs")
    pool.move(job.id, state="interrupted")
    at = at_page("help")
    assert "**Convert theirs**: the server was stopped while this ran" in said(at)
    press(at, "Start again")
    again = pool.last()
    assert (again.arguments, again.title, again.active) == ({"recipe": "theirs"}, "Convert theirs", True)
    assert "Start again" not in buttons(at)
    assert "Convert theirs" in at.sidebar.get("progress")[0].proto.text
    pool.move(again.id, state="done", result={"run": shipped["digits-vgg-relu"].id})
    at.run()
    assert "digits\\-vgg\\-relu" in strip_of(at), "started here by that click"


def test_a_failure_is_one_sentence_with_its_table_below(at_page, pool):
    at = at_page()
    at.segmented_control(key="own-origin").set_value("Upload a file").run()
    at.file_uploader[0].set_value(("weights.pt", b"weights", "application/octet-stream")).run()
    error = "weights.pt does not fit: <b>1</b> missing.\n  missing  a.weight  (3,)"
    pool.move(pool.last("open").id, state="failed", error=error)
    at.run()
    assert "weights\\.pt does not fit" in at.error[0].value
    assert "<b>" not in at.error[0].value.replace("\\<b", "")
    assert any("a.weight" in code.value for code in at.code)
    press(at, "Dismiss")
    assert not at.error


def test_a_newer_error_stands_alone(at_page, pool, monkeypatch, tmp_path):
    monkeypatch.setenv("SNNLAB_DATA_ROOTS", str(tmp_path))
    (tmp_path / "net.pth").write_bytes(b"weights")
    at = at_page()
    at.segmented_control(key="own-origin").set_value("A file on this machine").run()
    for path in ("net.pth", "elsewhere.pth"):
        at.text_input(key="own-path").set_value(str(tmp_path / path)).run()
        at.button(key="own-open").click().run()
        if path == "net.pth":
            pool.move(pool.last("open").id, state="failed", error="It holds code.")
            at.run()
            assert "It holds code" in at.error[0].value
    assert len(at.error) == 1
    assert "not a readable path" in at.error[0].value


def test_an_opened_checkpoint_is_shown_and_offered_after_a_reload(at_page, pool, shipped):
    at = at_page()
    at.segmented_control(key="own-origin").set_value("Upload a file").run()
    at.file_uploader[0].set_value(("theirs.pth", b"weights", "application/octet-stream")).run()
    result = {"card": card_of(shipped), "path": "kept.safetensors"}
    pool.move(pool.last("open").id, state="done", result=result)
    at.run()
    assert at.segmented_control(key="own-origin").value == "opened"
    again = at_page()
    again.segmented_control(key="own-origin").set_value("opened").run()
    for each in (at, again):
        assert "digits\\-vgg\\-qcfs" in strip_of(each), "opening converts nothing"
        assert next(s for s in each.selectbox if s.label == "Method").value == "percentile_norm"


def test_two_sessions_keep_their_own_checkpoints(at_page, pool, shipped):
    pages = []
    for name in ("first.pth", "second.pth"):
        at = at_page()
        at.segmented_control(key="own-origin").set_value("Upload a file").run()
        at.file_uploader[0].set_value((name, name.encode(), "application/octet-stream")).run()
        pool.move(pool.last("open").id, state="done", result={"card": card_of(shipped, name=name), "path": name})
        pages.append(at)
    for at, name in zip(pages, ("first.pth", "second.pth"), strict=True):
        at.run()
        job = start_analysis(at, pool)
        assert job.arguments["recipe"]["checkpoint"]["source"].endswith(name)


def test_every_kind_of_work_has_a_title_and_a_page_that_is_there():
    assert set(job_kinds.KINDS) == set(KINDS)
    assert {kind.page for kind in job_kinds.KINDS.values()} - {""} <= {
        path.stem for path in (ROOT / "pages").glob("*.py")
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "under a second"), (8.4, "8 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (7200, "2.0 h")],
)
def test_time_left_is_rounded_for_people(seconds, text):
    assert duration(seconds) == text
