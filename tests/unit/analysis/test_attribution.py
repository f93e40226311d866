"""Attribution of one image: against the written-out reference and captum, completeness, state, threads, bad input."""

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

import snnlab as sl
from snnlab.analysis import attribute
from snnlab.analysis.attribution import spearman
from snnlab.analysis.explained import Explained, Meter
from snnlab.analysis.reports import Report
from snnlab.core.errors import Cancelled, DataError, RecipeError, ShapeError
from snnlab.core.progress import silent
from snnlab.neurons import IntegrateFire
from tests.reference.attribution import integrated_gradients, spiking_logits
from tests.reference.restoration import literally

pytestmark = pytest.mark.filterwarnings("ignore:.*require.*gradients:UserWarning", "ignore:Setting forward:UserWarning")


class Small(nn.Module):
    def __init__(self, activation=nn.ReLU):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1)
        self.act1 = activation()
        self.fc1 = nn.Linear(48, 6)
        self.act2 = activation()
        self.fc2 = nn.Linear(6, 4)

    def forward(self, x):
        return self.fc2(self.act2(self.fc1(self.act1(self.conv(x)).flatten(1))))


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(1)
    return Small().eval()


@pytest.fixture(scope="module")
def image():
    return torch.rand(1, 4, 4, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def spiking(small):
    data = torch.rand(64, 1, 4, 4, generator=torch.Generator().manual_seed(3))
    return sl.convert(small, "percentile_norm", data=data, initial_fraction=0.5)


def explained(small, spiking, image, **options):
    return attribute(small, spiking, image, **{"steps": [1, 3], **options})


def test_integrated_gradients_of_a_linear_network_are_complete():
    network = Small().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()  # on images above 0 every ReLU is open: the logits are linear
    x = torch.rand(1, 4, 4, generator=torch.Generator().manual_seed(4))
    snn = sl.convert(network, "percentile_norm", data=torch.rand(8, 1, 4, 4))

    report = attribute(network, snn, x, steps=[2], target=1, integration_steps=2)

    assert abs(report.completeness_error[0]) < 1e-5 * abs(report.outputs[0, 0])
    jacobian = torch.autograd.functional.jacobian(lambda z: network(z)[0, 1], x[None])[0]
    assert torch.from_numpy(report.maps[0]) == pytest.approx((jacobian * x).sum(0).numpy(), rel=1e-4, abs=1e-6)


def test_integrated_gradients_equal_the_reference(small, spiking, image):
    report = explained(small, spiking, image, target=2, integration_steps=7, baseline=0.1)

    x, x0 = image[None], torch.full_like(image[None], 0.1)
    ann = integrated_gradients(copy.deepcopy(small).requires_grad_(False), x, x0, 2, 7)
    assert report.maps[0] == pytest.approx(ann[0].sum(0).numpy(), rel=1e-3, abs=1e-6)
    for place, step in enumerate((1, 3), start=1):
        snn = integrated_gradients(spiking_logits(spiking, step), x, x0, 2, 7)
        assert report.maps[place] == pytest.approx(snn[0].sum(0).numpy(), rel=1e-3, abs=1e-5)
        assert np.abs(report.maps[place]).max() > 0
        assert report.outputs[place, 0] == pytest.approx(float(spiking_logits(spiking, step)(x)[0, 2]), rel=1e-4)


def test_a_unit_of_charge_lets_at_most_one_go_out():
    neuron = IntegrateFire(2.0, initial_fraction=0.25)
    shell = Explained(nn.Sequential(neuron), (), None, Meter(silent)).network[0]
    currents = torch.tensor([0.3, 1.9, 0.4, 2.2, -0.5, 0.8], requires_grad=True)

    out = torch.stack([shell(current[None]) for current in currents]).sum()
    out.backward()

    v, k = 0.5, []
    for current in currents.tolist():
        u = (v + current - 2.0) / 2.0
        k.append(1 / (1 + (np.pi * u) ** 2))
        v = v + current - 2.0 * (u >= 0)
    wanted = [1 - np.prod([1 - each for each in k[s:]]) for s in range(len(k))]
    assert currents.grad.numpy() == pytest.approx(wanted, rel=1e-5)
    assert neuron.detaches_reset  # the caller's neuron is left as it was


def test_saliency_and_input_x_gradient_are_captum_s(small, spiking, image):
    from captum.attr import InputXGradient, Saliency

    own = copy.deepcopy(small).requires_grad_(False)
    x = image[None].clone().requires_grad_()

    found = explained(small, spiking, image, method="input_x_gradient", target=0)
    assert found.maps[0] == pytest.approx(InputXGradient(own).attribute(x, target=0)[0, 0].detach().numpy(), rel=1e-4)
    found = explained(small, spiking, image, method="saliency", target=0)
    assert found.maps[0] == pytest.approx(Saliency(own).attribute(x, target=0)[0, 0].detach().numpy(), rel=1e-4)
    assert np.isnan(found.completeness_error).all()


def test_grad_cam_and_sites_are_captum_s_on_the_ann(small, spiking, image):
    from captum.attr import LayerGradCam, LayerGradientXActivation

    own = copy.deepcopy(small).requires_grad_(False)
    x = image[None].clone().requires_grad_()
    found = explained(small, spiking, image, method="gradcam", target=1)
    cam = LayerGradCam(own, own.act1).attribute(x, target=1, relu_attributions=True)
    assert found.maps[0] == pytest.approx(cam[0, 0].detach().numpy(), rel=1e-4, abs=1e-7)

    sites = LayerGradientXActivation(own, [own.act1, own.act2]).attribute(x, target=1)
    assert found.site_evidence[0] == pytest.approx([float(each.detach().sum()) for each in sites], rel=1e-4)
    assert found.site_correlation[0].tolist() == [1.0, 1.0]


def test_occlusion_of_a_window_is_what_the_logit_loses(small, spiking):
    x = torch.rand(1, 2, 2, generator=torch.Generator().manual_seed(8))
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)).eval()
    snn = sl.convert(network, "max_norm", data=torch.rand(16, 1, 2, 2))

    report = attribute(network, snn, x, method="occlusion", target=1, steps=[4])  # one window hides the whole image

    assert report.maps[:, 0, 0] == pytest.approx(report.outputs[:, 0] - report.outputs[:, 1], abs=1e-5)


def test_every_pass_starts_anew_whatever_its_batch(spiking, image):
    network = Explained(spiking, ("act1", "act2"), 3, Meter(silent))
    first = network(image[None])
    network(image.expand(5, 1, 4, 4))

    assert torch.equal(network(image[None]), first)
    assert torch.allclose(network(image.expand(7, 1, 4, 4)), first.expand(7, 4))
    assert all(neuron.mem is None for neuron in spiking.sites.values())


def test_batches_change_nothing(small, spiking, image, monkeypatch):
    whole = explained(small, spiking, image, integration_steps=9)
    monkeypatch.setattr("snnlab.analysis.attribution._MEMORY", 1)
    assert explained(small, spiking, image, integration_steps=9).maps == pytest.approx(whole.maps, abs=1e-6)


@pytest.mark.parametrize("method", ["ig", "deeplift"])
def test_threads_share_the_networks(small, spiking, image, method):
    before = copy.deepcopy(small.state_dict())
    alone = explained(small, spiking, image, method=method, integration_steps=5)
    with ThreadPoolExecutor(4) as threads:
        every = list(
            threads.map(lambda _: explained(small, spiking, image, method=method, integration_steps=5), range(8))
        )
    assert all(np.array_equal(each.maps, alone.maps) for each in every)
    assert all(torch.equal(value, before[name]) for name, value in small.state_dict().items())
    assert not any(module._forward_hooks or module._backward_hooks for module in small.modules())
    assert image.grad is None
    assert not image.requires_grad


def test_deeplift_is_complete_on_relu_and_refused_elsewhere(small, spiking, image):
    report = explained(small, spiking, image, method="deeplift")
    assert report.steps == ()
    assert abs(report.completeness_error[0]) < 1e-5
    assert "the ANN alone" in report.notes[0]

    quantized = Small(lambda: sl.example("digits-vgg-qcfs-L8").build().get_submodule("stage1.act1")).eval()
    with pytest.raises(DataError, match="none for QCFS, which stands at act1; choose ig"):
        attribute(quantized, sl.convert(quantized, "qcfs"), image, method="deeplift")


def test_deeplift_is_refused_where_a_module_is_used_twice(spiking, image):
    class Twice(Small):
        def forward(self, x):
            return self.fc2(self.act1(self.fc1(self.act1(self.conv(x)).flatten(1))))

    with pytest.raises(DataError, match="act1 is used twice"):
        attribute(Twice().eval(), spiking, image, method="deeplift")


def test_curves_begin_and_end_at_image_and_baseline(small, spiking, image):
    report = explained(small, spiking, image, target=3)
    chance = torch.softmax(small(torch.stack([image, torch.zeros_like(image)])), 1)[:, 3].tolist()
    assert report.fractions[[0, -1]].tolist() == [0.0, 1.0]
    assert report.deletion[0, [0, -1]] == pytest.approx(chance, rel=1e-5)
    assert report.insertion[0, [0, -1]] == pytest.approx(chance[::-1], rel=1e-5)
    assert report.insertion[:, -1] == pytest.approx(report.deletion[:, 0])
    most = np.unravel_index(np.argmax(report.maps[0]), (4, 4))
    without = image.clone()
    without[0, most[0], most[1]] = 0
    assert report.deletion[0, 1] == pytest.approx(float(torch.softmax(small(without[None]), 1)[0, 3]), rel=1e-5)


def test_shuffled_weights_change_the_map(small, spiking, image):
    report = explained(small, spiking, image)
    again, other = explained(small, spiking, image), explained(small, spiking, image, seed=5)
    assert abs(report.shuffled[0]) < 0.95
    assert np.isfinite(report.shuffled[:2]).all()
    assert np.isnan(report.shuffled[2])
    assert np.array_equal(report.shuffled, again.shuffled, equal_nan=True)
    assert report.shuffled[0] != other.shuffled[0]
    one = Explained(small, ("act1",), None, Meter(silent)).shuffled(0).network
    assert sorted(one.fc1.weight.flatten().tolist()) == sorted(small.fc1.weight.flatten().tolist())
    assert not torch.equal(one.fc1.weight, small.fc1.weight)
    assert torch.equal(one.fc1.bias, small.fc1.bias)


def test_an_image_that_is_the_baseline_has_no_evidence(small, spiking):
    report = explained(small, spiking, torch.full((1, 4, 4), 0.5), baseline=0.5)
    assert not report.maps.any()
    assert np.isnan(report.rank_correlation).all()
    assert "is the baseline itself" in report.notes[0]
    assert report.completeness_error == pytest.approx(0, abs=1e-6)


def test_a_constant_image_is_explained(small, spiking):
    report = explained(small, spiking, torch.ones(1, 4, 4))
    assert np.isfinite(report.maps).all()
    assert report.picture.min() == report.picture.max() == 0


def test_a_silent_site_is_told(small, spiking, image):
    silent_site = sl.convert(
        small, "max_norm", data=torch.rand(16, 1, 4, 4), sites={"act1": {"threshold": 1e4, "v0": 0.0}}
    )
    report = explained(small, silent_site, image)
    assert report.site_active[1, 0] == 0
    assert np.isnan(report.site_correlation[1, 0])
    assert "All of act1" in report.notes[0]


def test_restored_sites_are_the_literal_ones(grid_network, grid_images):
    sites, steps = ("act1", "act2", "act3"), (1, 2, 5)
    snn = sl.convert(grid_network, "qcfs")
    report = attribute(grid_network, snn, grid_images[4], steps=steps, target=1, method="saliency")

    assert report.sites == sites
    for column, group in enumerate([(), *((name,) for name in sites)]):
        logits = literally(grid_network, grid_images[4:5], group, 5)[:, 0]
        assert report.restored[:, column] == pytest.approx([logits[t - 1, 1] for t in steps], abs=1e-6)
        assert report.restored_predicted[:, column].tolist() == [logits[t - 1].argmax() for t in steps]
    assert report.restored[:, 0] == pytest.approx(report.outputs[1:, 0], abs=1e-5)  # nothing restored: the SNN
    assert report.restored[:, -1] == pytest.approx(report.outputs[0, 0], abs=1e-5)  # behind the last site all is linear
    frame = report.restored_frame()
    assert frame["gap"].to_numpy() == pytest.approx((report.restored - report.outputs[0, 0]).ravel())
    assert len(frame) == len(steps) * (1 + len(sites))


def test_the_site_that_brings_the_answer_back_is_named():
    checkpoint = sl.example("digits-vgg-qcfs-L8")
    ann, images = checkpoint.build(), checkpoint.data("dev", limit=40)
    broken = sl.convert(ann, "qcfs", sites={"stage2.act3": {"threshold": 0.2}})
    x = images.batch(0, 40)
    with torch.no_grad():
        wrong = ann(x).argmax(1).numpy() != sl.simulate(broken, x, num_steps=8).predictions[-1]
    report = attribute(ann, broken, x[int(wrong.argmax())], steps=[8], method="saliency")

    (row,) = report.restored_summary().to_dict("records")
    assert not row["agrees"]
    assert row["returned_by"] == "stage2.act3" == row["halved_by"]
    assert row["returning"] == len(report.sites) - report.sites.index("stage2.act3")
    assert report.restored_frame()["returns"].tolist().count(True) == row["returning"]


def test_a_warm_up_is_restored_too_and_starts_at_the_least_steps(grid_network, grid_images):
    cos = sl.convert(grid_network, "cos", rho=3)
    report = attribute(grid_network, cos, grid_images[0], method="saliency")
    assert report.steps == (3, 4, 8)
    logits = sl.simulate(cos, grid_images[:1], num_steps=8).logits[[2, 3, 7], 0, report.target]
    assert report.restored[:, 0] == pytest.approx(logits, abs=1e-6)
    with torch.no_grad():
        ann = float(grid_network(grid_images[:1])[0, report.target])
    assert report.restored[:, -1] == pytest.approx(ann, abs=1e-5)  # behind the last site all is linear


def test_a_map_that_is_tiny_beside_the_ann_s_is_told(small, image):
    data = torch.rand(64, 1, 4, 4, generator=torch.Generator().manual_seed(3))
    # No potential comes near a threshold this high: next to no derivative passes, in the order of the ANN's.
    quiet = sl.convert(small, "max_norm", data=data, sites={"act2": {"threshold": 1e4, "v0": 0.0}})
    report = explained(small, quiet, image, integration_steps=5)

    wanted = np.abs(report.maps).sum(axis=(1, 2)) / np.abs(report.maps[0]).sum()
    assert report.strength == pytest.approx(wanted)
    assert 0 < report.strength[1] < 0.05
    assert report.strength[2] > 0.1
    assert f"At T = 1 the SNN's map holds {100 * report.strength[1]:.2g} % of the ANN's evidence" in report.remarks[-1]
    plain = explained(small, sl.convert(small, "max_norm", data=data), image, steps=[8], integration_steps=5)
    assert plain.strength[1] > 0.1
    assert plain.remarks == plain.notes


def test_targets(small, spiking, image):
    ann = int(small(image[None]).argmax())
    assert (explained(small, spiking, image).target, explained(small, spiking, image, target=2).target) == (ann, 2)
    snn = explained(small, spiking, image, target="snn")
    assert snn.target == snn.predicted[-1]
    assert explained(small, spiking, image, target="true", label=1).target == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"target": 4}, "no class 4; the network tells 4 apart, 0 to 3"),
        ({"target": -1}, "no class -1"),
        ({"target": "true"}, "no true class; choose a class"),
        ({"target": "cat"}, "no class 'cat'"),
        ({"method": "lime"}, "no attribution method 'lime'; choose one of ig"),
        ({"steps": []}, "at least 1"),
        ({"steps": [0, 2]}, "at least 1"),
    ],
)
def test_what_cannot_be_explained_is_said(small, spiking, image, options, sentence):
    with pytest.raises(RecipeError, match=sentence):
        explained(small, spiking, image, **options)


def test_images_that_do_not_fit(small, spiking, image):
    with pytest.raises(ShapeError, match=r"has shape \(C, H, W\); found \(1, 1, 4, 4\)"):
        explained(small, spiking, image[None])
    with pytest.raises(ShapeError, match="they must agree"):
        explained(small, spiking, image, baseline=torch.zeros(1, 2, 2))
    with pytest.raises(DataError, match="NaN"):
        explained(small, spiking, image * torch.nan)
    with pytest.raises(DataError, match="does not fit"):
        explained(small, spiking, torch.rand(1, 6, 6))
    flat = nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 3)).eval()
    snn = sl.convert(flat, "max_norm", data=torch.rand(16, 1, 4, 4))
    with pytest.raises(DataError, match="this network has none; choose ig"):
        attribute(flat, snn, image, method="gradcam")


def test_progress_counts_to_the_end_and_cancels(small, spiking, image):
    calls = []
    explained(small, spiking, image, progress=lambda done, total, what: calls.append((done, total)))
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert calls[-1][0] > 0.9 * calls[-1][1]

    def stop(done, total, what):
        raise Cancelled

    with pytest.raises(Cancelled):
        explained(small, spiking, image, progress=stop)


def test_the_report_is_kept_without_loss(small, spiking, image):
    report = explained(small, spiking, image)
    values, arrays = report.payload()
    again = Report.from_payload(values, arrays)
    assert again.to_frame().equals(report.to_frame())
    assert again.site_frame().equals(report.site_frame())
    assert again.restored_summary().equals(report.restored_summary())
    older = Report.from_payload(
        {**values, "restored": None, "restored_predicted": None},
        {name: array for name, array in arrays.items() if not name.startswith("restored")},
    )  # as versions before this field stored it
    assert older.restored_frame().empty
    assert report.to_frame()["network"].tolist() == ["ANN", "SNN, T = 1", "SNN, T = 3"]


def test_rank_correlation():
    assert spearman(np.array([1, 2, 3]), np.array([9, 5, 1])) == -1.0
    assert np.isnan(spearman(np.ones(3), np.arange(3)))
    assert spearman(np.array([1.0, 1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx(0.9486833)
