"""Maxima and quantiles: exact, independent of order, refused where there is nothing to measure."""

import pytest
import torch
from torch import nn

from snnlab.calibration import measure_activations
from snnlab.converters.apply import convert
from snnlab.core.errors import Cancelled, ConversionError, DataError
from snnlab.core.sites import Site
from snnlab.graph import prepare


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(180, 3)).eval()


@pytest.fixture
def images():
    return torch.randn(150, 1, 8, 8, generator=torch.Generator().manual_seed(2))


def measured(network, images, **options):
    graph = prepare(network).graph
    (site,) = measure_activations(graph, [Site("1", 0, "relu")], images, **options)
    return site


@pytest.mark.parametrize("percentile", [50.0, 90.0, 99.0, 99.9, 100.0])
def test_quantile_equals_torch_quantile(network, images, percentile):
    with torch.no_grad():
        activations = network[1](network[0](images)).double()
    site = measured(network, images, percentiles=(percentile,))

    expected = torch.quantile(activations.flatten(), percentile / 100)
    torch.testing.assert_close(torch.tensor(float(site.statistics.quantiles[percentile])), expected.float())
    assert float(site.statistics.maximum) == activations.max().item()
    assert site.shape == (5, 6, 6)
    assert site.statistics.num_elements == activations.numel()


def test_per_channel_quantile_equals_torch_quantile(network, images):
    with torch.no_grad():
        activations = network[1](network[0](images)).double().transpose(0, 1).flatten(1)
    site = measured(network, images, percentiles=(99.0,), per_channel=True)

    expected = torch.quantile(activations, 0.99, dim=1)
    torch.testing.assert_close(torch.from_numpy(site.statistics.quantiles[99.0]), expected)
    assert site.statistics.maximum.tolist() == activations.amax(dim=1).tolist()


def test_the_order_of_images_does_not_matter(network, images):
    forward = measured(network, images, percentiles=(99.9,))
    backward = measured(network, images.flip(0), percentiles=(99.9,))

    assert float(forward.statistics.quantiles[99.9]) == float(backward.statistics.quantiles[99.9])
    assert float(forward.statistics.maximum) == float(backward.statistics.maximum)


def test_a_dead_layer_is_named(network, images):
    with torch.no_grad():
        network[0].weight.zero_()
        network[0].bias.fill_(-1.0)
    with pytest.raises(ConversionError, match=r"^1: every activation is 0 on the 150 calibration images"):
        convert(network, "max_norm", data=images)


def test_a_dead_channel_takes_the_largest_threshold(network, images):
    with torch.no_grad():
        network[0].weight[2].zero_()
        network[0].bias[2] = -1.0
    threshold = convert(network, "max_norm", data=images, per_channel=True).sites["1"].threshold.flatten()

    assert threshold[2] == threshold.max()


def test_a_percentile_of_zero_is_explained(network, images):
    with torch.no_grad():
        network[0].bias.fill_(-2.5)
    with pytest.raises(ConversionError, match="percentile of its activations is 0; choose a higher"):
        convert(network, "percentile_norm", data=images, percentile=50.0)


def test_missing_and_bad_images_are_refused(network, images):
    with pytest.raises(ConversionError, match="needs calibration images"):
        convert(network, "max_norm")
    images[3, 0, 0, 0] = float("inf")
    with pytest.raises(DataError, match="Image 3 holds NaN or infinite"):
        convert(network, "max_norm", data=images)


def test_cancelling_a_calibration(network, images):
    def cancel(done, total, what):
        raise Cancelled

    with pytest.raises(Cancelled):
        convert(network, "max_norm", data=images, progress=cancel)
