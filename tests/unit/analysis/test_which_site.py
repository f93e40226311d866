"""Noise at one site at a time: against explicit noise, in pairs, ranked; and the largest scale that costs little."""

import math

import numpy as np
import pytest
import torch

import snnlab as sl
from snnlab.analysis import noisy_network
from snnlab.analysis.noise import SCALES, noisy_correct
from snnlab.analysis.noisy_network import NoisyNetwork
from snnlab.analysis.reports import Report, SensitivityReport
from snnlab.calibration import NoiseProfile
from snnlab.core.errors import Cancelled, DataError, SnnlabError

SEEDS = 3


@pytest.fixture(scope="module")
def profile(checkpoint, ann):
    images = checkpoint.data("calibration", limit=60)
    return sl.calibration.fit_noise(sl.convert(ann, "qcfs"), ann, images, num_steps=2).scaled(3.0)


@pytest.fixture(scope="module")
def found(ann, profile, dev):
    return sl.analysis.sensitivity(ann, profile, dev, noise_seeds=SEEDS)


def report(lost, *, seeds=4, images=200):
    """Sites whose noise makes the first ``lost[i]`` images wrong under every seed."""
    right = np.full((len(lost), images), seeds, np.uint8)
    for i, count in enumerate(lost):
        right[i, :count] = 0
    names = tuple(f"act{i}" for i in range(len(lost)))
    return SensitivityReport(
        names=names,
        thresholds=np.ones(len(lost)),
        std=np.full(len(lost), 0.1),
        num_steps=2,
        noise_seeds=seeds,
        ann_correct=np.ones(images, bool),
        right=right,
        together=right.min(axis=0),
        split="dev",
    )


def test_each_site_is_the_noisy_ann_with_noise_there_alone(ann, profile, dev, found):
    clean = noisy_correct(ann, {}, dev)[0, 0]
    np.testing.assert_array_equal(found.ann_correct, clean)
    for i, (name, std) in enumerate(profile.std_by_site().items()):
        alone = noisy_correct(ann, {name: std}, dev, seeds=SEEDS)[0]
        np.testing.assert_array_equal(found.right[i], alone.sum(axis=0))
        assert found.losses[i].value == pytest.approx(clean.mean() - alone.mean())
    together = noisy_correct(ann, profile, dev, seeds=SEEDS)[0]
    np.testing.assert_array_equal(found.together, together.sum(axis=0))
    assert found.whole[0] == pytest.approx(clean.mean() - together.mean())
    assert (found.right != SEEDS * clean).any()


def test_what_lies_before_the_noise_is_computed_once_a_block(ann, profile, dev, monkeypatch):
    """With noise at one site at a time, the first layer is computed without noise alone, whatever the sites."""
    network, calls = NoisyNetwork(ann), []
    plain = network.value
    monkeypatch.setattr(network, "value", lambda node, env: calls.append(str(node.target)) or plain(node, env))
    sl.analysis.sensitivity(network, profile, dev, noise_seeds=SEEDS)
    blocks = math.ceil(len(dev) / noisy_network.BLOCK)
    first = next(str(node.target) for node in network.nodes if node.op == "call_module")
    assert calls.count(first) == blocks + 1, "one more counts the activations of an image"
    last = [str(node.target) for node in network.nodes if node.op == "call_module"][-1]
    assert calls.count(last) > len(profile.names) * blocks


def test_a_branched_network_shares_what_is_quiet(resnet, images):
    labels = resnet(images).argmax(1).numpy()
    network = NoisyNetwork(resnet)
    stds = [{}, *({name: 0.7} for name in network.sites), dict.fromkeys(network.sites, 0.3)]
    from snnlab.simulation.images import as_images

    pair = as_images((images, labels))
    shared = network.correct_under(stds, pair, scales=(0.5, 1.0), seeds=2, seed=4)
    for std, right in zip(stds, shared, strict=True):
        np.testing.assert_array_equal(right, network.correct(std, pair, scales=(0.5, 1.0), seeds=2, seed=4))
    backwards = network.correct_under(stds[::-1], pair, scales=(0.5, 1.0), seeds=2, seed=4)
    np.testing.assert_array_equal(backwards[::-1], shared)


def test_a_site_without_noise_costs_exactly_nothing(ann, profile, dev):
    only = profile.with_std(dict.fromkeys(profile.names, 0.0) | {"stage2.act3": 5.0})
    told = sl.analysis.sensitivity(ann, only, dev, noise_seeds=2)
    for loss in told.losses:
        if loss.name != "stage2.act3":
            assert (loss.value, loss.low, loss.high) == (0, 0, 0)
    worst = next(loss for loss in told.losses if loss.rank == 1)
    assert worst.name == "stage2.act3"
    assert worst.low > 0
    assert told.whole[0] == pytest.approx(worst.value)


def test_ranks_and_their_intervals():
    told = report([60, 20, 0, 20, 58]).losses
    assert [loss.rank for loss in told] == [1, 3, 5, 3, 2]
    assert [loss.value for loss in told] == [0.3, 0.1, 0.0, 0.1, 0.29]
    assert (told[0].rank_low, told[0].rank_high) == (1, 1), "its lost images hold those of the second"
    assert (told[4].rank_low, told[4].rank_high) == (1, 2), "alike where neither of the two images is drawn"
    assert (told[1].rank_low, told[1].rank_high) == (3, 3)
    assert (told[2].rank_low, told[2].rank_high) == (5, 5)


def test_the_interval_is_that_of_images_which_carry_their_seeds():
    """Of a share p of images lost under every seed: that of n answers, not of n x seeds."""
    loss = report([50]).losses[0]
    half = 1.96 * math.sqrt(0.25 * 0.75 / 200)
    assert loss.low == pytest.approx(0.25 - half, abs=0.01)
    assert loss.high == pytest.approx(0.25 + half, abs=0.01)


def test_the_table_is_in_points_and_the_report_survives_the_store():
    told = report([60, 20, 0])
    frame = told.to_frame()
    assert frame["loss"].tolist() == pytest.approx([30.0, 10.0, 0.0])
    assert frame["rank"].tolist() == [1, 2, 3]
    assert set(frame["images"]) == {200}
    again = Report.from_payload(*told.payload())
    assert isinstance(again, SensitivityReport)
    assert again.losses == told.losses
    assert again.whole == told.whole


def test_it_is_cancelled_between_blocks(ann, profile, dev):
    def stop(done, total, what):
        raise Cancelled

    with pytest.raises(Cancelled):
        sl.analysis.sensitivity(ann, profile, dev, progress=stop)


def test_the_largest_scale_costs_so_many_points(ann, profile, dev):
    told = sl.analysis.largest_scale(ann, profile, dev, points=5.0, noise_seeds=SEEDS)
    scale, low, high = told.scale.tolist()
    assert 0 < low <= scale <= high
    assert told.why == ""
    clean = noisy_correct(ann, {}, dev).mean()
    near = noisy_correct(ann, profile, dev, scales=[max(0, scale - 0.15), scale + 0.15], seeds=SEEDS).mean(axis=(1, 2))
    assert near[0] > clean - 0.05 > near[1]
    known = noisy_correct(ann, profile, dev, scales=SCALES, seeds=SEEDS)
    again = sl.analysis.largest_scale(ann, profile, dev, points=5.0, noise_seeds=SEEDS, known=known)
    np.testing.assert_array_equal(again.scale, told.scale)
    more = sl.analysis.largest_scale(ann, profile, dev, points=20.0, noise_seeds=SEEDS, known=known)
    assert more.scale[0] > scale
    frame = Report.from_payload(*told.payload()).to_frame()
    assert frame.loc[0, "scale"] == scale


def test_a_profile_that_costs_little_has_no_largest_scale(ann, profile, dev):
    told = sl.analysis.largest_scale(ann, profile.scaled(1e-6), dev, noise_seeds=1)
    assert told.scale[0] == math.inf
    assert told.why.startswith("above 4: even there")
    assert "no noise" in sl.analysis.largest_scale(ann, profile.scaled(0), dev, noise_seeds=1).why


def test_refusals(ann, profile, dev):
    with pytest.raises(SnnlabError, match=r"noise_seeds is 0; .* needs 1 to 255"):
        sl.analysis.sensitivity(ann, profile, dev, noise_seeds=0)
    with pytest.raises(SnnlabError, match="noise_seeds is 300"):
        sl.analysis.sensitivity(ann, profile, dev, noise_seeds=300)
    with pytest.raises(DataError, match="needs labels"):
        sl.analysis.sensitivity(ann, profile, torch.zeros(2, 1, 8, 8))
    other = NoiseProfile(("layer9.act",), np.ones(1), np.ones(1), 2)
    for question in (sl.analysis.sensitivity, sl.analysis.largest_scale):
        with pytest.raises(SnnlabError, match=r"layer9\.act"):
            question(ann, other, dev)
    for points in (0, -1, 101, math.nan):
        with pytest.raises(SnnlabError, match="above 0 and at most 100"):
            sl.analysis.largest_scale(ann, profile, dev, points=points)
