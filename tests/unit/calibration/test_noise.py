"""The gap between ANN and SNN equals its literal definition, however the images are grouped."""

import math

import numpy as np
import pytest
import torch

import snnlab as sl
from snnlab.activations import describe
from snnlab.activations.nq import GaussianNoise
from snnlab.calibration import NoiseProfile
from snnlab.calibration.gaps import PAPER_BATCH, lattice_of
from snnlab.calibration.noise import measure_gaps
from snnlab.core.errors import ConversionError, SimulationError, SnnlabError
from snnlab.core.histogram import GAP_REACH
from snnlab.graph import prepare
from tests.reference.literal import gaps_literally, paper_std, pooled_std


def literal(ann, images, steps):
    return gaps_literally(prepare(ann).graph, images, steps)


@pytest.mark.parametrize("steps", [1, 3, 4, 6])
def test_equal_to_the_literal_reference(resnet, images, steps):
    profile = sl.calibration.fit_noise(sl.convert(resnet, "nq"), resnet, images, num_steps=steps)
    expected = literal(resnet, images, steps)

    assert profile.names == tuple(expected)
    for i, (gap, local) in enumerate(expected.values()):
        assert profile.std[i] == pytest.approx(pooled_std(gap), rel=1e-6, abs=1e-12)
        assert profile.local_std[i] == pytest.approx(pooled_std(local), rel=1e-6, abs=1e-12)
        assert profile.mean[i] == pytest.approx(math.fsum(gap) / len(gap), rel=1e-6, abs=1e-12)
        assert profile.share_zero[i] == gap.count(0.0) / len(gap)
        assert profile.count[i] == len(gap)
    if steps == 4:  # T = L: the input is constant
        assert profile.std[0] == 0
        assert profile.share_zero[0] == 1
        assert (profile.std[1:] > 0).all()
        assert (profile.local_std == 0).all()


@pytest.mark.parametrize("name", ["digits-vgg-qcfs-L8", "digits-resnet-qcfs-L4"])
def test_constant_input_leaves_no_gap_at_t_equal_to_l(name):
    """Also on real images, where float32 puts single neurons on the other side of a level's edge."""
    checkpoint = sl.example(name)
    ann, levels = checkpoint.build(), checkpoint.card.levels
    images = checkpoint.data("calibration", limit=None if "vgg" in name else 100)
    profile = sl.calibration.fit_noise(sl.convert(ann, "nq"), ann, images, num_steps=levels)

    assert profile.std[0] == 0
    assert (profile.std[1:] > 0.01).all()


def test_one_simulation_gives_every_step(resnet, images):
    snn = sl.convert(resnet, "nq")
    together = measure_gaps(snn, resnet, images, steps=(5, 2, 4))

    assert together.steps == (2, 4, 5)
    for step in together.steps:
        alone = sl.calibration.fit_noise(snn, resnet, images, num_steps=step)
        np.testing.assert_array_equal(together.profile(step).std, alone.std)


def test_grouping_of_images_does_not_matter(resnet, images):
    snn = sl.convert(resnet, "nq")
    whole, parts = (measure_gaps(snn, resnet, images, steps=(2, 3), micro_batch=n) for n in (20, 3))
    np.testing.assert_allclose(whole.std, parts.std, rtol=1e-12)
    np.testing.assert_array_equal(whole.zero, parts.zero)
    first, second = (measure_gaps(snn, resnet, part, steps=(2, 3)) for part in (images[:7], images[7:]))
    for site, other, all_of_it in zip(first.sites, second.sites, whole.sites, strict=True):
        site.merge(other)
        np.testing.assert_allclose(site.std(), all_of_it.std(), rtol=1e-12)
        np.testing.assert_array_equal(site.gap_counts, all_of_it.gap_counts)


def test_paper_compat_is_the_mean_of_batch_variances():
    checkpoint = sl.example("digits-vgg-qcfs-L8")
    ann, images = checkpoint.build(), checkpoint.data("calibration", limit=PAPER_BATCH + 20).images()
    snn = sl.convert(ann, "nq")
    paper, pooled = (
        sl.calibration.fit_noise(snn, ann, images, num_steps=2, paper_compat=flag) for flag in (True, False)
    )
    expected = [gaps_literally(prepare(ann).graph, part, 2) for part in (images[:PAPER_BATCH], images[PAPER_BATCH:])]
    for i in (0, 4, 8):
        batches = [list(part.values())[i][0] for part in expected]
        assert paper.std[i] == pytest.approx(paper_std(batches), rel=1e-6)
        assert pooled.std[i] == pytest.approx(pooled_std(batches[0] + batches[1]), rel=1e-6)
    assert not np.allclose(paper.std, pooled.std, rtol=1e-6)


def test_histogram_of_the_gap(resnet, images):
    gaps = measure_gaps(sl.convert(resnet, "nq"), resnet, images, steps=(3, 4))

    assert gaps.lattice == (12, 4)
    for i, (gap, _) in enumerate(literal(resnet, images, 3).values()):
        site, threshold = gaps.sites[i], gaps.thresholds[i]
        assert site.gap_counts[0].sum() == site.count
        places, counts = np.unique(np.round(np.array(gap) / threshold * 12).astype(int), return_counts=True)
        np.testing.assert_array_equal(np.flatnonzero(site.gap_counts[0]), places + GAP_REACH)
        np.testing.assert_array_equal(site.gap_counts[0][places + GAP_REACH], counts)
    assert (lattice_of([8, 8], 9), lattice_of([8], 7), lattice_of([None], 4), lattice_of([4, 8], 8)) == (32, 56, 32, 8)


def test_relu_and_thresholds_by_channel():
    """The gap of the source activation, one threshold a channel; beyond the threshold it is counted as outside."""
    checkpoint = sl.example("digits-vgg-relu")
    ann, images = checkpoint.build(), checkpoint.data("dev", limit=30).images()
    snn = sl.convert(ann, "max_norm", data=images[:5], per_channel=True, sites={"stage1.act1": {"threshold": 0.2}})
    gaps = measure_gaps(snn, ann, images, steps=(4,))

    first, second = (snn.sites[name] for name in ("stage1.act1", "stage1.act2"))
    assert second.threshold.shape == (16, 1, 1)
    assert gaps.levels[0] is None
    assert gaps.lattice == (32,)
    with torch.no_grad():
        graph = prepare(ann).graph.double()
        z = dict(graph.named_modules())["stage1.conv1"](images.double())
        fired = torch.clamp(torch.floor(4 * z / first.threshold.double()), 0, 4)
        gap = torch.relu(z) - first.threshold.double() * fired / 4
    assert gaps.std[0, 0] == pytest.approx(gap.std().item(), rel=1e-6)
    assert gaps.sites[0].outside[0] == (gap > 0.2).sum().item() > 0
    assert gaps.thresholds[1] == pytest.approx(second.threshold.mean().item())
    assert gaps.local_std[0, 0] == pytest.approx(gaps.std[0, 0], rel=1e-6)


def test_the_networks_are_left_alone_and_noise_is_off(resnet, images):
    snn = sl.convert(resnet, "nq")
    quiet = sl.calibration.fit_noise(snn, resnet, images, num_steps=3)
    noisy = quiet.scaled(3).apply(resnet)
    again = sl.calibration.fit_noise(snn, noisy, images, num_steps=3)

    np.testing.assert_array_equal(again.std, quiet.std)
    assert not any(module._forward_hooks for module in [*snn.modules(), *resnet.modules()])
    assert not any(isinstance(module, GaussianNoise) for module in resnet.modules())


def test_a_profile_makes_a_noisy_copy(resnet, images):
    profile = sl.calibration.fit_noise(sl.convert(resnet, "nq"), resnet, images, num_steps=2)
    noisy, still = profile.apply(resnet), profile.scaled(0).apply(resnet)
    with torch.no_grad():
        assert torch.equal(still(images), resnet(images))
        assert not torch.equal(noisy(images), resnet(images))
    for name, std in profile.std_by_site().items():
        assert describe(noisy.get_submodule(name)).std == pytest.approx(std)
    first, second = (noisy.get_submodule(name) for name in profile.names[1:3])
    assert first.seed != second.seed


def test_refusals(resnet, images):
    snn = sl.convert(resnet, "nq")
    with pytest.raises(SimulationError, match="from 1 on; found"):
        sl.calibration.fit_noise(snn, resnet, images, num_steps=0)
    other = sl.example("digits-vgg-qcfs-L8").build()
    with pytest.raises(ConversionError, match="ANN and SNN differ at"):
        sl.calibration.fit_noise(snn, other, images, num_steps=2)
    with pytest.raises(SnnlabError, match="There is no site 'nowhere' in this network"):
        NoiseProfile(("nowhere",), np.ones(1), np.ones(1), 2).apply(resnet)


class TestProfile:
    """Profiles are plain values: changed, stored and read without torch."""

    profile = NoiseProfile(("a", "b", "c"), np.array([1.0, 2.0, 4.0]), np.array([0.1, 0.4, 0.0]), 4, mean=np.ones(3))

    def test_changes(self):
        p = self.profile
        np.testing.assert_allclose(p.scaled(2).std, [0.2, 0.8, 0])
        np.testing.assert_allclose(p.multiplied({"b": 0.5}).std, [0.1, 0.2, 0])
        np.testing.assert_allclose(p.with_std({"c": 1}).std, [0.1, 0.4, 1])
        np.testing.assert_allclose(p.reversed().relative, [0, 0.2, 0.1])
        assert p.uniform().rms == pytest.approx(p.rms) == pytest.approx(math.sqrt((0.01 + 0.04) / 3))
        assert np.ptp(p.uniform().relative) == pytest.approx(0)
        np.testing.assert_array_equal(p.std, [0.1, 0.4, 0.0])

    def test_storage(self, tmp_path):
        p = self.profile
        for again in (NoiseProfile.from_dict(p.to_dict()), NoiseProfile.from_yaml(p.to_yaml())):
            assert again.to_dict() == p.to_dict()
        assert p.to_dict()["sites"][0] == {
            "name": "a", "threshold": 1.0, "std": 0.1, "mean": 1.0, "share_zero": None, "local_std": None, "count": 0,
        }  # fmt: skip
        assert NoiseProfile.from_yaml(p.save(tmp_path / "p.yaml").read_text()).to_dict() == p.to_dict()
        hostile = NoiseProfile(('a: "]\n- ', "b"), np.ones(2), np.ones(2), 1)
        assert NoiseProfile.from_yaml(hostile.to_yaml()).names == hostile.names

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            (lambda p: p.with_std([0.1, 0.2]), "has 3 values, one a site; found 2"),
            (lambda p: p.with_std([0.1, -0.2, 0.0]), "b: the std -0.2 of the noise must be"),
            (lambda p: p.with_std({"a": float("nan")}), "a: the std nan of the noise must be"),
            (lambda p: p.with_std({"a": "x"}), "a: the std 'x' is not a number"),
            (lambda p: p.scaled(-1), "The scale -1 of the noise must be"),
            (lambda p: p.multiplied({"bb": 1}), "There is no site 'bb'"),
            (lambda p: p.multiplied({"b": math.inf}), "b: the multiplier inf"),
            (lambda p: NoiseProfile(p.names, p.thresholds, p.std, 0), "found T = 0"),
            (lambda p: NoiseProfile(p.names, p.thresholds, p.std[:2], 1), "3 values of std, one a site; found 2"),
            (lambda p: NoiseProfile(p.names, -p.thresholds, p.std, 1), "a: the threshold -1 is not"),
            (lambda p: NoiseProfile.from_yaml("[1, 2"), "not valid YAML"),
            (lambda p: NoiseProfile.from_yaml("a: &x 1\nb: *x"), "aliases"),
            (lambda p: NoiseProfile.from_yaml("3"), "num_steps and a list of sites"),
            (lambda p: NoiseProfile.from_yaml("[" * 6000), "too large"),
            (lambda p: NoiseProfile.from_dict({"num_steps": 1, "sites": [{"name": "a"}]}), "no number for threshold"),
            (lambda p: NoiseProfile.from_dict({**p.to_dict(), "num_steps": "4"}), "does not say num_steps"),
            (lambda p: NoiseProfile.from_dict({"num_steps": 1, "sites": 2 * p.to_dict()["sites"]}), "'a' twice"),
        ],
    )
    def test_bad_values_are_one_sentence(self, change, sentence):
        with pytest.raises(SnnlabError, match=sentence) as error:
            change(self.profile)
        assert "\n" not in str(error.value)
