"""Runs in a browser: two chosen, compared, pinned, overlaid on other pages, and all of it again from the link."""

import dataclasses
import datetime
import re
import zipfile

import pytest

from tests.browser.conftest import THEMES, check_layout, quiet
from tests.stored_runs import shipped

pytestmark = pytest.mark.browser
ROW = 35  # height of a row of the table, pixels


@pytest.fixture(scope="module")
def conversions(store):
    """The bundled VGG, and a second conversion of it from the command line."""
    run = shipped()
    recipe = run.recipe.changed(converter={"parameters": {"initial_fraction": 0.25}})
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    second = dataclasses.replace(run, id="6" * 32, recipe=recipe, created=now)  # newer than those of other files
    store.save(second)
    return run, second


def mark(page, row):
    """Click the box of a row; the table is a canvas."""
    box = page.locator("[data-testid=stDataFrame] canvas").first.bounding_box()
    page.mouse.click(box["x"] + 17, box["y"] + (row + 1.5) * ROW)


def test_two_runs_from_the_table_to_the_overlay_and_back_by_link(open_page, conversions):
    run, second = conversions
    page = open_page(f"runs?run={run.id[:12]}&runs={run.id[:12]}&T=4", height=1200)
    page.get_by_role("heading", name="digits-vgg-qcfs-L8: conversion").wait_for()
    mark(page, 0)  # the newest, beside the one that is open
    page.get_by_role("heading", name="Site by site").wait_for()
    page.wait_for_url(re.compile(f"runs={run.id[:12]}(,|%2C){second.id[:12]}"))
    page.get_by_role("button", name="Exchange A and B").click()
    page.wait_for_url(re.compile(f"runs={second.id[:12]}(,|%2C){run.id[:12]}"))
    page.get_by_role("button", name="Exchange A and B").click()
    page.wait_for_url(re.compile(f"runs={run.id[:12]}(,|%2C){second.id[:12]}"))
    page.get_by_role("button", name="Pin as baseline").click()
    page.wait_for_url(re.compile(f"baseline={run.id[:12]}"))
    page.get_by_text("Baseline: the run in view").wait_for()
    page.get_by_role("button", name="Open on Residuals").click()
    page.get_by_role("heading", name="Which neurons spent too much").wait_for()
    page.locator(".residuals[data-drawn] .histogram .outline").first.wait_for(state="attached")
    assert "Mean v in the compared run" in page.locator(".means").inner_text()
    quiet(page)
    for wanted in (f"run={run.id[:12]}", f"compare={second.id[:12]}", f"baseline={run.id[:12]}", "T=4"):
        assert wanted in page.url
    page.reload()
    quiet(page)
    page.locator(".residuals[data-drawn] .histogram .outline").first.wait_for(state="attached")
    page.get_by_text("Baseline: the run in view").wait_for()
    page.get_by_role("link", name="Runs", exact=True).click()
    page.get_by_role("heading", name="Site by site").wait_for()  # both that every page shows are chosen at first
    quiet(page)
    page.get_by_role("link", name="Accuracy", exact=True).click()
    page.get_by_role("heading", name="How many time-steps").wait_for()
    page.locator(".snnlab-figure .legend").get_by_text("v(0) = 1/4").wait_for()


def test_a_run_is_tagged_noted_found_taken_away_and_deleted(open_page, conversions, tmp_path):
    _, second = conversions
    page = open_page(f"runs?runs={second.id[:12]}", height=1200)
    page.get_by_role("combobox", name="Tags").fill("half")
    page.keyboard.press("Enter")
    page.locator("[data-testid=stMultiSelect] [data-tag]").get_by_text("half").wait_for()
    page.keyboard.press("Escape")  # the open menu hides the page from everybody but the eye
    page.get_by_role("textbox", name="Note").fill("for the talk")
    page.keyboard.press("Control+Enter")
    quiet(page)
    page.reload()
    quiet(page)
    assert page.get_by_role("textbox", name="Note").input_value() == "for the talk"
    page.get_by_role("textbox", name="Search").fill("talk")
    page.keyboard.press("Enter")
    page.get_by_text(re.compile(r"1 of \d+ runs")).wait_for()
    with page.expect_download(timeout=180_000) as asked:
        page.get_by_role("button", name="Offline report (HTML)").click()
    asked.value.save_as(tmp_path / "run.html")
    assert "for the talk" not in page.url
    assert (tmp_path / "run.html").read_text().startswith("<!doctype html>")
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_text("will be deleted for good").wait_for()
    page.get_by_role("button", name="Keep it").click()
    page.get_by_text("will be deleted for good").wait_for(state="detached")


@pytest.mark.full  # long: every figure of the run is drawn; other files are downloaded in every run of the tests
def test_a_run_is_exported_as_a_folder(open_page, conversions, tmp_path):
    run, _ = conversions
    page = open_page(f"runs?runs={run.id[:12]}", height=1200)
    with page.expect_download(timeout=180_000) as asked:
        page.get_by_role("button", name="Folder (zip)").click()
    asked.value.save_as(tmp_path / "run.zip")
    assert any(name.endswith("recipe.yaml") for name in zipfile.ZipFile(tmp_path / "run.zip").namelist())


@THEMES
def test_a_comparison_fits_and_is_accessible(open_page, conversions, scheme):
    run, second = conversions
    address = f"runs?runs={run.id[:12]},{second.id[:12]}&baseline={second.id[:12]}"
    page = open_page(address, scheme=scheme)
    page.locator(".snnlab-figure .main-svg").nth(1).wait_for()
    check_layout(page)
