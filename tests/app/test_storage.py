"""What takes room: it is told, and goes only after a second click; what is not one's own stays."""

import dataclasses
import datetime

import pytest

import snnlab as sl
from pages._ui import storage
from tests.app.conftest import HOSTILE, WORKSPACE, html_of, strip_of


@pytest.fixture
def upload():
    return sl.runs.keep_upload("net.pth", b"w" * 2500)


@pytest.fixture
def runs(store, shipped):
    """A run of this browser and one of another."""
    owned = {"1" * 32: WORKSPACE, "3" * 32: "cd" * 16}
    for run_id, owner in owned.items():
        store.save(dataclasses.replace(shipped["digits-vgg-relu"], id=run_id), workspace=owner)
    return owned


def choose(at, place, *keys):
    widget = next(each for each in at.multiselect if each.key.startswith(f"storage-{place}-"))
    return widget.set_value(list(keys)).run()


def test_an_empty_place_says_so(at_page):
    at = at_page("help")
    said = " ".join(caption.value for caption in at.caption)
    assert "No file is kept" in said
    assert "No run of yours is stored" in said
    assert "are free on the disk" in said


def test_number_size_and_quota_are_told(at_page, upload, runs):
    at = at_page("help")
    assert "Files: 2.5 kB of 5.0 GB" in at.get("progress")[0].proto.text
    shown = html_of(at)
    assert "net.pth</td>" in shown
    assert "just now</td>" in shown
    assert "run 111111111111" in shown
    assert "333333333333" not in shown, "another browser's"


def test_a_file_goes_after_a_second_click(at_page, upload, store):
    at = at_page("help")
    (item,) = sl.runs.storage.usage(store).items
    choose(at, "files", item.id)
    at.button(key="storage-files-ask").click().run()
    assert upload.exists()
    assert "will be removed for good" in at.warning[0].value
    at.button(key="storage-files-keep").click().run()
    assert not at.warning
    at.button(key="storage-files-ask").click().run()
    at.button(key="storage-files-remove").click().run()
    assert not upload.exists()
    assert "Removed 1, 2.5 kB" in at.success[0].value


def test_a_kept_training_goes_after_a_second_click(at_page, store):
    folder = sl.runs.storage.training_folder() / ("e" * 32)
    folder.mkdir(parents=True)
    (folder / "training.safetensors").write_bytes(b"w" * 1500)
    at = at_page("help")
    assert "Kept trainings: 1.5 kB of 5.0 GB" in [bar.proto.text for bar in at.get("progress")][1]
    (item,) = sl.runs.storage.usage(store).trainings
    choose(at, "trainings", item.id)
    at.button(key="storage-trainings-ask").click().run()
    assert "trains anew" in at.warning[0].value
    at.button(key="storage-trainings-remove").click().run()
    assert not folder.exists()
    assert "Removed 1, 1.5 kB" in at.success[0].value


def test_another_choice_is_asked_about_again(at_page, upload, store):
    sl.runs.keep_upload("other.pth", b"other")
    at = at_page("help")
    first, second = (item.id for item in sl.runs.storage.usage(store).items)
    choose(at, "files", first)
    at.button(key="storage-files-ask").click().run()
    choose(at, "files", first, second)
    assert not at.warning
    assert upload.exists()


def test_a_run_in_view_that_is_removed_gives_way_to_the_example(at_page, runs, store):
    at = at_page("help", run="1" * 12)
    assert "digits\\-vgg\\-relu" in strip_of(at)
    choose(at, "runs", "1" * 32)
    at.button(key="storage-runs-ask").click().run()
    at.button(key="storage-runs-remove").click().run()
    assert not at.exception
    assert not [warning for warning in at.warning if "There is no run" in warning.value]
    assert "digits\\-vgg\\-qcfs" in strip_of(at)
    assert [row.id for row in store.list() if not row.shipped] == ["3" * 32]


def test_what_a_job_uses_stays_and_a_sentence_says_so(at_page, upload, store, monkeypatch):
    at = at_page("help")
    (item,) = sl.runs.storage.usage(store).items
    choose(at, "files", item.id)
    at.button(key="storage-files-ask").click().run()
    monkeypatch.setattr("snnlab.runs.storage._jobs_text", lambda store: str(upload))
    at.button(key="storage-files-remove").click().run()
    assert "cancel that job first" in at.error[0].value
    assert upload.exists()


def test_a_quota_that_is_no_number_is_one_sentence_and_the_page_stands(at_page, monkeypatch):
    monkeypatch.setenv("SNNLAB_QUOTA_GB", "plenty")
    at = at_page("help")
    assert "SNNLAB\\_QUOTA\\_GB is 'plenty'" in at.error[0].value.replace("\\'", "'")
    assert "Charge balance" in [header.value for header in at.header]


def test_hostile_names_of_files_and_runs_stay_text(at_page, hostile, store, monkeypatch):
    usage = sl.runs.storage.usage(store)
    item = sl.runs.storage.StoredItem("uploads/aa", "upload", HOSTILE, 9, 1, "2026-01-01T00:00:00+00:00", 0.0)
    monkeypatch.setattr("snnlab.runs.storage.usage", lambda store: dataclasses.replace(usage, items=(item,)))
    assert "<img" not in html_of(at_page("help"))


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 bytes"), (999, "999 bytes"), (2500, "2.5 kB"), (123_456_789, "123 MB"), (5e9, "5.0 GB")]
)
def test_sizes_are_for_people(number, text):
    assert storage.size(int(number)) == text


@pytest.mark.parametrize(
    ("minutes", "text"), [(1, "just now"), (30, "30 minutes ago"), (300, "5 hours ago"), (7200, "5 days ago")]
)
def test_ages_are_for_people(minutes, text):
    then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=minutes)
    assert storage.ago(then.isoformat(timespec="microseconds")) == text
