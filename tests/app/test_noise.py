"""The Noise page without a browser: what it sends to one, what it asks for, and what it says when all is not well."""

import dataclasses
import json
import math

import numpy as np
import pytest

import snnlab as sl
from pages._ui.noise_view import downloads, pack, script, told
from pages._ui.noise_view.drawn import PRESETS, Drawn
from pages._ui.noise_view.pack import BEYOND, FULL_SHARE, inflated
from tests.app.conftest import HOSTILE, html_of, warnings
from tests.noise_reports import REACH, SCALES, deep_names, noise_report, noise_run

RESNET, VGG = "digits-resnet-qcfs-L4", "digits-vgg-qcfs-L8"
ANSWER = {"value": 0.5, "low": 0.4, "high": 0.6, "seeds": [0.5] * 8}


@pytest.fixture
def run(store, shipped):
    """The bundled ResNet under another conversion, so that no bundled noise run belongs to it."""
    parameters = {"initial_fraction": 0.25}
    own = dataclasses.replace(
        shipped[RESNET], id="ba" * 16, recipe=shipped[RESNET].recipe.changed(converter={"parameters": parameters})
    )
    store.save(own)
    return own


@pytest.fixture
def report(run):
    sites = run.reports["conversion"].sites
    return noise_report([site["name"] for site in sites], [site["shape"] for site in sites])


@pytest.fixture
def measured(store, run, report):
    noise = noise_run(run, report)
    store.save(noise)
    return noise


def answered(arguments):
    found = {"value": 0.9, "low": 0.8, "high": None, "why": ""} if arguments["kappa"] else None
    return {"scales": arguments["scales"], "noisy": [ANSWER] * len(arguments["scales"]), "kappa": found}


def sent(at):
    (component,) = [c for c in at.get("bidi_component") if "noise" in c.proto.component_name]
    return json.loads(component.proto.json)


def tell(at, drawn, *, target=2, run="ab" * 16, chosen=0):
    """What the view would tell; ``chosen`` is when its user chose a T there."""
    rev = sent(at)["given"]["rev"]
    view = {"run": run, "rev": rev, "target": target, "chosen": chosen, **drawn.to_browser()}
    at.session_state[told.KEY] = {"profile": view}
    at.run()
    assert not at.exception
    return at


def painted(report, site=3, multiplier=2.0):
    start = Drawn.start(len(report.names))
    factors = tuple(multiplier if i == site else 1.0 for i in range(len(report.names)))
    return dataclasses.replace(start, preset=None, multipliers=factors)


def problems(at):
    return " ".join(element.value for element in at.error)


def test_the_first_run_of_the_script_draws_the_stored_noise_and_asks_nothing(at_page, pool, run, measured, report):
    at = at_page("noise", run=run.id[:12], T="2")
    data = sent(at)
    facts = json.loads(data["run"])
    assert at.title[0].value == "What noise stands for the conversion error, and where does it belong?"
    assert (facts["id"], facts["names"]) == (measured.id, list(report.names))
    assert (data["target"], data["answer"], data["curve"], data["stale"]) == (2, None, None, False)
    assert data["given"]["profile"]["preset"] == "NQ"
    assert not pool.kept
    assert sent(at.run()) == data


def test_the_pack_holds_the_report(report):
    facts = json.loads(pack(report, run_id="x"))
    arrays = {name: inflated(entry) for name, entry in facts["arrays"].items()}
    thresholds = report.thresholds[:, None]
    np.testing.assert_array_equal(arrays["std"].reshape(report.std.shape), report.std / thresholds)
    np.testing.assert_array_equal(arrays["zero"].reshape(report.std.shape), report.zero)
    shares = (arrays["gap"].reshape(report.gap_counts.shape) / FULL_SHARE) ** 2
    np.testing.assert_allclose(shares, report.gap_counts / 10_000, atol=4e-5)
    assert facts["curves"]["2"]["noisy"][2]["value"] == report.noisy(2, 1.0).value
    assert facts["discrete"] == [True] * 4
    assert f"const FULL_SHARE = {FULL_SHARE};" in script()
    assert f"const BINS = {REACH};" in script()
    assert "const PRESETS = " + json.dumps(list(PRESETS)) in script()


def test_110_sites_are_a_small_message():
    deep = noise_report(*deep_names(), levels=8)
    text = pack(deep, run_id="deep")
    assert len(deep.names) == 109
    assert len(text) < 150_000
    assert text == pack(noise_report(*deep_names(), levels=8), run_id="deep")


def test_kappa_that_is_no_number_or_beyond_the_scan(report):
    odd = dataclasses.replace(
        report,
        kappa=np.array([[math.nan] * 3, [math.inf, 3.0, math.inf], [0.8, 0.7, 0.9], [0.8, 0.7, math.inf]]),
        kappa_why=("the SNN reaches the clean ANN", "", "", ""),
    )
    curves = json.loads(pack(odd, run_id="x"))["curves"]
    assert curves["1"]["kappa"] == [None] * 3
    assert curves["1"]["why"] == "the SNN reaches the clean ANN"
    assert curves["2"]["kappa"] == [BEYOND, 3.0, BEYOND]


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_those_of_the_library(report, preset):
    profile = report.profile(2)
    drawn = dataclasses.replace(Drawn.start(len(report.names)), preset=preset)
    wanted = {
        "off": 0 * profile.relative,
        "half NQ": profile.relative / 2,
        "NQ": profile.relative,
        "uniform": np.full(len(report.names), profile.rms),
        "reversed": profile.relative[::-1],
    }[preset]
    np.testing.assert_allclose(drawn.shape(profile).relative, wanted, rtol=1e-12)


def test_a_profile_is_the_same_in_a_recipe(report):
    at_levels = report.profile(4)  # T = L: the first site has no gap
    assert at_levels.std[0] == 0
    for drawn in (
        Drawn.start(len(report.names)),
        dataclasses.replace(Drawn.start(len(report.names)), preset="uniform", scale=1.5),
        painted(report),
        dataclasses.replace(painted(report), frozen=True, levels=(0.25,) * len(report.names)),
        dataclasses.replace(painted(report), levels=(0.5, *[None] * (len(report.names) - 1))),
    ):
        choice = drawn.choice(at_levels)
        again = at_levels.multiplied(choice["multipliers"]) if choice["std"] is None else at_levels
        again = again.with_std(choice["std"] or {}).scaled(choice["scale"])
        np.testing.assert_allclose(again.std, drawn.profile(at_levels).std, rtol=1e-12)


def test_a_drawn_profile_is_asked_for_one_number_first_then_the_curve(at_page, pool, run, measured, report):
    at = at_page("noise", run=run.id[:12], T="2")
    drawn = dataclasses.replace(painted(report), scale=1.5)
    tell(at, drawn)
    number = pool.last("noisy")
    profile = report.profile(2)
    wanted = {**profile.std_by_site(), report.names[3]: 2 * profile.std[3]}
    assert number.arguments["std"] == pytest.approx(wanted)
    assert (number.arguments["scales"], number.arguments["kappa"], number.arguments["target"]) == ([1.5], False, 2)
    assert number.arguments["recipe"] == measured.recipe.to_dict()
    assert (sent(at)["answer"], sent(at)["curve"]) == (None, None)
    pool.move(number.id, state="done", result=answered(number.arguments))
    at.run()
    assert sent(at)["answer"]["noisy"] == ANSWER
    assert sent(at)["answer"]["scale"] == 1.5
    curve = pool.last("noisy")
    assert (curve.arguments["scales"], curve.arguments["kappa"]) == (list(SCALES), True)
    pool.move(curve.id, state="done", result=answered(curve.arguments))
    before = sent(at.run())
    assert before["curve"]["kappa"] == [0.9, 0.8, None]
    asked = len(pool.kept)
    assert sent(at.run()) == before
    assert len(pool.kept) == asked


def test_a_new_number_does_not_wait_for_the_curve_before(at_page, pool, run, measured, report):
    at = at_page("noise", run=run.id[:12], T="2")
    tell(at, painted(report))
    pool.move(pool.last("noisy").id, state="done", result=answered(pool.last("noisy").arguments))
    at.run()
    curve = pool.last("noisy")
    assert curve.active
    tell(at, painted(report, multiplier=0.5))
    assert pool.job(curve.id).state == "cancelled"


def test_multiples_of_the_stored_shape_ask_for_nothing_at_stored_scales(at_page, pool, run, measured, report):
    at = at_page("noise", run=run.id[:12], T="2")
    start = Drawn.start(len(report.names))
    for drawn in (
        dataclasses.replace(start, preset="half NQ", scale=2.0),
        dataclasses.replace(start, preset="off"),
        dataclasses.replace(start, scale=0.0),
        painted(report, multiplier=1.0),
    ):
        tell(at, drawn)
        assert not pool.kept
    pool.answers["noisy"] = answered
    tell(at, dataclasses.replace(start, scale=0.75))
    assert [job.arguments["scales"] for job in pool.kept.values()] == [[0.75]]


def test_an_undone_profile_is_not_asked_for_again(at_page, pool, run, measured, report):
    pool.answers["noisy"] = answered
    at = at_page("noise", run=run.id[:12], T="2")
    tell(at, painted(report))
    tell(at, painted(report, multiplier=0.5))
    asked = len(pool.kept)
    tell(at, painted(report))
    assert len(pool.kept) == asked
    assert sent(at)["answer"]["noisy"] == ANSWER


def test_what_failed_is_said_and_asked_again_by_a_click(at_page, pool, run, measured, report):
    at = at_page("noise", run=run.id[:12], T="2")
    tell(at, painted(report))
    pool.move(pool.last("noisy").id, state="failed", error="The images are gone; open the data again.")
    at.run()
    assert sent(at)["answer"] == {"problem": "The images are gone; open the data again."}
    assert "The images are gone" in problems(at)
    failed = pool.last("noisy")
    pool.slots.clear()
    at.button(key="noise-again").click().run()
    assert pool.last("noisy").id != failed.id
    assert pool.last("noisy").arguments == failed.arguments


def test_t_in_the_view_is_the_page_s_t(at_page, pool, run, measured, report):
    at = at_page("noise", run=run.id[:12], T="2")
    tell(at, Drawn.start(len(report.names)), target=8, chosen=1)
    assert at.query_params["T"] in ("8", ["8"])
    assert sent(at)["target"] == 8
    at.query_params["T"] = "4"
    assert sent(at.run())["target"] == 4


def test_a_profile_told_late_does_not_take_the_sidebar_s_t_back(at_page, pool, run, measured, report):
    at = at_page("noise", run=run.id[:12], T="2")
    start = Drawn.start(len(report.names))
    tell(at, start, target=8, chosen=1)
    at.query_params["T"] = "4"
    at.run()
    tell(at, dataclasses.replace(start, scale=1.5), target=8, chosen=1)
    assert sent(at)["target"] == 4


def test_a_t_without_a_measured_gap_is_said(at_page, run, measured):
    at = at_page("noise", run=run.id[:12], T="6")
    assert sent(at)["target"] == 4
    assert "The gap was not measured at T = 6; T = 4 is shown." in " ".join(each.value for each in at.caption)


def test_the_profile_stays_from_page_to_page(at_page, pool, run, measured, report):
    pool.answers["noisy"] = answered
    at = at_page("noise", run=run.id[:12], T="2")
    tell(at, painted(report))
    at.switch_page("pages/help.py").run()
    at.switch_page("pages/noise.py").run()
    assert sent(at)["given"]["profile"]["multipliers"][3] == 2.0


@pytest.mark.parametrize(
    "nonsense",
    [
        {"multipliers": [1.0] * 18},
        {"multipliers": ["x"] * 19},
        {"multipliers": [-1.0] * 19},
        {"multipliers": [float("nan")] * 19},
        {"levels": [1e9] * 19},
        {"scale": 5.0},
        {"scale": True},
        {"preset": "<b>"},
        {"frozen": 1},
    ],
)
def test_a_browser_that_tells_nonsense_changes_nothing(report, nonsense):
    assert Drawn.from_browser({**painted(report).to_browser(), **nonsense}, len(report.names)) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[1, 2]", "2 numbers were pasted; 19 multipliers are needed, one a site, input first."),
        ("1\n" * 18 + "-3", "Entry 19 of what was pasted is negative (-3); 19 multipliers are needed"),
        ("a b c", "Entry 1 of what was pasted is 'a', not a number; 19 multipliers are needed"),
        ("[1, null]", "Entry 2 of what was pasted is 'None', not a number"),
        ("[true]", "not a number"),
        ("nan " * 19, "Entry 1 of what was pasted is 'nan', not a number"),
        ("1e99 " * 19, "each at most 10,000."),
        ("[" * 50_000, "There are no numbers in what was pasted; 19 multipliers are needed"),
        ("", "There are no numbers in what was pasted; 19 multipliers are needed"),
        (HOSTILE, "not a number"),
    ],
)
def test_pasted_nonsense_is_one_sentence_naming_how_many_are_needed(at_page, pool, run, measured, text, sentence):
    at = at_page("noise", run=run.id[:12], T="2")
    at.text_area(key=f"noise-vector-{measured.id}").set_value(text)
    next(button for button in at.button if button.label == "Apply").click().run()
    assert not at.exception
    plain = problems(at).replace("\\", "")
    assert sentence in plain
    assert plain.count(".") <= 3
    assert sent(at)["given"]["profile"]["preset"] == "NQ"


@pytest.mark.parametrize("text", ["[" + ", ".join(["0.5"] * 19) + "]", "0.5\n" * 19, "0.5, " * 18 + "0.5"])
def test_a_pasted_vector_is_taken_over(at_page, pool, run, measured, text):
    at = at_page("noise", run=run.id[:12], T="2")
    before = sent(at)["given"]["rev"]
    at.text_area(key=f"noise-vector-{measured.id}").set_value(text)
    next(button for button in at.button if button.label == "Apply").click().run()
    assert not problems(at)
    given = sent(at)["given"]
    assert given["rev"] > before
    assert given["profile"]["multipliers"] == [0.5] * 19
    assert given["profile"]["preset"] is None


def test_a_frozen_std_stays_at_every_t_and_a_multiplier_follows_it(report):
    drawn = Drawn.start(len(report.names)).with_vector([0.5] * 19, report.profile(2))
    np.testing.assert_allclose(drawn.shape(report.profile(8)).std, 0.5 * report.profile(8).std)
    assert drawn.vector(report.profile(8)) == [0.5] * 19
    frozen = dataclasses.replace(drawn, frozen=True).with_vector([0.3] * 19, report.profile(2))
    np.testing.assert_allclose(frozen.shape(report.profile(8)).std, 0.3)


def test_a_bundled_network_comes_with_its_noise(at_page, pool, shipped):
    at = at_page("noise", run=shipped[VGG].id[:12], T="2")
    assert json.loads(sent(at)["run"])["curves"]["2"]["kappa"][0] is not None
    assert sent(at)["stale"] is False
    assert not pool.kept


def test_without_a_noise_run_the_page_says_what_will_be_measured(at_page, pool, store, run):
    run = dataclasses.replace(run, id="5a" * 16, card={**run.card, "sha256": "0" * 64})
    store.save(run)
    at = at_page("noise", run=run.id[:12], T="4")
    text = at.info[0].value
    assert "was not measured yet" in text
    assert "calibration images" in text
    assert "T = 4, 8 noise seeds" in text
    at.button(key="noise-start").click().run()
    job = pool.last("noise")
    assert job.arguments == {"recipe": sl.runs.noise_recipe(run.recipe, targets=(4,)).to_dict()}
    assert at.button(key="noise-start").disabled
    pool.move(job.id, state="failed", error="No such folder.")
    at.run()
    assert "No such folder" in problems(at)


def test_noise_of_another_conversion_is_greyed_and_says_so(at_page, pool, store, run, report, shipped):
    other = noise_run(run, report, converter={"parameters": {"initial_fraction": 0.125}})
    store.save(other)
    at = at_page("noise", run=run.id[:12], T="2")
    assert sent(at)["stale"] is True
    assert "Measured with another conversion" in warnings(at)
    assert at.button(key="noise-start").label == "Measure the gap again"
    assert not pool.kept


def test_hostile_site_names_are_data(at_page, store, run, report):
    names = tuple(f"{HOSTILE}.{i}" for i in range(len(report.names)))
    store.save(noise_run(run, dataclasses.replace(report, names=names), run_id="cd" * 16))
    at = at_page("noise", run=run.id[:12], T="2")
    assert json.loads(sent(at)["run"])["names"] == list(names)
    assert "<img src=x" not in html_of(at)
    for element in (*at.markdown, *at.caption, *at.warning, *at.info):
        assert "<img" not in element.value


def test_the_page_offers_the_line_the_recipe_and_python(at_page, pool, run, measured, report):
    pool.answers["noisy"] = answered
    at = at_page("noise", run=run.id[:12], T="2")
    tell(at, painted(report))
    line, recipe, python = (code.value for code in at.code[-3:])
    assert line.startswith("snnlab fit-noise ")
    assert f"--multiplier {report.names[3]}=2.0" in line
    assert "--num-steps 2" in line
    assert sl.Recipe.from_yaml(recipe).noise.multipliers == {report.names[3]: 2.0}
    assert "fit_noise" in python


def test_the_quantiles_of_the_gap_at_every_site_are_for_paper_and_all_sites_are_in_the_browser(
    at_page, run, measured, report
):
    at = at_page("noise", run=run.id[:12], T="2")
    (box,) = [box for box in at.selectbox if box.label == "Figure"]
    titles = [f"Quantiles of the gap at {name}, T = 2" for name in report.names]
    assert [title for title in box.options if title.startswith("Quantiles")] == titles
    box.select(titles[3]).run()
    assert not at.exception
    facts = json.loads(sent(at)["run"])
    assert inflated(facts["arrays"]["gap"]).size == report.gap_counts.size  # so that the view asks for no site
    profile = report.profile(2)
    drawn = downloads.figures(report, profile, 2)[titles[3]]
    assert drawn.name == f"gap-quantiles-{report.names[3]}-t2"


def test_the_recipe_of_a_t_before_the_steps_that_the_method_looks_at_simulates_them(run, report):
    cos = sl.runs.noise_recipe(run.recipe.changed(converter={"method": "cos", "parameters": {"rho": 4}}))
    for step, last in ((2, 4), (4, 4), (8, 8)):
        made = downloads.recipe_of(cos, Drawn.start(len(report.names)), report.profile(step))
        assert (made.num_steps, made.snapshots, made.noise.targets) == (last, (step,), (step,))
        until = f"--num-steps {step} --until {last}" if last > step else f"--num-steps {step}"
        assert sl.runs.as_cli(made, verb="fit-noise").endswith(until)
