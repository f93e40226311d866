"""The panel "Which site matters": what it asks for, what it tells, and of which profile."""

import dataclasses
import json

import numpy as np
import pytest

import snnlab as sl
from tests.app.conftest import html_of
from tests.app.test_noise import measured, painted, report, run, sent  # noqa: F401  # fixtures
from tests.unit.figures.synthetic_gain import site_losses


@pytest.fixture
def told(report):  # noqa: F811
    """What a worker answers, through JSON as from a pipe."""
    made = dataclasses.replace(site_losses(len(report.names)), names=report.names)
    values, arrays = made.payload()
    plain = json.loads(json.dumps({**values, **{name: array.tolist() for name, array in arrays.items()}}))
    return made, {"sensitivity": plain, "seconds": 1.0}


def button(at, label):
    return next(found for found in at.button if found.label == label)


def text(at):
    return "\n".join(element.value for element in (*at.markdown, *at.caption))


def test_it_asks_for_the_drawn_profile_and_tells_the_answer(at_page, pool, run, measured, report, told):  # noqa: F811
    made, answer = told
    at = at_page("noise", run=run.id[:12], T="2")
    assert "It costs most" not in text(at)
    assert sent(at)["losses"] is None
    assert any(element.value.endswith(" --sensitivity --max-loss 1") for element in at.code)
    button(at, "Find out, site by site").click().run()
    assert not at.exception
    job = pool.last("sensitivity")
    assert job.arguments["recipe"] == measured.recipe.to_dict()
    asked = sl.calibration.NoiseProfile.from_dict(job.arguments["profile"])
    np.testing.assert_allclose(asked.std, report.profile(2).std)
    assert button(at, "Find out, site by site").disabled, "while it runs"
    assert button(at, "Cancel")
    pool.move(job.id, state="done", result=answer)
    at.run()
    assert not at.exception
    worst = min(made.losses, key=lambda loss: loss.rank)
    assert f"It costs most at **{worst.name}**".replace(".", "\\.") in text(at)
    assert f": {100 * worst.value:.2f} points [" in text(at), "what is lost counts upwards, as in the chart"
    assert f"together it costs {100 * made.whole[0]:.2f} points [" in text(at)
    assert "Of another profile" not in text(at)
    points = [100 * loss.value for loss in made.losses]
    assert sent(at)["losses"] == {"points": points, "old": False}, "beside the bar of each site too"
    next(toggle for toggle in at.toggle if toggle.label == "As a table").set_value(True).run()
    assert f"{worst.rank} [{worst.rank_low}, {worst.rank_high}]" in html_of(at)


def test_an_answer_on_another_profile_says_so(at_page, pool, run, measured, report, told):  # noqa: F811
    at = at_page("noise", run=run.id[:12], T="2")
    button(at, "Find out, site by site").click().run()
    pool.move(pool.last("sensitivity").id, state="done", result=told[1])
    at.run()
    at.session_state["noise.drawn"] = {measured.id: painted(report)}
    at.run()
    assert "Of another profile" in text(at)
    assert sent(at)["losses"]["old"]
    button(at, "Find out, site by site").click().run()
    asked = sl.calibration.NoiseProfile.from_dict(pool.last("sensitivity").arguments["profile"])
    np.testing.assert_allclose(asked.std[3], 2 * report.profile(2).std[3])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"value": 0.25, "low": 0.2, "high": 0.31, "why": ""}, "up to **× 0.25** of this profile [0.20, 0.31]"),
        ({"value": 3.9, "low": 3.1, "high": None, "why": ""}, "**× 3.90** of this profile [3.10, > 4]"),
        ({"value": None, "low": 3.0, "high": None, "why": "above 4: even there"}, "No scale: above 4"),
    ],
)
def test_the_largest_scale_that_costs_so_many_points(at_page, pool, run, measured, answer, said):  # noqa: F811
    at = at_page("noise", run=run.id[:12], T="2")
    next(box for box in at.number_input if box.label == "Points that the ANN may lose").set_value(2.5).run()
    button(at, "Find the largest scale").click().run()
    job = pool.last("largest_scale")
    assert job.arguments["points"] == 2.5
    pool.move(job.id, state="done", result={"points": 2.5, **answer, "seconds": 1.0})
    at.run()
    assert not at.exception
    assert said in text(at).replace("\\", "")
    next(box for box in at.number_input if box.label == "Points that the ANN may lose").set_value(3.0).run()
    assert "Of another profile or loss than in view" in text(at)


def test_nothing_is_asked_of_a_run_of_another_conversion(at_page, pool, store, run, report, shipped):  # noqa: F811
    from tests.noise_reports import noise_run

    store.save(noise_run(shipped["digits-resnet-qcfs-L4"], report))
    at = at_page("noise", run=run.id[:12], T="2")
    assert button(at, "Find out, site by site").disabled
    assert sent(at)["stale"]
