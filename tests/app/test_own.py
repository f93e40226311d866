"""The three steps from one's own file to a run: what is proposed, what is refused, what the pool is asked for."""

import numpy as np
import pytest

import snnlab as sl
from pages._ui import own_data
from tests.app.conftest import WORKSPACE, cifar_folder, html_of


@pytest.fixture
def opened(at_page, pool, shipped):
    """``opened(**card)``: the page after a checkpoint with that card was opened."""

    def open_card(**changed):
        card = {
            **shipped["digits-vgg-relu"].card,
            "name": "theirs.pth",
            "sha256": "f" * 64,
            "foreign": True,
            "normalization": None,
            "dataset": None,
            "unknown": ["normalization", "dataset"],
            **changed,
        }
        job = pool.submit("open", {"path": "theirs.pth"}, workspace=WORKSPACE)
        pool.move(job.id, state="done", result={"card": card, "path": "kept.safetensors"})
        at = at_page()
        at.segmented_control(key="own-origin").set_value("opened").run()
        return at

    return open_card


def widget(kind, label):
    return next(found for found in kind if found.label == label)


def last(pool):
    return list(pool.kept.values())[-1]


def captions(at):
    return " ".join(c.value for c in at.caption)


def test_the_checkpoint_in_view_can_be_converted_by_another_method(at_page, pool, shipped):
    at = at_page()
    widget(at.selectbox, "Method").set_value("max_norm").run()
    widget(at.number_input, "Images").set_value(50).run()
    widget(at.button, "Convert and analyse").click().run()
    job = last(pool)
    recipe = sl.Recipe.parse(job.arguments["recipe"])
    assert (job.kind, recipe.converter.method, recipe.data.limit) == ("analyse", "max_norm", 50)
    assert recipe.checkpoint == shipped["digits-vgg-qcfs-L8"].recipe.checkpoint
    assert recipe.data.split == "dev"
    assert recipe.snapshots == sl.runs.default_snapshots(32)
    assert widget(at.button, "Convert and analyse").disabled, "not twice"


def test_a_relu_network_is_not_offered_what_needs_learned_thresholds(opened):
    at = opened()
    method = widget(at.selectbox, "Method")
    assert method.value == "percentile_norm"
    assert "QCFS" not in method.options


def test_a_quantized_network_gets_qcfs_and_is_asked_for_its_levels(opened, pool, shipped):
    sites = shipped["digits-vgg-qcfs-L8"].card["sites"]
    at = opened(
        activation="qcfs", levels=None, sites=sites, unknown=["levels", "normalization"], proposals={"levels": [4, 8]}
    )
    assert widget(at.selectbox, "Method").value == "qcfs"
    levels = widget(at.number_input, "Quantization levels L")
    assert levels.value == 4
    levels.set_value(16).run()
    widget(at.button, "Convert and analyse").click().run()
    assert last(pool).arguments["recipe"]["checkpoint"]["levels"] == 16


@pytest.mark.parametrize(
    ("shape", "classes", "dataset"),
    [([3, 32, 32], 10, "cifar10"), ([3, 32, 32], 100, "cifar100"), ([1, 28, 28], 10, "mnist"), ([3, 9, 9], 2, "npz")],
)
def test_the_dataset_is_proposed_from_images_and_classes(opened, shape, classes, dataset):
    at = opened(input_shape=shape, num_classes=classes)
    assert widget(at.selectbox, "Dataset").value == dataset


def test_a_folder_outside_the_roots_is_refused_in_one_sentence(opened, monkeypatch, tmp_path):
    monkeypatch.setenv("SNNLAB_DATA_ROOTS", str(tmp_path))
    at = opened(input_shape=[3, 32, 32])
    widget(at.text_input, "Folder").set_value("/etc").run()
    assert "not a readable path" in at.error[0].value


def test_a_path_outside_the_roots_is_refused_alike_whether_it_exists(at_page, pool, monkeypatch, tmp_path):
    monkeypatch.setenv("SNNLAB_DATA_ROOTS", str(tmp_path))
    said = []
    for path in ("/etc/passwd", "/etc/no-such-file"):
        at = at_page()
        at.segmented_control(key="own-origin").set_value("A file on this machine").run()
        at.text_input(key="own-path").set_value(path)
        at.button(key="own-open").click().run()
        said.append(at.error[0].value.replace("no\\-such\\-file", "passwd"))
    assert said[0] == said[1]
    assert not pool.kept


def test_a_path_inside_the_roots_is_opened_by_a_worker(at_page, pool, monkeypatch, tmp_path):
    monkeypatch.setenv("SNNLAB_DATA_ROOTS", str(tmp_path))
    file = tmp_path / "net.pth"
    file.write_bytes(b"weights")
    at = at_page()
    at.segmented_control(key="own-origin").set_value("A file on this machine").run()
    at.text_input(key="own-path").set_value(str(file))
    at.button(key="own-open").click().run()
    assert (last(pool).kind, last(pool).arguments) == ("open", {"path": str(file.resolve())})


def test_an_upload_is_kept_by_its_content_and_opened(at_page, pool):
    at = at_page()
    at.segmented_control(key="own-origin").set_value("Upload a file").run()
    at.file_uploader[0].set_value(("net.pth", b"weights", "application/octet-stream")).run()
    assert last(pool).kind == "open"
    assert last(pool).arguments["path"].endswith("/net.pth")


def test_a_declared_architecture_goes_with_the_file(at_page, pool, monkeypatch, tmp_path):
    monkeypatch.setenv("SNNLAB_DATA_ROOTS", str(tmp_path))
    (tmp_path / "net.pth").write_bytes(b"weights")
    at = at_page()
    at.segmented_control(key="own-origin").set_value("A file on this machine").run()
    at.text_area(key="own-architecture").set_value("- {linear: 10}")
    at.text_input(key="own-path").set_value(str(tmp_path / "net.pth"))
    at.button(key="own-open").click().run()
    assert last(pool).arguments["architecture"] == [{"linear": 10}]


@pytest.mark.parametrize(
    "text", ["a: [", "- &a [1]\n- *a", "../x.yaml", "/etc/passwd", "12 34", "x" * 70_000, "- {a: 1\n", "'text'"]
)
def test_what_is_no_architecture_is_one_sentence_and_never_a_path(text):
    with pytest.raises(own_data.NotDeclared, match="architecture"):
        own_data.architecture(text)


def test_names_and_layers_are_architectures():
    assert own_data.architecture("  resnet20-A ") == "resnet20-A"
    assert own_data.architecture("") is None
    assert own_data.architecture("- relu\n- {linear: 10}") == ["relu", {"linear": 10}]


def test_own_normalisation_numbers_are_checked_where_they_are_typed(opened, pool):
    at = opened()
    widget(at.selectbox, "Normalisation").set_value("own numbers").run()
    widget(at.text_input, "Means / deviations").set_value("0.5/0").run()
    assert "at least" in at.error[0].value
    widget(at.text_input, "Means / deviations").set_value("0.5/0.25").run()
    widget(at.button, "Convert and analyse").click().run()
    assert last(pool).arguments["recipe"]["data"]["normalize"] == "0.5/0.25"


def ranking(names, correct):
    report = sl.analysis.NormalizationReport(tuple(names), np.array(correct), 500, "digits", "")
    values, arrays = report.payload()
    return {**values, **{name: array.tolist() for name, array in arrays.items()}}


def test_the_detective_warns_of_a_choice_that_is_clearly_worse(opened, pool):
    at = opened()
    widget(at.selectbox, "Normalisation").set_value("unit").run()
    widget(at.button, "Which normalisation?").click().run()
    job = last(pool)
    assert job.kind == "normalization"
    pool.move(job.id, state="done", result=ranking(["half", "unit"], [480, 300]))
    at.run()
    assert "unit is clearly worse than half" in at.warning[0].value
    assert html_of(at).index(">half</td>") < html_of(at).index(">unit</td>")
    widget(at.selectbox, "Normalisation").set_value("half").run()
    assert not at.warning


def test_the_check_runs_the_ann_alone_on_all_test_images(opened, pool):
    at = opened()
    widget(at.number_input, "Accuracy you remember, %").set_value(91.73).run()
    widget(at.button, "Check it on the test set").click().run()
    job = last(pool)
    recipe = sl.Recipe.parse(job.arguments["recipe"])
    assert (job.kind, recipe.data.split, recipe.data.limit) == ("evaluate_ann", "test", None)
    answer = {"accuracy": 0.9173, "low": 0.91, "high": 0.92, "images": 10000, "split": "test", "looks": 2}
    pool.move(job.id, state="done", result=answer)
    at.run()
    assert "2nd look" in " ".join(m.value for m in at.markdown)
    assert "the same number" in captions(at)
    widget(at.number_input, "Accuracy you remember, %").set_value(93.0).run()
    assert "−1.27 points" in captions(at)


def test_a_result_for_other_choices_is_not_shown(opened, pool):
    at = opened()
    widget(at.button, "Check it on the test set").click().run()
    answer = {"accuracy": 0.5, "low": 0.4, "high": 0.6, "images": 450, "split": "test", "looks": 1}
    pool.move(last(pool).id, state="done", result=answer)
    at.run()
    assert "1st look" in " ".join(m.value for m in at.markdown)
    widget(at.selectbox, "Normalisation").set_value("half").run()
    assert "1st look" not in " ".join(m.value for m in at.markdown)


def test_candidates_are_written_so_that_they_can_be_told_apart():
    from pages._ui.own_candidates import layers

    plain = {"family": "sequential", "layers": [{"conv": [20, 5], "stride": 1, "padding": 0}, "relu", {"avgpool": 2}]}
    padded = {"family": "sequential", "layers": [{"conv": [20, 5], "padding": 2}, "relu", {"maxpool": 2, "stride": 1}]}

    assert layers(plain) == "conv 20×5×5, avgpool 2"
    assert layers(padded) == "conv 20×5×5 padding 2, maxpool 2 stride 1"


def test_what_a_network_was_found_with_is_proposed_in_step_two(at_page, pool, shipped, monkeypatch, tmp_path):
    monkeypatch.setenv("SNNLAB_DATA_ROOTS", str(tmp_path))
    file = tmp_path / "net.pth"
    file.write_bytes(b"weights")
    at = at_page()
    at.segmented_control(key="own-origin").set_value("A file on this machine").run()
    at.text_input(key="own-path").set_value(str(file))
    at.button(key="own-open").click().run()
    pool.move(pool.last("open").id, state="failed", error="The keys leave the pools open.")
    at.run()
    at.selectbox(key="own-rank-dataset").set_value("cifar10").run()
    folder = cifar_folder(tmp_path / "images")
    at.text_input(key="own-rank-folder").set_value(str(folder))
    at.button(key="own-rank").click().run()
    network = {"family": "sequential", "layers": [{"linear": 10}]}
    row = {
        "architecture": network,
        "normalization": "cifar10",
        "accuracy": 0.9,
        "low": 0.8,
        "high": 0.95,
        "images": 500,
    }
    pool.move(pool.last("candidates").id, state="done", result={"candidates": [row]})
    at.run()
    at.button(key="own-rank-open").click().run()
    assert pool.last("open").arguments == {"path": str(file), "architecture": network}
    card = {**shipped["digits-vgg-relu"].card, "foreign": True, "normalization": None, "dataset": None}
    pool.move(pool.last("open").id, state="done", result={"card": card, "path": "kept.safetensors"})
    at.run()
    assert widget(at.selectbox, "Normalisation").value == "cifar10"
    assert widget(at.selectbox, "Dataset").value == "cifar10"
    assert widget(at.text_input, "Folder").value == str(folder)
    assert not at.warning


def test_a_method_that_looks_at_many_steps_is_simulated_to_as_many(at_page, pool):
    at = at_page()
    widget(at.selectbox, "Method").set_value("cos").run()
    assert "simulated to T = 4 or more" in captions(at)
    assert widget(at.selectbox, "Simulate to T").value == 32
    for rho, offered, value in ((64, ["64", "128"], 64), (200, ["200"], 200)):
        widget(at.number_input, "Rho").set_value(rho).run()
        assert not at.exception
        steps = widget(at.selectbox, "Simulate to T")
        assert (steps.options, steps.value) == (offered, value)
    widget(at.button, "Convert and analyse").click().run()
    assert sl.Recipe.parse(last(pool).arguments["recipe"]).num_steps == 200
