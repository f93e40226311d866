"""Kernels against searchsorted, the closed form, and the step equation."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnlab.core.histogram import CORE, EDGES, EXACT, EXCESS, MISSING, NUM_BINS, SATURATED, SILENT
from snnlab.neurons import if_step, kernels
from snnlab.simulation.recording import SiteStatistics


def fire(current, threshold, initial, emitted, snapshots=()):
    """The kernel over all images; (spikes, statistics)."""
    steps = len(emitted)
    snapshot_at = np.full(steps, -1)
    for index, step in enumerate(snapshots):
        snapshot_at[step - 1] = index
    new = SiteStatistics.empty(len(snapshots))
    none = threshold[:0]
    neurons = kernels.Neurons(threshold, initial[None], none, initial, none)
    spikes = kernels.fire(
        current, neurons, emitted, 0, emitted.shape[1], snapshot_at, kernels.BIN_EDGES, new.histogram,
        new.spike_errors, new.moments, new.fired, new.spikes, new.nan, new.identity, np.full(steps, -1),
        kernels.States.empty(0, 0, 0),
    )  # fmt: skip
    return spikes, new


def test_edges_are_fixed_and_cover_everything():
    assert len(EDGES) + 1 == NUM_BINS
    assert (np.diff(EDGES) > 0).all()
    assert EDGES[CORE.start - 1] == -2
    assert EDGES[CORE.stop - 1] == 2
    assert EDGES[-1] == 2.0**16


@settings(max_examples=300, deadline=None)
@given(st.floats(allow_nan=False, width=32))
def test_bins_equal_searchsorted(value):
    assert kernels.bin_of(float(value), kernels.BIN_EDGES) == np.searchsorted(EDGES, value, side="right")


def test_bins_at_every_edge_and_just_below():
    for index, edge in enumerate(EDGES):
        assert kernels.bin_of(edge, kernels.BIN_EDGES) == index + 1
        assert kernels.bin_of(np.nextafter(edge, -np.inf), kernels.BIN_EDGES) == index


@pytest.mark.parametrize(
    ("count", "v", "step", "ideal", "kind"),
    [
        (0, 0.4, 4, 0, SILENT),
        (0, -7.0, 4, 0, SILENT),
        (2, 0.0, 4, 2, EXACT),
        (2, -0.25, 4, 1, EXCESS),
        (2, 1.0, 4, 3, MISSING),
        (4, 5.0, 4, 4, SATURATED),
        (0, 1.5, 1, 1, MISSING),
        (1, -3.0, 4, 0, EXCESS),
    ],
)
def test_ideal_count_and_class(count, v, step, ideal, kind):
    assert kernels.ideal_count(count, v, step) == ideal
    assert kernels.class_of(count, ideal, step) == kind


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 33), st.integers(0, 2**31 - 1), st.sampled_from([0.0, 0.5, 0.75]))
def test_constant_input_equals_the_closed_form(steps, seed, fraction):
    rng = np.random.default_rng(seed)
    z = (rng.integers(-64, 128, size=(3, 40)) / 64).astype(np.float32)
    threshold = np.full(40, 1.0, np.float32)
    emitted = np.empty((steps, 3, 40), np.float32)
    spikes, _ = fire(z[None], threshold, fraction * threshold, emitted)

    closed = np.clip(np.floor(steps * z + fraction), 0, steps)
    np.testing.assert_array_equal(emitted.sum(axis=0), closed)
    assert spikes == closed.sum()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("neurons", [1, 1024, 2500])
def test_fused_equals_stepwise_bitwise(dtype, neurons):
    generator = torch.Generator().manual_seed(neurons)
    current = torch.randn(7, 2, neurons, generator=generator, dtype=dtype)
    threshold = torch.rand(neurons, generator=generator, dtype=dtype) + 0.3
    membrane = (0.5 * threshold).expand(2, -1).clone()
    emitted = np.empty((7, 2, neurons), current.numpy().dtype)
    fire(current.numpy(), threshold.numpy(), (0.5 * threshold).numpy(), emitted)
    for t in range(7):
        spikes, membrane = if_step(membrane, current[t], threshold)
        np.testing.assert_array_equal(emitted[t], (spikes * threshold).numpy())


@pytest.mark.parametrize("snapshots", [(), (2,)], ids=["at T", "at a snapshot"])
def test_nan_is_counted_not_classified(snapshots):
    current = np.zeros((1, 1, 3), np.float32)
    current[0, 0, 1] = np.nan
    ones = np.ones(3, np.float32)
    _, statistics = fire(current, ones, ones * 0.5, np.empty((2, 1, 3), np.float32), snapshots)

    assert statistics.nan.sum() == 1
    assert statistics.histogram.sum() == 2 * len(snapshots)


def test_a_kernel_may_write_into_its_input():
    current = np.random.default_rng(0).normal(size=(5, 2, 1500)).astype(np.float32)
    ones, apart, copy = np.ones(1500, np.float32), np.empty_like(current), current.copy()
    spikes, one = fire(current, ones, ones * 0.5, apart, (3, 5))
    again, two = fire(copy, ones, ones * 0.5, copy, (3, 5))

    np.testing.assert_array_equal(apart, copy)
    assert spikes == again
    np.testing.assert_array_equal(one.histogram, two.histogram)
