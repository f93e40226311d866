"""The noisy ANN: common random numbers, nothing at std 0, and kappa where it was put."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from snnlab.analysis import noisy_network
from snnlab.analysis.noise import SCALES, crossings, falling, kappa, noisy_correct
from snnlab.analysis.noisy_network import NoisyNetwork
from snnlab.analysis.reports import estimate, wilson_interval
from snnlab.core.errors import DataError, SnnlabError
from snnlab.graph import prepare
from tests.conftest import Branched, on_grid

STD = {"stage1.act1": 0.5, "stage2.act3": 1.0, "classifier.act1": 0.7}


def test_without_noise_it_is_the_ann_bitwise(resnet, images):
    graph = prepare(resnet).graph.to(memory_format=torch.channels_last)
    with torch.inference_mode():
        logits = graph(images)
        quiet = noisy_network._Block(NoisyNetwork(resnet), images, {})
    assert torch.equal(quiet.constant[quiet.output], logits)
    labels, sites = logits.argmax(1).numpy(), prepare(resnet).sites
    for std, scale in ((0.0, 3.0), (0.4, 0.0)):
        assert noisy_correct(resnet, dict.fromkeys(sites, std), (images, labels), scales=[scale], seeds=2).all()
    assert not noisy_correct(resnet, dict.fromkeys(sites, 40.0), (images, labels), seeds=2).all()


def test_common_random_numbers(ann, dev):
    """One eps for every scale and profile: scale s on std x is scale 1 on s x."""
    both = noisy_correct(ann, STD, dev, scales=[0.5, 1.5], seeds=3)
    for index, scale in enumerate((0.5, 1.5)):
        alone = noisy_correct(ann, {name: scale * value for name, value in STD.items()}, dev, seeds=3)
        np.testing.assert_array_equal(both[index], alone[0])
    assert (both[0] != both[1]).any()


def test_noise_is_keyed_by_seed_and_image_only(checkpoint, ann, dev, monkeypatch):
    whole = noisy_correct(ann, STD, dev, seeds=5)
    np.testing.assert_array_equal(noisy_correct(ann, STD, dev, seeds=5), whole)
    np.testing.assert_array_equal(noisy_correct(ann, STD, dev, seeds=2), whole[:, :2])
    short = checkpoint.data("dev", limit=70)
    np.testing.assert_array_equal(noisy_correct(ann, STD, short, seeds=5), whole[..., :70])
    assert (noisy_correct(ann, STD, dev, seeds=5, seed=1) != whole).any()
    assert (whole[:, 0] != whole[:, 1]).any()
    monkeypatch.setattr(noisy_network, "_BYTES_AT_ONCE", 1)  # one noise seed at a time
    monkeypatch.setattr(noisy_network, "_BYTES_KEPT", 1)
    np.testing.assert_array_equal(noisy_correct(ann, STD, dev, seeds=5), whole)
    network = NoisyNetwork(ann)
    for _ in range(2):  # the second from kept noise
        np.testing.assert_array_equal(noisy_correct(network, STD, dev, seeds=5), whole)


def test_noise_has_the_std_asked_for():
    """At one site, behind it a copy: the logits are activation plus s sigma eps."""
    network = nn.Sequential(nn.Linear(4, 4, bias=False), nn.ReLU(), nn.Linear(4, 4, bias=False))
    with torch.no_grad():
        for index in (0, 2):
            network[index].weight.copy_(torch.eye(4))
    x = torch.ones(64, 4)
    noisy = NoisyNetwork(network)
    with torch.inference_mode():
        run = noisy_network._Block(noisy, x, {"1": 0.3})
        noise = noisy._noise(0, 0, range(8))
        value = torch.add(torch.ones(512, 4), noise("1", torch.ones(512, 4)), alpha=0.3)
    assert value.std().item() == pytest.approx(0.3, rel=0.05)
    assert run.varying
    assert value[:64].ne(value[64:128]).any()


def test_grid_network_against_explicit_noise():
    """The same eps put in by hand, site by site, gives the same classes."""
    ann = on_grid(Branched(), seed=4)
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(-16, 17, (12, 2, 4, 4), generator=generator) / 16
    std = {"act1": 0.4, "act2": 0.2, "act3": 0.6}
    network = NoisyNetwork(ann)
    with torch.inference_mode():
        noise = network._noise(0, 0, range(3))
        classes = noisy_network._Block(network, images, std).classes(noise, 3, 1.5)
        x = torch.cat([images] * 3)
        x = ann.act1(ann.conv1(x))
        x = x + 0.6 * noise("act1", x)
        x = ann.act2(ann.conv2(x) + x)
        x = x + 0.3 * noise("act2", x)
        x = ann.act3(ann.fc1(ann.pool(x).flatten(1)))
        logits = ann.fc2(x + 0.9 * noise("act3", x))
    np.testing.assert_array_equal(classes.ravel(), logits.argmax(1).numpy())


def test_refusals(ann, dev):
    with pytest.raises(SnnlabError, match="at least 1 noise seed; found 0"):
        noisy_correct(ann, STD, dev, seeds=0)
    with pytest.raises(SnnlabError, match=r"There is no site 'stage1.act9' in this network; did you mean"):
        noisy_correct(ann, {"stage1.act9": 1.0}, dev)
    for bad in (-1.0, math.nan):
        with pytest.raises(SnnlabError, match=r"stage1.act1: the std .* must be a finite number"):
            noisy_correct(ann, {"stage1.act1": bad}, dev)
        with pytest.raises(SnnlabError, match="The scale"):
            noisy_correct(ann, STD, dev, scales=[bad])
    with pytest.raises(DataError, match="needs labels"):
        noisy_correct(ann, STD, dev.images())


class TestEstimate:
    def test_wilson_for_one_seed(self):
        for right in (0, 3, 17, 20):
            correct = np.arange(20)[None] < right
            found = estimate(correct)
            np.testing.assert_allclose([found.low, found.high], wilson_interval(right, 20))
            assert found.value == right / 20

    def test_seeds_help_as_far_as_they_differ(self):
        rng = np.random.default_rng(0)
        same = np.repeat(rng.random((1, 400)) < 0.8, 8, axis=0)
        free = rng.random((8, 400)) < 0.8
        one, eight, all_free = (estimate(c) for c in (same[:1], same, free))
        assert (eight.low, eight.high) == pytest.approx((one.low, one.high))
        assert (all_free.high - all_free.low) == pytest.approx((one.high - one.low) / math.sqrt(8), rel=0.15)
        assert len(all_free.seeds) == 8
        assert np.mean(all_free.seeds) == pytest.approx(all_free.value)


class TestKappa:
    """A network whose accuracy falls along a known line."""

    images, seeds = 4000, 2

    def evaluate(self, scales):
        """Image i survives noise up to its own limit: accuracy 0.9 - 0.2 s."""
        limits = (0.9 - np.arange(self.images) / self.images) / 0.2
        return np.stack([np.repeat((limits >= s)[None], self.seeds, axis=0) for s in scales])

    def snn(self, accuracy):
        return np.random.default_rng(0).permutation(self.images) < accuracy * self.images

    @pytest.mark.parametrize("true", [0.3, 1.0, 1.7, 2.2, 3.9])
    def test_the_crossing_is_found(self, true):
        asked = []

        def evaluate(scales):
            asked.extend(scales)
            return self.evaluate(scales)

        found = kappa(self.snn(0.9 - 0.2 * true), evaluate)
        assert found.value == pytest.approx(true, abs=0.01)
        assert found.low < true < found.high
        assert found.high - found.low < 0.4
        assert found.why == ""
        assert len(SCALES) == 9
        assert len(asked) >= 13
        assert min(abs(scale - true) for scale in asked) < 0.1

    def test_none_when_the_snn_reaches_the_ann(self):
        for accuracy in (0.901, 0.95):
            found = kappa(self.snn(accuracy), self.evaluate)
            assert math.isnan(found.value)
            assert "as accurate as the ANN" in found.why
            assert found.plain() == {"value": None, "low": None, "high": None, "why": found.why}

    def test_above_the_largest_scale(self):
        found = kappa(self.snn(0.05), self.evaluate)
        assert found.value == found.high == math.inf
        assert found.why.startswith("above 4")
        assert found.plain()["value"] is None

    def test_same_seed_same_interval(self):
        one, two = (kappa(self.snn(0.6), self.evaluate, known=self.evaluate(SCALES)) for _ in range(2))
        assert one == two

    def test_it_begins_at_zero(self):
        with pytest.raises(SnnlabError, match="from scale 0 on"):
            kappa(self.snn(0.5), self.evaluate, scales=[0.5, 1.0])

    def test_falling_is_the_isotonic_fit(self):
        from sklearn.isotonic import IsotonicRegression

        values = np.random.default_rng(0).random((40, 9)) - 0.1 * np.arange(9)
        fits = falling(values)
        for row, fit in zip(values, fits, strict=True):
            expected = IsotonicRegression(increasing=False).fit_transform(np.arange(9), row)
            np.testing.assert_allclose(fit, expected, atol=1e-12)

    def test_crossings_interpolate(self):
        accuracy = np.array([[0.9, 0.7, 0.3], [0.9, 0.7, 0.3], [0.9, 0.7, 0.3], [0.9, 0.7, 0.3]])
        target = np.array([0.8, 0.5, 0.9, 0.2])
        np.testing.assert_allclose(crossings(np.array([0.0, 1.0, 2.0]), accuracy, target), [0.5, 1.5, 0.0, np.inf])
