"""Whose things are whose: the browser's token, links to others' runs, the address that an edit leaves behind."""

import dataclasses

import pytest

import snnlab as sl
from pages._ui import cached, jobs, names, questions, state, workspace
from tests.app.conftest import HOSTILE, WORKSPACE, html_of, strip_of, warnings

TOKEN, STRANGER = "12" * 16, "cd" * 16
CURRENT, SETTLED = workspace.current, workspace.settled


@pytest.fixture
def connecting(at_page, monkeypatch):
    """``connecting(token)``: a page whose browser has answered with that; None for a browser that has not."""
    monkeypatch.setattr(workspace, "current", CURRENT)
    monkeypatch.setattr(workspace, "settled", SETTLED)

    def open_page(token=None, name="checkpoint"):
        at = at_page(name)
        assert "Jobs: connecting to the browser" in said(at)
        if token is not None:
            at.session_state["workspace"] = {"token": token}
            at.run()
        return at

    return open_page


def said(at):
    return " ".join(caption.value for caption in at.caption)


def press(at, label):
    return next(button for button in at.button if button.label == label).click().run()


def menu(at, label):
    return next(widget for widget in at.selectbox if widget.label == label)


def test_pages_draw_before_the_browser_answers_and_start_nothing(connecting, pool):
    at = connecting()
    assert "digits\\-vgg\\-qcfs" in strip_of(at)
    convert = next(button for button in at.button if button.label == "Convert and analyse")
    assert convert.disabled
    assert not pool.kept


def test_a_start_before_that_is_refused_in_one_sentence(connecting, pool, monkeypatch):
    monkeypatch.setattr(jobs, "busy", lambda *kinds: False)
    at = press(connecting(), "Convert and analyse")
    assert not at.exception
    assert "still connecting" in at.error[0].value
    assert not pool.kept


def test_an_ask_before_that_waits_and_asks_nobody(monkeypatch, pool):
    monkeypatch.setattr(workspace, "settled", lambda: False)
    job = questions.ask("probe", {}, "here")
    assert (job.active, job.id) == (True, "")
    assert not pool.kept


def test_jobs_carry_the_browser_s_token_and_the_address_does_not(connecting, pool):
    at = press(connecting(TOKEN), "Convert and analyse")
    assert pool.last("analyse").workspace == TOKEN
    assert TOKEN not in str(dict(at.query_params))


def test_two_tabs_share_a_workspace_and_two_browsers_do_not(connecting, pool):
    press(connecting(TOKEN), "Convert and analyse")
    assert len(connecting(TOKEN).sidebar.get("progress")) >= 1
    assert not connecting(STRANGER).sidebar.get("progress")


@pytest.mark.parametrize("token", ["blocked", "../etc", "12" * 15, "G" * 32, HOSTILE, "0" * 4000])
def test_where_storage_is_blocked_the_session_has_a_token_of_its_own_and_says_so(connecting, pool, token):
    at = press(connecting(token), "Convert and analyse")
    own = pool.last("analyse").workspace
    assert len(own) == 32
    assert own != token
    assert "a reload forgets its jobs" in said(at)
    assert "a reload forgets" not in said(connecting(TOKEN))
    press(connecting(token), "Convert and analyse")
    assert pool.last("analyse").workspace != own, "another session is another workspace"


def saved(store, shipped, workspace, run_id, **changed):
    run = dataclasses.replace(shipped["digits-vgg-relu"], id=run_id, **changed)
    store.save(run, workspace=workspace)
    return run


def test_menus_list_shipped_own_and_local_runs_only(at_page, store, shipped):
    saved(store, shipped, WORKSPACE, "1" * 32, recipe=shipped["digits-vgg-relu"].recipe.changed(seed=1))
    saved(store, shipped, cached.LOCAL, "2" * 32, recipe=shipped["digits-vgg-relu"].recipe.changed(seed=2))
    saved(store, shipped, STRANGER, "3" * 32, recipe=shipped["digits-vgg-relu"].recipe.changed(seed=3))
    at = at_page(run=shipped["digits-vgg-relu"].id[:12])
    assert len(menu(at, "Conversion").options) == 3
    assert not any("333333" in option for option in menu(at, "Conversion").options)


def test_another_s_run_opens_by_link_to_be_read_only(at_page, store, shipped):
    saved(store, shipped, STRANGER, "3" * 32)
    at = at_page("accuracy", run="3" * 12)
    assert "digits\\-vgg\\-relu" in strip_of(at)
    assert "it can be read here, not changed" in said(at)
    assert "it can be read here" not in said(at_page("accuracy", run=shipped["digits-vgg-relu"].id[:12]))


def test_a_view_knows_what_may_be_changed(at_page, store, shipped, monkeypatch):
    owned = {}
    for owner, run_id in ((WORKSPACE, "1" * 32), (cached.LOCAL, "2" * 32), (STRANGER, "3" * 32)):
        saved(store, shipped, owner, run_id)
        monkeypatch.setattr(state, "get", lambda name, run_id=run_id: run_id if name == state.Address.RUN else None)
        owned[owner] = state.view().own
    assert owned == {WORKSPACE: True, cached.LOCAL: True, STRANGER: False}


def test_runs_of_noise_are_no_conversions_but_open_by_link(at_page, store, shipped):
    saved(store, shipped, WORKSPACE, "4" * 32, verb="noise")
    assert "noise" not in " ".join(menu(at_page(run=shipped["digits-vgg-relu"].id[:12]), "Conversion").options)
    at = at_page("accuracy", run="4" * 12)
    assert not at.warning
    conversions = menu(at, "Conversion")
    assert conversions.value == "4" * 32
    assert len(conversions.options) == 2
    assert any(option.startswith("noise of ") for option in conversions.options)


def test_a_link_is_stronger_than_what_a_form_remembers(at_page, store, shipped):
    run = shipped["digits-vgg-relu"]
    recipe = run.recipe.changed(converter={"method": "max_norm", "parameters": {}})
    saved(store, shipped, WORKSPACE, "5" * 32, recipe=recipe)
    at = at_page(run=run.id[:12])
    menu(at, "Simulate to T").set_value(64).run()
    at.query_params["run"] = "5" * 12
    at.run()
    assert menu(at, "Method").value == "max_norm"
    assert menu(at, "Simulate to T").value == 32


EDITED = """
from pages._ui import state
state.adopt_address()
if st.button("edit"):
    state.drop_run()
if st.button("bring"):
    state.show_run("9" * 32)
"""


def test_the_first_edit_takes_the_run_out_of_the_address_until_another_comes_into_view():
    from streamlit.testing.v1 import AppTest

    at = AppTest.from_string("import streamlit as st\n" + EDITED)
    at.query_params["run"] = "7" * 12
    at.query_params["T"] = "4"
    at.run()
    press(at, "edit")
    for _ in range(2):
        assert "run" not in at.query_params
        assert at.session_state["address.run"] == "7" * 12, "it stays what is edited"
        assert "T" in at.query_params
        at.run()
    press(at, "bring")
    assert at.query_params["run"] in ("9" * 12, ["9" * 12])
    press(at, "edit")
    at.query_params["run"] = "7" * 12
    at.run()
    assert at.query_params["run"] in ("7" * 12, ["7" * 12]), "a link brings it back"


@pytest.mark.parametrize("value", [HOSTILE, "../../etc/passwd", "0" * 5000, "%00", "abcdef"])
@pytest.mark.parametrize("name", ["checkpoint", "accuracy", "help"])
def test_a_hostile_link_is_a_sentence_and_starts_writes_and_opens_nothing(at_page, pool, store, name, value):
    before = [(row.id, row.last_used) for row in store.list()]
    at = at_page(name, run=value, compare=value, T=value, job=value, split="test")
    assert "first example is shown" in warnings(at)
    assert "digits\\-vgg\\-qcfs" in strip_of(at)
    assert "<img" not in html_of(at)
    assert not pool.kept
    assert [(row.id, row.last_used) for row in store.list()] == before


def test_names_say_what_differs_and_no_more(shipped, store):
    run = shipped["digits-vgg-relu"]
    recipes = [
        run.recipe,
        run.recipe.changed(num_steps=64),
        run.recipe.changed(converter={"method": "max_norm", "parameters": {}}),
    ]
    for number, recipe in enumerate(recipes):
        store.save(dataclasses.replace(run, id=str(number) * 32, recipe=recipe), workspace=WORKSPACE)
    rows = {row.id: row for row in store.list()}
    three = [rows[str(number) * 32] for number in range(3)]
    shown = names.among(three)
    assert shown["0" * 32].endswith("T 32")
    assert shown["1" * 32].endswith("T 64")
    assert shown["2" * 32].startswith("Max norm")
    assert not any(run.card["name"] in name for name in shown.values())
    assert "·" not in names.among(three[:1])["0" * 32]
    twin = dataclasses.replace(three[0], id="8" * 32)
    assert len(set(names.among([*three, twin]).values())) == 4
    other = rows[shipped["digits-resnet-qcfs-L4"].id]
    assert names.among([three[0], other])[other.id].startswith("digits-resnet-qcfs-L4 · ")
    beside = names.beside(three[0], [three[1], other])
    assert beside[other.id] == "digits-resnet-qcfs-L4"
    assert "T 64" in beside[three[1].id]
    assert run.card["name"] in names.whole(three[0])


def test_a_recipe_names_the_user_s_file(at_page, pool, shipped, monkeypatch, tmp_path):
    monkeypatch.setenv("SNNLAB_DATA_ROOTS", str(tmp_path))
    (tmp_path / "net.pth").write_bytes(b"weights")
    at = at_page()
    at.segmented_control(key="own-origin").set_value("A file on this machine").run()
    at.text_input(key="own-path").set_value(str(tmp_path / "net.pth"))
    at.button(key="own-open").click().run()
    card = {**shipped["digits-vgg-relu"].card, "name": "net.pth", "sha256": "f" * 64}
    pool.move(pool.last("open").id, state="done", result={"card": card, "path": "/kept/copy.safetensors"})
    at.run()
    press(at, "Convert and analyse")
    choice = sl.Recipe.parse(pool.last("analyse").arguments["recipe"]).checkpoint
    assert (choice.source, choice.sha256) == (str(tmp_path / "net.pth"), "f" * 64)
