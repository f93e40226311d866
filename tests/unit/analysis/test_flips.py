"""Flips against their literal definitions, and where there is little or nothing to find."""

import numpy as np
import pytest
import torch

import snnlab as sl
from snnlab.analysis.flips import MOST_PICTURES, distance, flips_and_recording, pictures
from snnlab.analysis.reports import FEWEST_ALIKE, FlipReport, Report
from snnlab.core.errors import ConversionError, DataError, SimulationError, SnnlabError
from snnlab.simulation.images import as_images
from tests.reference import flips as literal

STEPS = (1, 2, 8)


@pytest.fixture(scope="module")
def chain(checkpoint, ann):
    return sl.convert(ann, "qcfs"), ann, checkpoint.data("dev", limit=96)


@pytest.fixture(scope="module")
def found(chain):
    snn, ann, images = chain
    return flips_and_recording(snn, ann, images, num_steps=8, steps=STEPS, classes=images.classes)


def made(ann, snn, labels=None, distances=None, steps=(1,)):
    """A report from classes alone: ``ann`` (images,), ``snn`` (num_steps, images)."""
    ann, snn = np.array(ann), np.array(snn)
    images = len(ann)
    kept = np.zeros((len(steps), 2, images), np.float16) if distances is None else np.array(distances, np.float16)
    return FlipReport(
        name="x", names=("a", "b"), steps=tuple(steps), labels=ann if labels is None else np.array(labels),
        ann_predictions=ann, ann_margins=np.arange(images, dtype=np.float32), snn_predictions=snn,
        snn_margins=np.ones(snn.shape, np.float32), distances=kept, pictures=np.zeros((0, 1, 1, 1), np.uint8),
        pictured=np.zeros(0, np.int32), classes=("0", "1", "2"), split="dev",
    )  # fmt: skip


def test_distances_are_those_of_single_images_run_step_by_step(chain, found):
    snn, ann, images = chain
    report, _ = found
    for i in (0, 41, 95):
        expected = literal.distances(snn, ann, images.batch(i, i + 1), STEPS)
        assert list(expected) == list(report.names)
        np.testing.assert_allclose(report.distances[:, :, i].T, list(expected.values()), atol=2e-3)


def test_predictions_and_margins_are_those_of_the_two_networks(chain, found):
    snn, ann, images = chain
    report, recording = found
    with torch.no_grad():
        best = ann(images.batch(0, 96)).topk(2).values
    np.testing.assert_allclose(report.ann_margins, best[:, 0] - best[:, 1], rtol=1e-5, atol=1e-5)
    assert (report.ann_predictions == sl.analysis.predict(ann, images)).all()
    alone = sl.simulate(snn, images, num_steps=8)
    assert (report.snn_predictions == alone.predictions).all()
    assert (report.snn_margins == alone.margins).all()
    assert (recording.predictions == alone.predictions).all()


def test_agreement_for_good_and_first_sites_are_the_definitions(found):
    report, _ = found
    assert report.agrees_from.tolist() == [
        literal.agrees_from(report.ann_predictions[i], report.snn_predictions[:, i].tolist()) for i in range(96)
    ]
    parted = 0
    for place, t in enumerate(STEPS[1:], start=1):
        kept, alike = report.distances[place].astype(float), ~report.flipped(t)
        others = kept[:, alike].tolist()
        expected = [literal.first_site(kept[:, i].tolist(), others) for i in range(96)]
        assert report.first_sites(t).tolist() == expected
        parted += sum(flip.first_site is not None for flip in report.flips(t))
        usual_that_part = np.mean(np.array(expected)[alike] >= 0)
        assert usual_that_part == pytest.approx(0.05, abs=1.01 / alike.sum())
    assert parted > 0, "the example shows at least one flip with a site"


def test_flips_are_sorted_by_the_ann_s_margin_and_told_apart(found):
    report, _ = found
    flips = report.flips(2)
    assert [flip.ann_margin for flip in flips] == sorted((flip.ann_margin for flip in flips), reverse=True)
    assert {flip.image for flip in flips} == set(np.flatnonzero(report.flipped(2)).tolist())
    for flip in flips:
        right = {"bad": flip.ann == flip.label, "good": flip.snn == flip.label}
        right["other"] = not any(right.values())
        assert right[flip.kind]
        assert flip.ann != flip.snn
    assert report.confusion(2).sum() == len(flips) == report.by_class(2)["flips"].sum()
    assert all(report.confusion(2)[flip.ann, flip.snn] > 0 for flip in flips)


def test_good_and_bad_flips_by_hand():
    report = made([0, 1, 2, 0], [[1, 1, 0, 2]], labels=[0, 1, 0, 1])
    assert report.kinds(1).tolist() == ["bad", "", "good", "other"]
    assert report.counts(1) == {"bad": 1, "good": 1, "other": 1}
    assert [flip.image for flip in report.flips(1)] == [3, 2, 0]
    frame = report.by_class(1).set_index("class")
    assert frame.loc[2, ["images", "flips"]].tolist() == [0, 0], "a class absent from the subset"


def test_agreement_that_does_not_last_is_none():
    report = made([0, 0, 0, 0], [[0, 1, 1, 0], [0, 0, 1, 1], [0, 1, 1, 0]])
    assert report.agrees_from.tolist() == [1, 0, 0, 3]
    assert [flip.agrees_from for flip in report.flips(2)] == [3, None]


def test_no_flip_at_all_proposes_a_smaller_step():
    report = made([0, 1], [[0, 0], [0, 1], [0, 1]])
    assert report.flips(3) == ()
    assert report.smaller_with_flips(3) == 1
    assert made([0], [[0], [0]]).smaller_with_flips(2) is None
    assert report.to_frame().columns[0] == "step"


def test_one_image_and_few_that_agree_say_nothing_of_what_is_usual(chain):
    snn, ann, images = chain
    report = sl.analysis.find_flips(snn, ann, images.limit(1), num_steps=2)
    assert report.images == 1
    assert report.steps == (2,)
    assert report.usual(2) is None
    assert report.first_sites(2).tolist() == [-1]
    with pytest.raises(SnnlabError, match="too few to say what is usual"):
        sl.figures.flip_sites(report, 2)
    images = FEWEST_ALIKE
    enough = made([0] * (images + 1), [[1] + [0] * images])
    assert enough.usual(1) is not None
    assert made([0] * images, [[1] + [0] * (images - 1)]).usual(1) is None


def test_distance_of_silence_is_zero_and_of_opposites_root_two():
    a = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    b = torch.tensor([[0.0, 0.0], [-1.0, 0.0], [0.0, 3.0]])
    assert distance(b, a).tolist() == pytest.approx([0.0, 2**0.5, 1.0])


def test_pictures_are_the_pixels(chain, found):
    images, (report, _) = chain[2], found
    shown = report.flips(1)[0].image
    expected = np.round(255 * images.pixels[shown, 0].astype(float) / images.scale)
    assert (report.picture(shown)[..., 0] == expected).all()
    steady = next(i for i in range(96) if (report.snn_predictions[:, i] == report.ann_predictions[i]).all())
    assert report.picture(steady) is None
    assert pictures(as_images(images.batch(0, 2)), np.array([0])).shape[0] == 0
    assert MOST_PICTURES >= len(report.pictures) == len(report.pictured)


def test_a_report_survives_the_store(found):
    report, _ = found
    again = Report.from_payload(*report.payload())
    assert again.flips(2) == report.flips(2)


def test_bad_input_is_one_sentence(chain):
    snn, ann, images = chain
    few = images.limit(2)
    with pytest.raises(DataError, match="labels"):
        sl.analysis.find_flips(snn, ann, few.batch(0, 2), num_steps=1)
    with pytest.raises(SimulationError, match=r"t = 3 lies outside 1\.\.2"):
        sl.analysis.find_flips(snn, ann, few, num_steps=2, steps=[1, 3])
    with pytest.raises(DataError, match="2 class names"):
        sl.analysis.find_flips(snn, ann, few, num_steps=1, classes=("a", "b"))
    other = sl.example("digits-resnet-qcfs-L4").build()
    with pytest.raises(ConversionError, match="ANN and SNN differ at"):
        sl.analysis.find_flips(snn, other, few, num_steps=1)
    with pytest.raises(SnnlabError, match=r"outside 1\.\.1"):
        made([0], [[1]]).flips(2)


def test_the_networks_are_left_as_they_were(chain):
    snn, ann, images = chain
    before = {name: value.clone() for name, value in ann.state_dict().items()}
    ann.train()
    sl.analysis.find_flips(snn, ann, images.limit(2), num_steps=1)
    assert ann.training
    ann.eval()
    assert all(torch.equal(value, before[name]) for name, value in ann.state_dict().items())
