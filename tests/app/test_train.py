"""The Train page: the form, what it hands over, the live view, and a stored experiment told and opened again."""

import dataclasses

import numpy as np
import pytest

import snnlab as sl
from pages._ui import cached
from pages._ui.noise_view.drawn import Drawn
from snnlab.sweeps.places import cell_folder
from snnlab.sweeps.watched import LiveEpoch, add_epoch
from tests.app.conftest import html_of, strip_of, warnings
from tests.unit.figures.synthetic_gain import noise_gain_report

VGG = "digits-vgg-qcfs-L8"
PACE = {"batch": 0.1, "noise": 1.0, "watch": 0.5, "read": 2.0, "batches": 15}


@pytest.fixture(autouse=True)
def paced(pool):
    pool.answers["pace"] = PACE


def button(at, label):
    return next(found for found in at.button if found.label == label)


def markdown(at):
    return "\n".join(element.value for element in (*at.markdown, *at.caption))


def experiment_of(shipped, report=None, **training):
    """A stored experiment with the bundled network and invented answers."""
    report = report or noise_gain_report(arms=("control", "control_L", "nq"))
    run = shipped[VGG]
    recipe = run.recipe.changed(
        snapshots=[],
        traces=0,
        num_steps=max(report.steps),
        training={"epochs": report.epochs, "noise": "re_estimate", **training},
        experiment={"arms": report.arms, "seeds": len(report.seeds), "steps": report.steps},
    )
    return dataclasses.replace(
        run, id="cd" * 16, verb="train", recipe=recipe, reports={**run.reports, "gain": report}, notes=()
    )


def test_the_form_says_what_is_trained_and_what_it_costs(at_page, pool):
    at = at_page("train", T="2")
    text = markdown(at)
    assert at.title[0].value == "Does training with this noise make my SNN better at T?"
    assert "20 trainings of 12 epochs:" in text, "four arms, five seeds"
    assert "min" in text
    button(at, "Train").click().run()
    recipe = sl.Recipe.parse(pool.last("experiment").arguments["recipe"])
    assert recipe.experiment.arms[:2] == ("control", "control_L")
    assert recipe.experiment.steps == (2, 1, 4, 8)
    assert (recipe.training.epochs, recipe.training.batch_size, recipe.training.augment) == (12, 64, ("crop",))
    assert recipe.data.split == "dev"
    assert recipe.num_steps == 8


def test_the_control_cannot_be_left_out(at_page):
    at = at_page("train")
    pills = next(element for element in at.get("button_group") if "Arms" in element.label)
    pills.set_value(["nq"]).run()
    assert "the control stays" in warnings(at).lower()
    pills = next(element for element in at.get("button_group") if "Arms" in element.label)
    assert set(pills.value) == {"control", "nq"}


def test_noise_adaptor_is_an_arm_with_a_quantizer_of_its_own(at_page, pool):
    at = at_page("train")
    pills = next(element for element in at.get("button_group") if "Arms" in element.label)
    pills.set_value(["control", "noise_adaptor"]).run()
    assert "with the arm LSQ, no noise beside it" in markdown(at)
    next(element for element in at.number_input if element.label == "Bits").set_value(3).run()
    next(element for element in at.selectbox if element.label == "Noise").set_value("additive").run()
    button(at, "Train").click().run()
    recipe = sl.Recipe.parse(pool.last("experiment").arguments["recipe"])
    assert recipe.experiment.arms == ("control", "noise_adaptor")
    assert (recipe.adaptor.bits, recipe.adaptor.noise_mode, recipe.adaptor.noise_amp) == (3, "additive", 0.5)


def test_arms_that_differ_in_their_conversion_are_one_training(at_page, pool):
    at = at_page("train", T="2")
    pills = next(element for element in at.get("button_group") if "Arms" in element.label)
    pills.set_value(["control", "ecl", "ttrbr"]).run()
    assert "10 trainings of 12 epochs:" in markdown(at), "two trainings, five seeds"
    assert "learned clip beside, which costs no training of its own" in markdown(at)
    button(at, "Train").click().run()
    recipe = sl.Recipe.parse(pool.last("experiment").arguments["recipe"])
    keep_epochs(recipe, "control", 0, 12)
    keep_epochs(recipe, "clipped", 0, 2)
    at.run()
    assert "learned clip, seed 0, epoch 2 of 12" in markdown(at)
    pool.move(pool.last("experiment").id, state="cancelled")
    at.run()
    assert "14 of 120 epochs and 0 of 10 trainings are kept" in markdown(at)


def test_what_noise_alone_brings_is_told_over_its_own_control(at_page, shipped, store):
    report = noise_gain_report(arms=("control", "noise_adaptor_none", "noise_adaptor"))
    run = experiment_of(shipped, report)
    store.save(run)
    at = at_page("train", experiment=run.id[:12])
    own = sl.figures.gain_text(report.own_gain("noise_adaptor", 2))
    said = markdown(at).replace("\\", "")
    assert f"its noise alone brings {own} points, over LSQ, no noise" in said


@pytest.mark.parametrize(("seeds", "said"), [(3, "2.5 standard deviations"), (1, "no interval over seeds")])
def test_few_seeds_come_with_a_remark(at_page, seeds, said):
    at = at_page("train")
    next(element for element in at.number_input if element.label == "Seeds").set_value(seeds).run()
    assert said in markdown(at)


def test_what_is_kept_is_not_paid_for_again(at_page, pool):
    at = at_page("train")
    before = markdown(at)
    button(at, "Train").click().run()
    recipe = sl.Recipe.parse(pool.last("experiment").arguments["recipe"])
    job = pool.last("experiment")
    keep_epochs(recipe, "control", 0, 3)
    pool.move(job.id, state="cancelled")
    at.run()
    text = markdown(at)
    assert "3 of 240 epochs" in text
    assert "Cancelled" in text
    assert "are kept" in text
    assert "are kept from before" not in before
    button(at, "Go on with it").click().run()
    assert pool.last("experiment").id != job.id
    assert pool.last("experiment").arguments == job.arguments


def test_an_experiment_cancelled_before_its_first_epoch_is_not_called_under_way(at_page, pool):
    at = at_page("train")
    button(at, "Train").click().run()
    assert "The first epoch is under way" in markdown(at)
    pool.move(pool.last("experiment").id, state="cancelled")
    at.run()
    assert "Cancelled" in markdown(at)
    assert "under way" not in markdown(at)


def keep_epochs(recipe, arm, seed, count, **values):
    for number in range(1, count + 1):
        row = {"noisy_ann": None, "at_chance": False, "std": (0.0,) * 9, **values}
        epoch = LiveEpoch(arm, seed, number, 0.5 / number, 0.95, snn=0.7, seconds=1.0, images=942, **row)
        add_epoch(cell_folder(recipe, arm, seed), epoch)


def test_the_live_view_follows_epoch_by_epoch(at_page, pool):
    at = at_page("train")
    button(at, "Train").click().run()
    recipe = sl.Recipe.parse(pool.last("experiment").arguments["recipe"])
    assert "The first epoch is under way" in markdown(at)
    keep_epochs(recipe, "control", 0, 12)
    keep_epochs(recipe, "nq", 0, 2, noisy_ann=0.6, std=(0.1,) * 9)
    at.run()
    text = markdown(at)
    assert "NQ, seed 0, epoch 2 of 12" in text
    assert "SNN at T = 2: 70.0" in text
    assert "chance" not in warnings(at)
    keep_epochs(recipe, "nq", 0, 3, noisy_ann=0.1, std=(0.9,) * 9, at_chance=True)
    at.run()
    assert "the ANN is at chance" in warnings(at)


def test_a_failed_experiment_keeps_its_sentence_and_goes_on(at_page, pool):
    at = at_page("train")
    button(at, "Train").click().run()
    pool.move(pool.last("experiment").id, state="failed", error="Arm nq, seed 1: The training loss is nan in epoch 2.")
    at.run()
    assert any("Arm nq, seed 1" in element.value.replace("\\", "") for element in at.error)
    assert button(at, "Go on with it")


def test_a_finished_experiment_comes_into_view_and_is_told(at_page, pool, store, shipped):
    at = at_page("train")
    button(at, "Train").click().run()
    run = experiment_of(shipped)
    store.save(run)
    pool.move(pool.last("experiment").id, state="done", result={"experiment": run.id, "notes": []})
    at.run()
    report = run.reports["gain"]
    text, table = markdown(at), html_of(at)
    assert run.id[:12] in at.query_params["experiment"]
    assert "SNN accuracy at T = 2 rises with **NQ**" in text
    assert "this is the **1st** of 1 experiment" in text
    for arm in ("untouched base", "control", "control at L = T", "NQ"):
        assert arm in table
    assert sl.figures.gain_text(report.gain("nq", 2), 2) in table
    assert f"{100 * report.base_accuracy(2):.2f}" in table
    code = "\n".join(element.value for element in at.code)
    assert "snnlab train digits-vgg-qcfs-L8" in code
    assert "--arms control,control_L,nq" in code
    button(at, "New experiment").click().run()
    assert button(at, "Train")
    assert "Earlier experiments" in "\n".join(header.value for header in at.header)
    button(at, "Show").click().run()
    assert "rises with **NQ**" in markdown(at)


def test_an_experiment_opens_from_its_link_and_a_wrong_one_is_said(at_page, store, shipped):
    run = experiment_of(shipped)
    store.save(run)
    assert "rises with **NQ**" in markdown(at_page("train", experiment=run.id[:12]))
    at = at_page("train", experiment=shipped[VGG].id[:12])
    assert "is no experiment" in warnings(at)
    assert button(at, "Train")
    assert "the form is shown instead" in warnings(at_page("train", experiment="ffffffffff"))


def test_what_changed_inside_is_shown_where_it_was_kept(at_page, store, shipped):
    run = experiment_of(shipped)
    store.save(run)
    at = at_page("train", experiment=run.id[:12])
    assert "What changed inside the SNN?" in "\n".join(header.value for header in at.header)
    assert "need not be the more accurate one" in "\n".join(element.value for element in at.caption)
    late = dict.fromkeys(("classes_before", "classes_after", "errors_before", "errors_after"))
    old = experiment_of(shipped, dataclasses.replace(run.reports["gain"], **late))
    store.save(dataclasses.replace(old, id="ef" * 16))
    at = at_page("train", experiment="ef" * 6)
    assert "What changed inside the SNN?" not in "\n".join(header.value for header in at.header)
    assert "rises with **NQ**" in markdown(at)


def test_one_seed_is_told_without_an_interval(at_page, store, shipped):
    run = experiment_of(shipped, noise_gain_report(arms=("control", "nq"), seeds=1))
    store.save(run)
    assert "One seed has no interval over seeds" in markdown(at_page("train", experiment=run.id[:12]))


def test_an_experiment_is_no_conversion_in_the_menus(at_page, store, shipped):
    store.save(experiment_of(shipped))
    assert all(row.verb != "train" for row in cached.briefs())
    assert strip_of(at_page("train"))


def test_the_numbers_of_the_page_are_those_of_the_report(shipped):
    report = noise_gain_report(arms=("control", "nq"), seeds=4)
    table = sl.figures.gain_table(report).set_index(["arm", "T"])
    assert table.loc[("NQ", "2"), "SNN"] == f"{100 * np.mean(report.snn_correct[1, :, 0]):.2f}\u00a0%"
    assert "exploratory" in " ".join(step for _, step in table.index)


def test_the_profile_of_the_noise_page_becomes_an_arm(at_page, pool, shipped):
    run = next(run for run in shipped.values() if run.card["name"] == VGG)
    if "noise" not in run.reports and not any(row.verb == "noise" for row in cached.store().list()):
        pytest.skip("no noise run is bundled yet")
    at = at_page("train", T="2")
    assert "draw a profile on the Noise page" in markdown(at)
    noise = next(row for row in cached.store().list() if row.verb == "noise" and row.checkpoint == VGG)
    drawn = Drawn.start(9)
    at.session_state["noise.drawn"] = {noise.id: dataclasses.replace(drawn, preset=None, multipliers=(2.0,) * 9)}
    at.run()
    assert "Yours: drawn by hand" in markdown(at)
    button(at, "Train").click().run()
    recipe = sl.Recipe.parse(pool.last("experiment").arguments["recipe"])
    assert "profile" in recipe.experiment.arms
    assert set(recipe.noise.multipliers.values()) == {2.0}
    assert recipe.noise.std is None
