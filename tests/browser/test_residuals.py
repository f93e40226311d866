"""The Residuals page in a browser: the view moves without the server, by mouse, keys and link, in both themes."""

import base64
import dataclasses
import re

import numpy as np
import pytest

import snnlab as sl
from pages._ui.residual_view import script
from pages._ui.residual_view.pack import pack
from tests.browser.conftest import PATIENCE, THEMES, at_rest, check_layout
from tests.stored_runs import shipped, with_report

pytestmark = pytest.mark.browser
playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

HOSTILE = "<img src=x onerror=alert(1)>.act"
ALIKE, BAD, ELSEWHERE = "8" * 32, "9" * 32, "b" * 32


@pytest.fixture(scope="module")
def resnet():
    return shipped("digits-resnet-qcfs-L4")


@pytest.fixture(scope="module")
def url(server, store, resnet):
    """The page, where a run like the ResNet's can be compared with it, and one has sites with hostile names."""
    other = resnet.recipe.changed(converter={"parameters": {"initial_fraction": 0.25}})
    store.save(dataclasses.replace(resnet, id=ALIKE, recipe=other))
    vgg = shipped()
    names = tuple(f"{HOSTILE}{i}" for i in range(len(vgg.residuals.names)))
    recipe = vgg.recipe.changed(data={"limit": 11})
    store.save(dataclasses.replace(with_report(vgg, "residuals", names=names), id=BAD, recipe=recipe))
    return f"{server.address}/residuals"


def open_view(page, url: str, address: str) -> None:
    page.goto(f"{url}?{address}")
    page.wait_for_selector(".residuals[data-drawn]", timeout=PATIENCE)


def at(page) -> str:
    return page.locator(".residuals").get_attribute("data-drawn")


def test_the_browser_replays_signed_neurons_and_groups_as_the_library_does(chromium):
    random = np.random.default_rng(2)
    currents = random.integers(-12, 16, (200, 16)).astype(np.float32) / 8
    page = chromium.new_page()
    for law in ({"negative": -0.5, "most": 1}, {"negative": -1.0, "most": 1}, {"negative": None, "most": 4}):
        found = page.evaluate(
            """async ([module, currents, law]) => {
                const { simulate, simulateEven } = await import("data:text/javascript;base64," + module);
                return currents.map((own) => {
                    const trace = { currents: own, initial: 0.5, ...law, negative: law.negative ?? -Infinity };
                    const steps = simulate(trace), even = simulateEven(steps, trace);
                    return { spikes: steps.map(({ spike }) => spike), after: steps.map(({ after }) => after),
                        ideal: steps.at(-1).ideal, even: even.reduce((sum, { spike }) => sum + spike, 0) };
                });
            }""",
            [base64.b64encode(script().encode()).decode(), currents.tolist(), law],
        )
        negative = -np.inf if law["negative"] is None else law["negative"]
        wanted = sl.analysis.replay(currents, np.full(200, 0.5), negative=negative, most=law["most"])
        np.testing.assert_array_equal([each["spikes"] for each in found], wanted.spikes)
        np.testing.assert_array_equal([each["after"] for each in found], wanted.after)
        ideal = np.clip(np.floor(0.5 + currents.sum(axis=1)), 0, 16 * law["most"])
        assert [each["ideal"] for each in found] == [each["even"] for each in found] == ideal.tolist()
        assert (wanted.spikes < 0).any() == (law["most"] == 1)
    page.close()


def test_the_browser_s_simulation_gives_the_class_and_shares_of_the_report(chromium, resnet):
    report, traces = resnet.reports["residuals"], resnet.reports["traces"]
    text = pack(report, run_id="x", name="x", accuracy=resnet.reports["accuracy"], traces=traces)
    page = chromium.new_page()
    module = base64.b64encode(script().encode()).decode()
    found = page.evaluate(
        """async ([module, text]) => {
            const { decodeReport, simulate, simulateEven } = await import("data:text/javascript;base64," + module);
            const report = await decodeReport(text), rows = report.arrays.members, wrong = [], even = [];
            for (let i = 0; i < rows.length; i += 4) {
                const trace = report.trace(rows[i + 3]);
                const steps = simulate(trace).slice(0, report.steps[rows[i + 1]]), now = steps.at(-1);
                if (now.kind !== rows[i + 2]) wrong.push(i / 4);
                const count = simulateEven(steps, trace).reduce((sum, { spike }) => sum + spike, 0);
                if (count !== now.ideal) even.push(i / 4);
            }
            const shares = report.names.map((_, site) => report.steps.map((_, snapshot) =>
                [0, 1, 2, 3, 4].map((kind) => report.share(site, snapshot, kind, true))));
            const right = report.names.map((_, site) => report.steps.map((_, snapshot) =>
                report.right(site, snapshot, true)));
            return { wrong, even, checked: rows.length / 4, shares, right };
        }""",
        [module, text],
    )
    page.close()
    assert found["checked"] == len(traces.members) > 1000
    assert found["wrong"] == []
    assert found["even"] == []
    frame = report.to_frame()
    kinds = ["silent", "exact", "excess", "missing", "saturated"]
    np.testing.assert_allclose(np.reshape(found["shares"], (-1, 5)), frame[kinds], rtol=1e-12)
    np.testing.assert_allclose(np.ravel(found["right"]), frame["right"], rtol=1e-12)


def test_moving_t_and_site_asks_the_server_once_at_rest_and_a_link_restores_it(page, url, resnet):
    sent: list[int] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda data: sent.append(len(data))))
    open_view(page, url, f"run={resnet.id[:12]}&t=4&site=layer1.0.act1")
    assert at(page).endswith("t=4 site=1")
    at_rest(page, sent)
    slider = page.get_by_role("slider", name="Time-step t")
    slider.focus()
    for _ in range(3):
        slider.press("ArrowRight")
    page.get_by_role("listbox").press("End")
    page.get_by_role("listbox").press("ArrowUp")
    page.get_by_role("listbox").press("ArrowLeft")
    assert sent == []
    page.wait_for_url(re.compile(r"t=6&site=layer3\.2\.act1"))
    assert len(sent) == 1
    page.reload()
    page.wait_for_selector(".residuals[data-drawn]")
    assert at(page).endswith("t=6 site=17")
    expect(page.locator(".title b")).to_have_text("layer3.2.act1")
    expect(page.locator(".identity")).to_contain_text("holds: largest error")


def test_play_classes_and_forms_of_the_view(page, url, resnet):
    open_view(page, url, f"run={resnet.id[:12]}&t=8&site=stem.act&compare={ALIKE[:12]}")
    expect(page.locator(".detail > .sentence")).to_contain_text("Constant input: every count is right.")
    expect(page.locator(".chips button").nth(0)).to_be_disabled()
    page.locator(".jump").first.click()
    expect(page.locator(".chips button[aria-pressed=true]")).to_contain_text("excess")
    expect(page.locator(".chips small.other").first).to_contain_text("(0.0)")
    page.get_by_role("button", name="all", exact=True).click()
    expect(page.locator(".foot")).to_contain_text("Shares are of all neurons.")
    page.get_by_role("button", name="heat").click()
    page.get_by_role("button", name="dense").click()
    expect(page.locator(".row[aria-selected=true]")).to_have_css("height", "22px")
    place = page.locator(".place").inner_text()
    page.get_by_role("button", name="another").click()
    expect(page.locator(".place")).not_to_have_text(place)
    page.get_by_role("button", name="Play over t").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.locator(".readout")).to_contain_text("= 32", timeout=5000)
    expect(page.get_by_role("button", name="Play over t")).to_be_visible(timeout=5000)
    page.get_by_role("slider", name="Time-step t").press("Home")
    expect(page.locator(".calm")).to_contain_text("within one step nothing can be early or late")


def test_a_second_run_is_overlaid_at_the_sites_it_shares_and_its_mean_is_told(page, url, store, resnet):
    report = resnet.residuals
    recipe = resnet.recipe.changed(data={"limit": 12})
    renamed = with_report(resnet, "residuals", names=(*report.names[:-1], "elsewhere"))
    store.save(dataclasses.replace(renamed, id=ELSEWHERE, recipe=recipe))
    open_view(page, url, f"run={resnet.id[:12]}&t=4&site={report.names[3]}&compare={ELSEWHERE[:12]}")
    expect(page.locator(".note")).to_contain_text(f"has no site {report.names[-1]}.")
    expect(page.locator(".histogram .outline").first).to_be_attached()
    expect(page.locator(".means")).to_contain_text("(0.000), those that fired")
    page.get_by_role("listbox").press("End")
    expect(page.locator(".means")).to_contain_text("has no such site: nothing is overlaid.")
    expect(page.locator(".histogram .outline")).to_have_count(0)
    expect(page.locator(".chips")).not_to_have_class(re.compile("comparing"))


def test_a_neuron_out_of_range_is_refused_where_it_is_typed(page, url, resnet):
    open_view(page, url, f"run={resnet.id[:12]}&t=4&site=layer2.2.act2")
    page.get_by_role("button", name="choose").click()
    page.get_by_role("spinbutton", name="image").fill("270")
    page.get_by_role("button", name="show").click()
    expect(page.locator(".problem")).to_have_text("image goes from 0 to 269 at layer2.2.act2.")


def test_hostile_names_are_text(page, url):
    open_view(page, url, f"run={BAD[:12]}&t=4")
    expect(page.locator(".title b")).to_contain_text(HOSTILE)
    assert page.locator(".residuals img").count() == 0


@THEMES
def test_the_view_fits_and_is_accessible(page, url, resnet, scheme):
    page.emulate_media(color_scheme=scheme)
    open_view(page, url, f"run={resnet.id[:12]}&t=4&compare={ALIKE[:12]}")
    page.get_by_role("button", name="choose").click()
    page.get_by_role("spinbutton", name="image").wait_for()
    check_layout(page, "[data-testid=stMain]")
