"""Final evaluation: sealed until confirmed, counted, shown again without a new look, and nowhere else."""

import dataclasses
import re

import numpy as np
import pytest

import snnlab as sl
from pages._ui import cached
from tests.app.conftest import HOSTILE, html_of, strip_of, warnings

VGG, RESNET = "digits-vgg-qcfs-L8", "digits-resnet-qcfs-L4"


def evaluation(runs, target=2, explored=0, seed=0, names=None, **card):
    """A stored evaluation of these runs with invented answers: figures that no page can have by chance."""
    rng = np.random.default_rng(seed)
    images, first = 450, runs[0]
    labels = rng.integers(0, 10, images).astype(np.int16)
    mask = np.zeros(images, dtype=bool)
    mask[:explored] = True
    right = rng.random((len(runs), 33, images)) < 0.61
    guesses = np.where(right, labels, (labels + 1) % 10).astype(np.int16)
    arms = tuple(
        {
            "name": names[place] if names else f"{run.card['name']} · {place}",
            "title": "QCFS",
            "run": run.id,
            "recipe": sl.runs.Arm("", run.recipe).final.to_dict(),
            "recipe_sha": "",
            "checkpoint": run.card["name"],
            "sha256": run.card["sha256"],
            "lineage": sl.runs.lineage_of(run.card),
            "foreign": bool(explored),
            "interpretation": bool(explored),
        }
        for place, run in enumerate(runs)
    )
    report = sl.analysis.FinalEvaluation(
        "digits", target, arms, {arm["lineage"]: 0 for arm in arms}, labels, mask, guesses[:, 0], guesses[:, 1:], 10
    )
    return sl.runs.Run(
        recipe=sl.runs.Arm("", first.recipe).final,
        reports={"accuracy": report.curve(0, "all"), "conversion": first.reports["conversion"], "final": report},
        card={**first.card, **card},
        environment=first.environment,
        verb="final",
    )


@pytest.fixture
def done(store, shipped):
    """A final evaluation of two checkpoints, stored and counted."""
    run = evaluation([shipped[VGG], shipped[RESNET]])
    store.look(dataset="digits", lineage=shipped[VGG].card["sha256"], recipe_sha="ann")
    store.record(run)
    return store.get(run.id)


def text_of(at):
    return "\n".join([*(m.value for m in at.markdown), *(c.value for c in at.caption), html_of(at)])


def figures_of(report):
    """Every number that would give a sealed figure away, as pages write it."""
    found = set()
    for which in report.sets:
        for arm in range(len(report.arms)):
            found.add(f"{100 * report.ann(arm, which).value:.2f}")
            found |= {f"{100 * report.snn(arm, t, which).value:.2f}" for t in range(1, report.num_steps(arm) + 1)}
    return found


def button(at, key):
    return at.button(key=key)


def confirm(at):
    return next(box for box in at.checkbox if str(box.key).startswith("final-confirm"))


def test_sealed_it_shows_its_protocol(at_page):
    at = at_page("final")
    shown = text_of(at)

    for size in ("942", "512", "135", "270", "450"):
        assert f">{size}</td>" in shown
    assert "not opened yet" in shown
    assert "neither dev nor test was seen in training" in shown
    assert "sealed, not opened yet" in shown
    assert "It will be the **1st look**" in confirm(at).label
    assert button(at, "final-open").disabled


def test_the_dev_figures_of_the_arms_stand_beside_the_protocol(at_page, shipped):
    curve = shipped[VGG].reports["accuracy"]
    at = at_page("final", T="4", compare=shipped[RESNET].id[:12])

    assert at.multiselect[0].value == [shipped[VGG].id, shipped[RESNET].id]
    assert f"{100 * curve.snn_accuracy[3]:.2f}" in html_of(at)
    assert "SNN at T = 4" in html_of(at)
    assert "dev, 270 images" in html_of(at)


def test_sealed_no_figure_of_the_test_set_is_anywhere(at_page, done, shipped):
    secret = figures_of(done.reports["final"]) - dev_figures(shipped)
    for name in ("final", "accuracy", "checkpoint", "residuals", "help"):
        at = at_page(name)
        shown = text_of(at) + strip_of(at).replace("\\", "")
        assert not [figure for figure in secret if figure in shown], name


def dev_figures(shipped):
    found = set()
    for run in shipped.values():
        frame = run.reports["accuracy"].to_frame()
        found |= {f"{100 * value:.2f}" for column in ("accuracy", "low", "high") for value in frame[column]}
    return found


@pytest.mark.parametrize("name", ["accuracy", "checkpoint", "residuals", "help"])
def test_no_other_page_opens_a_final_evaluation_by_its_address(at_page, done, shipped, name):
    at = at_page(name, run=done.id[:12], compare=done.id[:12])
    shown = text_of(at) + strip_of(at).replace("\\", "")

    assert "only Final evaluation shows" in warnings(at).replace("\\", "")
    assert not [f for f in figures_of(done.reports["final"]) - dev_figures(shipped) if f in shown]
    assert done.id not in [option for box in at.selectbox for option in box.options]


def test_runs_on_test_images_are_offered_nowhere(at_page, store, shipped):
    tested = dataclasses.replace(
        shipped[VGG], id="7" * 32, recipe=shipped[VGG].recipe.changed(data={"split": "test"}), verb="evaluate"
    )
    store.save(tested)
    for name in ("final", "accuracy"):
        at = at_page(name)
        assert tested.id not in at.multiselect[0].options
        assert not [option for option in at.multiselect[0].options if "test" in option]


def test_confirming_starts_one_job_for_all_arms(at_page, pool, shipped):
    at = at_page("final", compare=shipped[RESNET].id[:12])
    confirm(at).check().run()
    button(at, "final-open").click().run()
    job = pool.last("final")

    assert job.arguments["target"] == 2
    assert [arm["run"] for arm in job.arguments["arms"]] == [shipped[VGG].id, shipped[RESNET].id]
    assert button(at, "final-open").disabled
    assert confirm(at).disabled
    assert at.get("progress")


def test_choosing_other_arms_or_another_t_asks_again(at_page):
    at = at_page("final")
    confirm(at).check().run()
    assert not button(at, "final-open").disabled
    at.selectbox(key=primary(at)).set_value(8).run()

    assert not confirm(at).value
    assert button(at, "final-open").disabled


def primary(at):
    return next(box.key for box in at.selectbox if box.label == "Primary T")


def test_the_result_appears_with_its_look(at_page, pool, store, shipped):
    at = at_page("final")
    confirm(at).check().run()
    button(at, "final-open").click().run()
    store.look(dataset="digits", lineage=shipped[VGG].card["sha256"], recipe_sha="ann")
    run = evaluation([shipped[VGG]])
    looks = store.record(run)
    pool.move(pool.last("final").id, state="done", result={"final": run.id, "looks": looks})
    at.run()
    report = store.get(run.id).reports["final"]
    shown = text_of(at)

    assert looks == 2
    assert "**2nd look**" in shown
    assert f"{100 * report.snn(0, 2, 'all').value:.2f}" in shown
    assert f"{100 * report.gap(0, 2, 'all').low:.2f}".replace("-", "−") in shown
    assert address(at, "final") == run.id[:12]
    assert "run" not in at.query_params
    assert "digits\\-vgg" in strip_of(at)


def address(at, name):
    value = at.query_params[name]
    return value if isinstance(value, str) else value[0]


def test_a_cancelled_job_says_that_nothing_was_counted(at_page, pool):
    at = at_page("final")
    confirm(at).check().run()
    button(at, "final-open").click().run()
    pool.move(pool.last("final").id, state="cancelled")
    at.run()

    assert "cancelled, nothing was stored" in text_of(at)
    assert "not opened yet" in text_of(at)
    assert "counts nothing" in text_of(at)


def test_a_failed_job_says_why(at_page, pool):
    at = at_page("final")
    confirm(at).check().run()
    button(at, "final-open").click().run()
    pool.move(pool.last("final").id, state="failed", error="The folder x holds no CIFAR-10.")
    at.run()

    assert "The folder x holds no CIFAR" in " ".join(error.value for error in at.error)
    assert "1st look" in confirm(at).label


def test_an_earlier_evaluation_is_shown_again_without_a_new_look(at_page, done, pool, store, shipped):
    at = at_page("final")
    assert "Earlier final evaluations" in [header.value for header in at.header]
    assert "opened 2 times" in text_of(at)
    button(at, f"final-show-{done.id[:12]}").click().run()

    assert "**2nd look** with digits\\-vgg\\-qcfs\\-L8" in text_of(at)
    assert "**1st look** with digits\\-resnet\\-qcfs\\-L4" in text_of(at)
    assert store.looks(dataset="digits", lineage=shipped[VGG].card["sha256"]) == 2
    assert not pool.kept
    button(at, "final-close").click().run()
    assert "sealed, opened 2 times" in text_of(at)
    assert "final" not in at.query_params


def test_identical_arms_show_what_is_stored(at_page, done, shipped):
    at = at_page("final", compare=shipped[RESNET].id[:12])

    assert not at.checkbox
    assert "showing them is no new look" in text_of(at)
    button(at, "final-again").click().run()
    assert "2nd look" in text_of(at)


def test_the_link_to_an_evaluation_shows_it_and_another_run_closes_it(at_page, done, shipped):
    at = at_page("final", final=done.id[:12])
    assert "2nd look" in text_of(at)
    assert {"PDF", "CSV", "LaTeX"} <= {element.proto.label for element in at.get("download_button")}
    checkpoint = next(box for box in at.selectbox if box.label == "Checkpoint")
    checkpoint.set_value(shipped["digits-vgg-relu"].card["sha256"]).run()

    assert "sealed, not opened yet" in text_of(at)
    assert "final" not in at.query_params


@pytest.mark.parametrize("wanted", ["000000000000", "abc", "<script>", HOSTILE, "../../etc"])
def test_a_link_to_what_is_not_there_is_one_sentence(at_page, wanted, pool):
    at = at_page("final", final=wanted)

    assert "the protocol is shown instead" in warnings(at)
    assert "<img" not in warnings(at).replace("\\<img", "")
    assert not pool.kept


def test_a_link_to_another_kind_of_run_is_one_sentence(at_page, shipped):
    assert "is no final evaluation" in warnings(at_page("final", final=shipped[VGG].id[:12]))


def test_differences_between_arms_have_an_interval(at_page, done):
    report = done.reports["final"]
    found = report.difference(1, 0, 2, "all")
    shown = html_of(at_page("final", final=done.id[:12]))

    assert sl.figures.tables.points(found.value) in shown
    assert sl.figures.tables.points(found.low) in shown
    assert f">{found.gained}</td>" in shown


def test_foreign_checkpoints_keep_explored_images_apart(at_page, store, shipped):
    foreign = dataclasses.replace(
        shipped[VGG],
        id="6" * 32,
        card={**shipped[VGG].card, "foreign": True, "seen": {}, "sha256": "6" * 64},
        recipe=shipped[VGG].recipe.changed(checkpoint={"sha256": "6" * 64}),
    )
    store.save(foreign)
    sealed = text_of(at_page("final", run=foreign.id[:12]))
    assert "dev is 225 images of the test file" in sealed
    assert "marked “225 explored”" in sealed
    assert "unknown" in sealed

    run = evaluation([foreign], explored=225)
    store.record(run)
    shown = text_of(at_page("final", run=foreign.id[:12], final=run.id[:12]))
    report = run.reports["final"]
    assert f"{100 * report.snn(0, 2, 'fresh').value:.2f}" in shown
    assert f"{100 * report.snn(0, 2, 'all').value:.2f}" in shown
    assert ">225</td>" in shown
    assert "†" in shown


def test_numbers_of_an_earlier_version_say_so(at_page, store, shipped):
    run = evaluation([shipped[VGG]])
    old = dataclasses.replace(run, environment={**run.environment, "results_version": 0})
    store.record(old)

    assert "earlier version" in warnings(at_page("final", final=old.id[:12]))
    assert not warnings(at_page("final"))
    assert not [b for b in at_page("final").button if b.key == "final-again"]


def test_hostile_names_stay_text(at_page, store, hostile):
    run = evaluation([hostile], names=[HOSTILE])
    store.record(run)
    for at in (at_page("final", run=hostile.id[:12]), at_page("final", run=hostile.id[:12], final=run.id[:12])):
        assert "<img" not in html_of(at)
        for text in [*(m.value for m in at.markdown), *(c.value for c in at.caption)]:
            assert HOSTILE not in text
            assert not re.search(r"(?<!\\):red\[", text)


def test_an_empty_store_teaches(at_page, monkeypatch, tmp_path):
    empty = sl.runs.Store(tmp_path / "runs.sqlite", overlay=tmp_path)
    monkeypatch.setattr(cached, "store", lambda: empty)

    assert "Open a checkpoint" in at_page("final").info[0].value


def test_without_an_arm_nothing_can_be_opened(at_page):
    at = at_page("final")
    at.multiselect[0].set_value([]).run()

    assert "stays sealed" in at.info[0].value
    assert not [b for b in at.button if b.key == "final-open"]


def test_the_paper_table_is_latex_with_look_and_intervals(shipped):
    from pages._ui import final_result

    report = evaluation([shipped[VGG]], explored=225, names=["QCFS †"]).reports["final"].counted({"x": 3})
    text = sl.figures.tables.to_latex(final_result.paper_frame(report), final_result.caption(report), "tab:final")

    assert "3rd look" in text
    assert "225 test images" in text
    assert r"\toprule" in text
    assert r"\textdagger" in text
    assert f"{100 * report.snn(0, 2, 'fresh').value:.2f} {{[}}" in text
