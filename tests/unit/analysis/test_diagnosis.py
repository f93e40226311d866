"""The diagnosis names the culprit of networks that were broken at a known place in a known way."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

import snnlab as sl
from snnlab.analysis.diagnosis import diagnose
from snnlab.analysis.diagnosis_rules import RULES
from snnlab.analysis.reports import Diagnosis, NormalizationReport, Report
from snnlab.analysis.site_repairs import FACTORS, FRACTIONS, site_repairs

VGG, RESNET, RELU = "digits-vgg-qcfs-L8", "digits-resnet-qcfs-L4", "digits-vgg-relu"


@pytest.fixture(scope="module")
def networks():
    """Name -> ANN, its healthy conversion, images, a T at which that is nearly as good as the ANN."""
    found = {}
    for name, num_steps in ((VGG, 8), (RESNET, 4), (RELU, 16)):
        ckpt = sl.example(name)
        ann = ckpt.build()
        given = {"initial_fraction": 0.5, "data": ckpt.data("calibration")} if name == RELU else {}
        snn = sl.convert(ann, "percentile_norm" if name == RELU else "qcfs", **given)
        found[name] = ann, snn, ckpt.data("dev", limit=32), num_steps
    return found


def broken(snn, site, **edit):
    """The conversion with another threshold (as a factor) or v(0) at one site."""
    if "factor" in edit:
        edit = {"threshold": edit["factor"] * float(snn.sites[site].threshold.mean())}
    from snnlab.simulation.edits import with_edits

    return with_edits(snn, {site: edit})


def sites_of(snn):
    names = list(snn.sites)
    return names[1], names[len(names) // 2], names[-2]


@pytest.mark.parametrize(("name", "place"), [(VGG, 0), (VGG, 1), (VGG, 2), (RESNET, 1), (RELU, 2)])
@pytest.mark.parametrize(("edit", "cause"), [({"factor": 0.5}, "low"), ({"factor": 4.0}, "high")])
def test_a_wrong_threshold_is_named(networks, name, place, edit, cause):
    ann, snn, images, num_steps = networks[name]
    site = sites_of(snn)[place]
    first = diagnose(broken(snn, site, **edit), ann, images, num_steps=num_steps).found()[0]
    assert (first.rule, first.site) == ("threshold", site)
    assert f"too {cause}" in first.words
    proposed = first.changes["converter"]["sites"][site]["threshold"]
    fitting = float(snn.sites[site].threshold.mean())
    assert 0.5 < proposed / fitting < 2, "what it proposes lies near what stood there"
    if name != RELU:
        assert proposed == pytest.approx(fitting, rel=1e-4), "the learned one"


@pytest.mark.parametrize(("name", "place"), [(VGG, 0), (VGG, 2), (RESNET, 1), (RELU, 2)])
@pytest.mark.parametrize("v0", [-0.5, 0.0, 1.0])
def test_a_wrong_potential_is_named(networks, name, place, v0):
    ann, snn, images, num_steps = networks[name]
    site = sites_of(snn)[place]
    first = diagnose(broken(snn, site, v0=v0), ann, images, num_steps=num_steps).found()[0]
    assert (first.rule, first.site) == ("v0", site)
    assert first.changes["converter"]["sites"][site]["v0"] == pytest.approx(0.5, abs=0.25)


@pytest.mark.parametrize("name", [VGG, RESNET])
def test_a_bias_that_only_the_snn_has_is_named(networks, name):
    ann, snn, images, num_steps = networks[name]
    shifted = copy.deepcopy(snn)
    layers = [n for n, m in shifted.graph.named_modules() if isinstance(m, torch.nn.Conv2d) and m.bias is not None]
    layer = layers[3]
    with torch.no_grad():
        shifted.graph.get_submodule(layer).bias[0] += 1.0
    first = diagnose(shifted, ann, images, num_steps=num_steps).found()[0]
    assert first.rule == "weights"
    assert f"{layer}.bias" in first.words
    nodes = [str(node.target) for node in shifted.graph.graph.nodes if node.op == "call_module"]
    behind = next(node for node in nodes[nodes.index(layer) :] if node in shifted.sites)
    assert first.site == behind
    assert not first.changes, "no recipe can mend it"


def test_a_last_layer_that_is_not_the_anns_is_named(networks):
    ann, snn, images, num_steps = networks[VGG]
    shifted = copy.deepcopy(snn)
    layer = [n for n, m in shifted.graph.named_modules() if isinstance(m, torch.nn.Linear)][-1]
    with torch.no_grad():
        shifted.graph.get_submodule(layer).bias[0] += 1.0
    first = diagnose(shifted, ann, images, num_steps=num_steps).found()[0]
    assert (first.rule, first.site) == ("weights", "")
    assert f"{layer}.bias, behind the last site," in first.words


def test_thresholds_that_a_method_chose_are_not_held_against_the_learned_ones(networks):
    ann, _, images, num_steps = networks[VGG]
    fit = sl.example(VGG).data("calibration", limit=64)
    snn = sl.convert(ann, "alpha_beta", data=fit, num_steps=num_steps)
    assert not any("the learned one" in each.words for each in diagnose(snn, ann, images, num_steps=8).found())


def test_a_profile_that_is_tripled_at_one_site_is_named(networks):
    ann, snn, images, num_steps = networks[VGG]
    measured = sl.calibration.fit_noise(snn, ann, images, num_steps=2)
    drawn = measured.multiplied({"stage2.act2": 3.0})
    first = diagnose(snn, ann, images, num_steps=num_steps, drawn=drawn, measured=measured).found()[0]
    assert (first.rule, first.site) == ("noise", "stage2.act2")
    assert "3.00 times the measured gap" in first.words
    assert not any(
        each.rule == "noise"
        for each in diagnose(snn, ann, images, num_steps=num_steps, drawn=measured.scaled(2), measured=measured).found()
    ), "the same factor everywhere is no one's fault"


def test_a_wrong_normalisation_is_named(networks):
    ann, snn, images, num_steps = networks[VGG]
    report = NormalizationReport(("unit", "mnist"), np.array([480, 200]), 500, "digits", "mnist")
    first = diagnose(snn, ann, images, num_steps=num_steps, normalization=report).found()[0]
    assert first.rule == "normalization"
    assert first.changes == {"data": {"normalize": "unit"}}
    fine = dataclasses.replace(report, chosen="unit")
    assert not any(
        each.rule == "normalization"
        for each in diagnose(snn, ann, images, num_steps=num_steps, normalization=fine).found()
    )


@pytest.mark.parametrize("name", [VGG, RESNET, RELU])
def test_a_healthy_conversion_has_no_culprit(networks, name):
    ann, snn, images, num_steps = networks[name]
    for step in (2, num_steps):
        found = diagnose(snn, ann, images, num_steps=step).found()
        assert len(found) <= 5
        assert {each.rule for each in found} <= {
            "v0_everywhere", "threshold_everywhere", "uneven", "resolution"
        }  # fmt: skip
    few = diagnose(snn, ann, images, num_steps=2).found()
    assert "resolution" in {each.rule for each in few}
    assert next(each for each in few if each.rule == "resolution").changes == {"num_steps": 4}


def test_potentials_that_are_wrong_everywhere_are_one_finding(networks):
    ann, _, images, num_steps = networks[VGG]
    snn = sl.convert(ann, "qcfs", initial_fraction=0.0)
    first = diagnose(snn, ann, images, num_steps=num_steps).found()[0]
    assert (first.rule, first.site) == ("v0_everywhere", "")
    assert set(first.changes["converter"]["sites"]) == set(snn.sites)


def test_what_restoring_a_site_regains_stands_beside_it(networks):
    ann, snn, images, num_steps = networks[VGG]
    site = "stage2.act1"
    report = diagnose(broken(snn, site, factor=0.25), ann, images, num_steps=num_steps)
    first = report.found()[0]
    lost = report.ann_correct.mean() - report.snn_correct.mean()
    assert 0 < first.regained <= lost + 1e-9, "what lies before the site is healthy"
    assert first.low <= first.regained <= first.high
    assert all(each.regained is None for each in report.found() if not each.site)
    without = diagnose(broken(snn, site, factor=0.25), ann, images.images(), num_steps=num_steps)
    assert without.found()[0].regained is None, "no labels, no accuracy"
    assert not len(without.ann_correct)
    kept = Report.from_payload(*report.payload())
    assert isinstance(kept, Diagnosis)
    assert kept.found() == report.found()
    frame = kept.to_frame()
    assert frame.loc[0, "site"] == site
    assert list(frame["rank"]) == list(range(1, len(frame) + 1))


def test_own_errors_are_those_of_a_literal_count(networks):
    ann, snn, images, _ = networks[RESNET]
    few = images.images()[:4]
    found = {each.name: each for each in site_repairs(snn, ann, few, num_steps=3)}
    seen = {}
    hooks = [
        ann.get_submodule(name).register_forward_hook(
            lambda module, given, out, name=name: seen.update({name: (given[0].double(), out.double())})
        )
        for name in found
    ]
    with torch.inference_mode():
        ann.eval()(few)
    for hook in hooks:
        hook.remove()
    for name in ("stem.act", "layer2.1.act2"):
        z, a = (each.numpy() for each in seen[name])
        theta = float(snn.sites[name].threshold)

        def own(threshold, start, z=z, a=a):
            error = threshold * np.clip(np.floor((3 * z + start) / threshold), 0, 3) / 3 - a
            return (error**2).sum() / (a**2).sum()

        assert found[name].own == pytest.approx(own(theta, theta / 2), abs=2e-4)
        assert found[name].by_factor[8] == pytest.approx(own(FACTORS[8] * theta, FACTORS[8] * theta / 2), abs=2e-4)
        assert found[name].by_fraction[3] == pytest.approx(own(theta, FRACTIONS[3] * theta), abs=2e-4)


def test_every_rule_is_named_once():
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)


def test_what_a_finding_is_worth_is_tried_under_a_warm_up_too(networks):
    ann, _, images, num_steps = networks[VGG]
    first = diagnose(
        broken(sl.convert(ann, "srp"), "stage2.act1", factor=0.25), ann, images, num_steps=num_steps
    ).found()[0]
    assert (first.rule, first.site) == ("threshold", "stage2.act1")
    assert 0 < first.low <= first.regained <= first.high
