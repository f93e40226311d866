"""Every page, in its first script run: what it shows, what it takes from the address, and whom it trusts."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import snnlab as sl
from pages._ui import cached
from tests.app.conftest import HOSTILE, ROOT, html_of, links, strip_of, warnings

PAGES = (
    "checkpoint",
    "conversion",
    "train",
    "residuals",
    "noise",
    "accuracy",
    "budget",
    "flips",
    "attribution",
    "energy",
    "runs",
    "tournament",
    "final",
    "help",
)
WITH_RUN = ("checkpoint", "residuals", "accuracy", "attribution")


@pytest.mark.parametrize("name", PAGES)
def test_the_first_script_run_shows_the_example(at_page, name):
    at = at_page(name)
    assert "digits\\-vgg\\-qcfs\\-L8" in strip_of(at)
    assert len(at.title) == 1
    assert not at.error
    assert not at.warning


@pytest.mark.parametrize("name", WITH_RUN)
def test_every_page_exports_explains_and_shows_the_code(at_page, name):
    at = at_page(name)
    downloads = {element.proto.label for element in at.get("download_button")}
    figures = set() if name == "checkpoint" else {"PDF", "SVG", "PNG", "All (zip)"}
    assert {"CSV", "LaTeX", "YAML"} | figures <= downloads
    assert at.latex
    languages = [code.language for code in at.code]
    assert {"bash", "yaml", "python"} <= set(languages)


def test_the_strip_gives_the_numbers_of_the_run_at_t(at_page, shipped):
    curve = shipped["digits-vgg-qcfs-L8"].reports["accuracy"]
    at = at_page("accuracy", T="4")
    strip = strip_of(at)
    assert f"**{100 * curve.snn_accuracy[3]:.2f}" in strip.replace("\\", "")
    assert f"**{100 * curve.ann_accuracy:.2f}" in strip.replace("\\", "")
    assert "**4**" in strip


def test_each_part_of_the_strip_leads_to_the_page_that_sets_it(at_page):
    pages = [page for page, _ in links(at_page("help"))]
    assert pages == ["", "", "conversion", *["accuracy"] * 4]


@pytest.mark.parametrize("wanted", ["0", "-1", "999", "abc", "1.5", "²", "<b>"])
def test_a_t_that_the_run_does_not_hold_is_one_sentence(at_page, wanted):
    at = at_page("accuracy", T=wanted)
    assert "has nothing at T" in warnings(at)
    assert "**2**" in strip_of(at)


@pytest.mark.parametrize("wanted", ["000000000000", "abc", "zzzzzzzzzzzz", "../../etc", "<script>"])
@pytest.mark.parametrize("name", PAGES)
def test_a_run_that_does_not_exist_is_one_sentence(at_page, name, wanted):
    at = at_page(name, run=wanted)
    assert "There is no run" in warnings(at)
    assert "first example is shown" in warnings(at)
    assert "digits\\-vgg" in strip_of(at)


def test_the_address_restores_run_comparison_and_t(at_page, shipped):
    one, other = shipped["digits-resnet-qcfs-L4"], shipped["digits-vgg-relu"]
    at = at_page("accuracy", run=one.id[:12], compare=other.id[:12], T="8")
    assert "digits\\-resnet" in strip_of(at)
    assert "**8**" in strip_of(at)
    assert [s.value for s in at.selectbox if s.label == "Compare with"] == [other.id]
    assert at.multiselect[0].value == [other.id]
    assert "digits-vgg-relu" in html_of(at)


def test_a_run_is_not_compared_with_itself(at_page, shipped):
    run = shipped["digits-vgg-relu"].id[:12]
    at = at_page("accuracy", run=run, compare=run)
    assert at.multiselect[0].value == []


def test_t_starts_where_the_kind_of_network_is_interesting(at_page, shipped):
    assert "**2**" in strip_of(at_page("help", run=shipped["digits-resnet-qcfs-L4"].id[:12]))
    assert "**32**" in strip_of(at_page("help", run=shipped["digits-vgg-relu"].id[:12]))


def test_choosing_a_checkpoint_changes_the_run_and_the_address(at_page, shipped):
    at = at_page()
    wanted = shipped["digits-resnet-qcfs-L4"]
    select(at, "Checkpoint").set_value(wanted.card["sha256"]).run()
    assert address(at, "run") == wanted.id[:12]
    assert "digits\\-resnet" in strip_of(at)
    select(at, "Target T").set_value(8).run()
    select(at, "Compare with").set_value(shipped["digits-vgg-relu"].id).run()
    assert address(at, "T") == "8"
    assert address(at, "compare") == shipped["digits-vgg-relu"].id[:12]
    at.switch_page("pages/accuracy.py").run()
    assert "digits\\-resnet" in strip_of(at)
    select(at, "Compare with").set_value("").run()
    assert "compare" not in at.query_params


def test_a_choice_from_widgets_that_are_gone_changes_nothing(at_page, shipped):
    at = at_page()
    old = select(at, "Checkpoint")
    at.session_state["drawn"] = "another view"
    old.set_value(shipped["digits-vgg-relu"].card["sha256"]).run()
    assert "run" not in at.query_params


@pytest.mark.parametrize("name", PAGES)
def test_an_empty_store_teaches(at_page, name, monkeypatch, tmp_path):
    empty = sl.runs.Store(tmp_path / "runs.sqlite", overlay=tmp_path)
    monkeypatch.setattr(cached, "store", lambda: empty)
    at = at_page(name)
    assert "none" in strip_of(at)
    assert len(at.title) == 1
    if name in WITH_RUN:
        assert "Open a checkpoint" in at.info[0].value


def test_the_form_works_with_an_empty_store(at_page, monkeypatch, tmp_path):
    empty = sl.runs.Store(tmp_path / "runs.sqlite", overlay=tmp_path)
    monkeypatch.setattr(cached, "store", lambda: empty)
    assert at_page().file_uploader


@pytest.mark.parametrize("name", PAGES)
def test_a_store_that_cannot_be_read_is_one_sentence(at_page, name, monkeypatch, tmp_path):
    broken = tmp_path / "runs.sqlite"
    broken.write_bytes(b"this is no database, and it is long enough to be read as one" * 40)
    monkeypatch.setenv("SNNLAB_STORE", str(broken))
    at = at_page(name)
    assert len(at.error) == 1
    assert "is no run store or is damaged" in at.error[0].value


@pytest.mark.parametrize("name", PAGES)
def test_hostile_names_stay_text(at_page, name, hostile, shipped):
    at = at_page(name, run=hostile.id[:12], compare=shipped["digits-vgg-relu"].id[:12])
    assert "<img src=x" not in html_of(at)
    for text in [*(m.value for m in at.markdown), *(c.value for c in at.caption), strip_of(at)]:
        assert HOSTILE not in text
        assert "<img" not in text.replace("\\<img", "")
        assert not re.search(r"(?<!\\):red\[", text)


def test_hostile_names_in_the_address_stay_text(at_page):
    at = at_page("accuracy", run=HOSTILE, T=HOSTILE, compare=HOSTILE, site=HOSTILE)
    assert at.warning
    for warning in at.warning:
        assert "<img" not in warning.value.replace("\\<img", "")


def test_accuracy_marks_the_step_from_which_the_snn_stays_close(at_page, shipped):
    curve = shipped["digits-vgg-qcfs-L8"].reports["accuracy"]
    at = at_page("accuracy")
    said = " ".join(m.value for m in at.markdown)
    assert f"**T = {curve.first_step_within(1.0)}**" in said
    at.number_input(key="accuracy-within").set_value(5.0).run()
    said = " ".join(m.value for m in at.markdown)
    assert f"**T = {curve.first_step_within(5.0)}**" in said
    assert "within 5 points from" in html_of(at)


def test_the_log_axis_is_an_option(at_page):
    at = at_page("accuracy")
    assert drawn(at)["layout"]["xaxis"].get("type") != "log"
    at.toggle(key="accuracy-log").set_value(True).run()
    assert drawn(at)["layout"]["xaxis"]["type"] == "log"


def test_checkpoint_shows_what_was_recognised_and_the_accuracy_at_every_power_of_two(at_page, shipped):
    run = shipped["digits-resnet-qcfs-L4"]
    shown = html_of(at_page(run=run.id[:12]))
    assert run.card["sha256"][:12] in shown
    for t in (1, 2, 4, 8, 16, 32):
        assert f"SNN, T = {t}</td>" in shown
        assert f"{100 * run.reports['accuracy'].snn_accuracy[t - 1]:.2f}" in shown


def test_help_says_what_every_page_answers(at_page):
    titles = re.findall(r'\("\w+", "([^"]+)", "\w+"\)', (ROOT / "app.py").read_text())
    assert len(titles) == len(PAGES)
    shown = html_of(at_page("help"))
    assert [title for title in titles if f'<td class="b">{title}</td>' not in shown] == ["Help"]


def test_help_names_every_method_and_its_paper(at_page):
    shown = html_of(at_page("help"))
    for card in sl.methods():
        assert card.display_name in shown
        assert sl.references()[card.citation].short in shown


def test_pages_draw_without_torch(tmp_path):
    code = """
import json, sys
class NoTorch:  # None in sys.modules is taken for torch by scipy
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NoTorch())
from streamlit.testing.v1 import AppTest
found = {}
for name in sys.argv[2].split():
    at = AppTest.from_file(sys.argv[1], default_timeout=60)
    at.switch_page(f"pages/{name}.py")
    at.run()
    found[name] = [str(e.value) for e in at.exception] + [e.value for e in at.error]
print(json.dumps({"found": found, "modules": [m for m in sys.modules if m.split(".")[0] == "torch"]}))
"""
    environment = {**os.environ, "SNNLAB_STORE": str(tmp_path / "runs.sqlite")}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "app.py"), " ".join(PAGES)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["found"] == {name: [] for name in PAGES}
    assert answer["modules"] == []


def test_page_files_import_public_names_only():
    for file in Path(ROOT / "pages").rglob("*.py"):
        for line in file.read_text().splitlines():
            assert not re.match(r"\s*(from|import) snnlab\.", line), f"{file}: {line}"


def select(at, label):
    return next(widget for widget in at.selectbox if widget.label == label)


def drawn(at):
    """The first chart of the page."""
    component = next(c for c in at.get("bidi_component") if "snnlab_figure" in c.proto.component_name)
    return json.loads(json.loads(component.proto.json)["light"])


def address(at, name):
    """AppTest gives what a test wrote as a list, what the app wrote as text."""
    value = at.query_params[name]
    return value if isinstance(value, str) else value[0]
