"""Synaptic operations: counted by hand, one by one, and while a simulation runs."""

import numpy as np
import pytest
import torch
from torch import nn

import snnlab as sl
from snnlab.analysis.reports import ActivityReport, Conventions, Report
from snnlab.core.errors import SnnlabError
from tests.reference.operations import count_literally, reached, spikes_literally


def converted(network, *shape, **options):
    """A spiking network, and four random images that it was calibrated on."""
    torch.manual_seed(0)
    for parameter in network.parameters():
        nn.init.uniform_(parameter, 0.01, 1.0)  # every neuron has something to fire for
    images = torch.rand(4, *shape)
    method = options.pop("method", "max_norm")
    data = images if method == "max_norm" else options.pop("data", None)
    return sl.convert(network.eval(), method, **({"data": data} if data is not None else {}), **options), images


def fired(snn, image_shape, spikes):
    """The report of given spikes, site name -> (T, n, ...), all at threshold 1 of their site."""
    steps = len(next(iter(spikes.values())))
    counter = sl.analysis.ActivityCounter(snn, torch.zeros(1, *image_shape), num_steps=steps)
    for name, given in spikes.items():
        counter(name, given * snn.sites[name].threshold, 0)
    return counter.report(split="dev")


def row(report, name):
    return report.names.index(name)


def test_a_linear_layer_by_hand():
    snn, _ = converted(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 5)), 4)
    spikes = torch.tensor([[[1.0, 0, 1], [0, 0, 0]], [[1, 1, 1], [0, 1, 0]]])  # 2 steps, 2 images, 3 neurons
    report = fired(snn, (4,), {"1": spikes})
    assert report.syn_ops[row(report, "2")].tolist() == [10, 20]  # 2 spikes x 5, then 4 spikes x 5
    assert report.per_image(1) == 5.0
    assert report.per_image(2) == 15.0
    assert report.ann_macs.tolist() == [12, 15]
    assert report.inputs == ("image", "spikes")
    assert report.firing_rates(2).tolist() == [0.5]


def test_a_padded_convolution_by_hand():
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.Conv2d(1, 2, 3, padding=1))
    snn, _ = converted(network, 1, 3, 3)
    corner, edge, centre = (torch.zeros(1, 1, 1, 3, 3) for _ in range(3))
    corner[..., 0, 0] = edge[..., 0, 1] = centre[..., 1, 1] = 1
    for spikes, expected in ((corner, 2 * 4), (edge, 2 * 6), (centre, 2 * 9), (torch.ones(1, 1, 1, 3, 3), 98)):
        report = fired(snn, (1, 3, 3), {"1": spikes})
        assert report.syn_ops[row(report, "2")].tolist() == [expected]
    assert report.ann_macs.tolist() == [9, 98]  # 2 x (4 x 4 + 4 x 6 + 9)
    assert report.nominal_macs.tolist() == [9, 162]  # 2 x 9 x 9, as if no input lay in the padding


def test_a_strided_convolution_by_hand():
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.Conv2d(1, 4, 2, stride=2))
    snn, _ = converted(network, 1, 5, 5)
    report = fired(snn, (1, 5, 5), {"1": torch.ones(1, 1, 1, 5, 5)})
    assert report.syn_ops[row(report, "2")].tolist() == [4 * 16]  # the last row and column reach nothing
    last = torch.zeros(1, 1, 1, 5, 5)
    last[..., 4, :] = 1
    assert fired(snn, (1, 5, 5), {"1": last}).per_image(1) == 0.0


def test_a_grouped_convolution_by_hand():
    network = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Conv2d(4, 6, 1, groups=2))
    snn, _ = converted(network, 1, 2, 2)
    report = fired(snn, (1, 2, 2), {"1": torch.ones(1, 1, 4, 2, 2)})
    assert report.syn_ops[row(report, "2")].tolist() == [4 * 4 * 3]  # 4 channels x 4 pixels x 3 outputs of the group
    assert report.ann_macs.tolist() == [16, 48]


class Residual(nn.Module):
    """A stem, one layer beside an identity, and a read-out."""

    def __init__(self):
        super().__init__()
        self.stem, self.act1 = nn.Linear(2, 3), nn.ReLU()
        self.middle, self.act2 = nn.Linear(3, 3), nn.ReLU()
        self.out = nn.Linear(3, 2)

    def forward(self, x):
        x = self.act1(self.stem(x))
        return self.out(self.act2(self.middle(x) + x))


def test_a_residual_connection_by_hand():
    snn, _ = converted(Residual(), 2)
    spikes = {"act1": torch.tensor([[[1.0, 1, 0]]]), "act2": torch.tensor([[[0.0, 0, 1]]])}
    report = fired(snn, (2,), spikes)
    assert report.names == ("stem", "middle", "act2 (shortcut)", "out")
    assert report.syn_ops[:, 0].tolist() == [0, 6, 2, 2]
    assert report.ann_adds.tolist() == [0, 0, 3, 0]
    assert report.operations(1).acs == 10.0
    assert report.operations(1, Conventions(residual_adds=False)).acs == 8.0
    assert report.operations(1, Conventions(biases=True)).acs == 10.0 + 3 + 3 + 2
    macs, acs = report.ann_operations(Conventions(biases=True))
    assert (macs.sum(), acs.sum()) == (6 + 9 + 6, 8 + 3)


def test_what_no_layer_stands_before_is_called_so():
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.AvgPool2d(4), nn.Flatten())
    snn, _ = converted(network, 1, 4, 4)
    spikes = torch.zeros(1, 1, 2, 4, 4)
    spikes[..., 0, 1, 2] = 1
    report = fired(snn, (1, 4, 4), {"1": spikes})
    assert report.names == ("0", "read-out (no layer before)")
    assert report.syn_ops[:, 0].tolist() == [0, 1]


def test_an_average_pool_by_hand():
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4, 3))
    snn, _ = converted(network, 1, 4, 4)
    spikes = torch.zeros(1, 1, 1, 4, 4)
    spikes[..., 0, :2] = 1  # two spikes in one window
    spikes[..., 3, 3] = 1  # one in another
    report = fired(snn, (1, 4, 4), {"1": spikes})
    assert report.inputs == ("image", "pooled")
    assert report.operations(1).acs == 3 * 3  # folded: each spike reaches 3 outputs
    separate = report.operations(1, Conventions(pooled="separate"))
    assert separate.acs == 3  # one addition a spike in the pool
    assert separate.macs - report.ann_macs[0] == 2 * 3  # two pooled values that are not 0, 3 outputs each


def test_the_first_layer_each_step_or_once():
    snn, images = converted(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 5)), 4)
    report = sl.analysis.synaptic_operations(snn, images, num_steps=6)
    each, once = report.operations(6), report.operations(6, Conventions(first_layer="once"))
    assert each.macs == 6 * 12
    assert once.macs == 12
    assert once.acs == each.acs + 6 * 3  # what is kept of the image is added to 3 neurons at every step


def test_a_group_neuron_counts_every_spike():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 3), sl.activations.QCFS(1.0, 4), nn.Linear(3, 5)).eval()
    snn = sl.convert(network, "group_neuron")
    report = fired(snn, (4,), {"1": torch.tensor([[[3.0, 0, 2]]])})
    assert report.spikes.tolist() == [[5]]
    assert report.per_image(1) == 25.0


def test_a_warm_up_counts_for_energy_and_not_for_firing_rates(checkpoint, ann):
    snn, images = sl.convert(ann, "srp"), checkpoint.data("dev", limit=5)
    report = sl.analysis.synaptic_operations(snn, images, num_steps=2, micro_batch=2)
    warm = snn.warm_up_steps
    assert report.warm_up_steps == warm > 0
    without = sl.analysis.ActivityCounter(snn, images.batch(0, 1), num_steps=2)
    recording = sl.simulate(snn, images, num_steps=2, observe=without)
    alone = without.report()
    assert (report.syn_ops[1:, 0] > alone.syn_ops[1:, 0]).any()
    assert np.array_equal(report.syn_ops[:, 1], alone.syn_ops[:, 1])
    assert np.array_equal(report.firing_rates(2), alone.firing_rates(2))
    assert report.spikes.sum() == sum(site.total_spikes for site in recording.sites.values())
    first = report.layer_operations(2)[0][0]
    assert first == (2 + warm) * report.ann_macs[0]


def test_a_negative_spike_costs_as_much():
    snn, _ = converted(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 5)), 4)
    report = fired(snn, (4,), {"1": torch.tensor([[[1.0, 0, -1]]])})
    assert report.per_image(1) == 10.0


SEGMENTS = {
    "same": nn.Conv2d(2, 3, 4, padding="same"),
    "dilated": nn.Conv2d(2, 3, 3, padding=2, dilation=2),
    "mixed": nn.Conv2d(2, 4, (3, 1), stride=(2, 3), padding=(0, 1), groups=2),
    "circular": nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"),
    "reflected": nn.Conv2d(2, 2, 3, padding=2, padding_mode="reflect"),
    "replicated": nn.Conv2d(2, 2, 3, stride=2, padding=1, padding_mode="replicate"),
    "pooled": nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(2, 3, 3, padding=1)),
    "overlapping": nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), nn.Conv2d(2, 3, 2, stride=2)),
    "rounded up": nn.Sequential(nn.AvgPool2d(2, stride=3, ceil_mode=True), nn.Conv2d(2, 3, 1)),
    "adaptive": nn.Sequential(nn.AdaptiveAvgPool2d((3, 2)), nn.Flatten(), nn.Linear(12, 3)),
    "global": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3)),
    "padded": nn.Sequential(nn.ZeroPad2d((1, 0, 2, 1)), nn.Conv2d(2, 3, 2, stride=2)),
    "flat": nn.Sequential(nn.Dropout(), nn.Flatten(), nn.Linear(2 * 5 * 6, 4)),
}


@pytest.mark.parametrize("name", SEGMENTS)
def test_fan_outs_equal_those_found_one_input_at_a_time(name):
    segment = SEGMENTS[name]
    network = nn.Sequential(
        nn.Conv2d(2, 2, 1), nn.ReLU(), *(segment if isinstance(segment, nn.Sequential) else [segment])
    )
    snn, _ = converted(network, 2, 5, 6)
    expected = reached(segment.eval(), (2, 5, 6))
    for at in range(0, 60, 7):
        one = torch.zeros(60)
        one[at] = 1
        report = fired(snn, (2, 5, 6), {"1": one.reshape(1, 1, 2, 5, 6)})
        assert report.per_image(1) == expected.reshape(-1)[at]
    assert fired(snn, (2, 5, 6), {"1": torch.ones(1, 1, 2, 5, 6)}).per_image(1) == expected.sum()


def test_a_simulation_counts_as_the_literal_one(grid_network, grid_images):
    snn = sl.convert(grid_network, "qcfs")
    report = sl.analysis.synaptic_operations(snn, grid_images[:6], num_steps=4)
    literal = count_literally(snn, grid_images[:6], 4)
    direct = [i for i, given in enumerate(report.inputs) if given == "spikes" and report.kinds[i] != "shortcut"]
    assert len(direct) >= 2
    for i in direct:
        assert report.syn_ops[i].tolist() == literal[report.names[i]]
    spikes = spikes_literally(snn, grid_images[:6], 4)
    for name, counted in zip(report.sites, report.spikes, strict=True):
        assert counted.tolist() == spikes[name].flatten(1).sum(dim=1).tolist()


@pytest.mark.parametrize("name", ["digits-resnet-qcfs-L4", "digits-vgg-qcfs-L8"])
def test_no_count_depends_on_the_batch(name):
    checkpoint = sl.example(name)
    snn, images = sl.convert(checkpoint.build(), "qcfs"), checkpoint.data("dev", limit=13)
    whole = sl.analysis.synaptic_operations(snn, images, num_steps=3, micro_batch=13)
    parts = sl.analysis.synaptic_operations(snn, images, num_steps=3, micro_batch=4)
    for field in ("syn_ops", "pool_adds", "pooled_levels", "spikes", "image_sums", "image_products"):
        assert np.array_equal(getattr(whole, field), getattr(parts, field)), field
    assert whole.ann_macs.sum() < whole.nominal_macs.sum()
    streams = whole.image_sums[-1]
    assert streams[[0, 1, 4]].sum() == whole.syn_ops.sum()
    assert parts.split == images.name


def test_an_observer_changes_nothing_and_the_steps_are_those_of_a_short_run(grid_network, grid_images):
    snn = sl.convert(grid_network, "qcfs")
    counter = sl.analysis.ActivityCounter(snn, grid_images[:1], num_steps=8)
    with_it = sl.simulate(snn, grid_images, num_steps=8, observe=counter)
    assert np.array_equal(with_it.logits, sl.simulate(snn, grid_images, num_steps=8).logits)
    long = counter.report()
    short = sl.analysis.synaptic_operations(snn, grid_images, num_steps=3)
    assert np.array_equal(long.syn_ops[:, :3], short.syn_ops)
    assert {name: site.total_spikes for name, site in with_it.sites.items()} == dict(
        zip(long.sites, long.spikes.sum(axis=1).tolist(), strict=True)
    )


def test_the_spread_over_images_is_theirs(checkpoint, ann):
    snn, images = sl.convert(ann, "qcfs"), checkpoint.data("dev", limit=5)
    together = sl.analysis.synaptic_operations(snn, images, num_steps=2)
    for rule in (Conventions(), Conventions(pooled="separate")):
        alone = [
            sl.analysis.synaptic_operations(snn, images.batch(i, i + 1), num_steps=2).operations(2, rule)
            for i in range(5)
        ]
        found = together.operations(2, rule)
        for counted, spread in (("macs", "macs_std"), ("acs", "acs_std")):
            values = [getattr(each, counted) for each in alone]
            assert getattr(found, counted) == pytest.approx(np.mean(values))
            assert getattr(found, spread) == pytest.approx(np.std(values, ddof=1), abs=1e-3)
    low, high = together.interval(2)
    assert low < together.per_image(2) < high


def test_silence_and_one_image_are_no_error():
    snn, images = converted(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 5)), 4)
    with torch.no_grad():
        snn.graph.get_submodule("0").weight.fill_(-1.0)
        snn.graph.get_submodule("0").bias.fill_(-1.0)
    report = sl.analysis.synaptic_operations(snn, images[:1], num_steps=4)
    assert report.spikes.sum() == 0
    assert report.per_image(4) == 0.0
    assert np.isnan(report.interval(4)).all()
    assert report.operations(4).macs == 48


def test_the_report_goes_through_the_store(grid_network, grid_images):
    report = sl.analysis.synaptic_operations(sl.convert(grid_network, "qcfs"), grid_images, num_steps=2)
    values, arrays = report.payload()
    again = Report.from_payload({name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}, arrays)
    assert isinstance(again, ActivityReport)
    assert again.to_frame().equals(report.to_frame())


class Broadcasting(nn.Module):
    """Adds a channel's mean to all of its pixels."""

    def __init__(self):
        super().__init__()
        self.conv, self.act, self.out = nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 1)

    def forward(self, x):
        x = self.act(self.conv(x))
        return self.out(x + x.mean((2, 3), keepdim=True)).flatten(1)


def test_what_cannot_be_followed_is_named():
    snn, images = converted(Broadcasting(), 1, 3, 3)
    with pytest.raises(SnnlabError, match="add moves values to places that cannot be followed"):
        sl.analysis.synaptic_operations(snn, images, num_steps=1)


def test_bad_questions_are_refused(grid_network, grid_images):
    snn = sl.convert(grid_network, "qcfs")
    report = sl.analysis.synaptic_operations(snn, grid_images, num_steps=2)
    with pytest.raises(SnnlabError, match=r"t = 1\.\.2; t = 3 lies outside"):
        report.per_image(3)
    with pytest.raises(SnnlabError, match="first_layer is 'never'"):
        Conventions(first_layer="never")
    with pytest.raises(SnnlabError, match="No image was counted"):
        sl.analysis.ActivityCounter(snn, grid_images[:1], num_steps=2).report()
