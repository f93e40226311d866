"""Quantiles of the gap: on the line for a Gaussian, off it for what conversions leave; known numbers by hand."""

import math
from statistics import NormalDist

import numpy as np
import pytest

import snnlab as sl
from snnlab.core.histogram import GAP_REACH
from snnlab.figures.gap_quantiles import excess_kurtosis, quantiles


def test_quantiles_are_those_of_the_sorted_gaps():
    generator = np.random.default_rng(1)
    place = generator.integers(-5, 6, 1000)
    gap = np.arange(-GAP_REACH, GAP_REACH + 1) / 8
    counts = np.bincount(place + GAP_REACH, minlength=2 * GAP_REACH + 1)
    found = quantiles(gap, counts, 1000)

    expected = np.sort(place)[np.ceil(np.linspace(0.01, 0.99, 99) * 1000 - 1e-9).astype(int) - 1] / 8
    np.testing.assert_array_equal(found[2:-2], expected)


def test_what_lies_beyond_the_bins_is_not_drawn():
    gap, counts = np.array([-1.0, 0.0, 1.0]), np.array([10, 60, 10])
    found = quantiles(gap, counts, 100)  # a fifth lies beyond, on an unknown side

    assert np.isnan(found[[0, 10, -10, -1]]).all()
    assert np.isfinite(found[50])


def test_a_gaussian_lies_on_the_line_and_has_no_excess_kurtosis():
    gap = np.arange(-GAP_REACH, GAP_REACH + 1) / 16
    edges = np.concatenate([gap - 1 / 32, [gap[-1] + 1 / 32]])
    below = np.array([NormalDist(0, 0.5).cdf(edge) for edge in edges])
    counts = np.round(1e7 * np.diff(below)).astype(int)

    assert excess_kurtosis(gap, counts) == pytest.approx(0, abs=0.05)
    found = quantiles(gap, counts, counts.sum())
    assert abs(found[52 + 10] - NormalDist(0, 0.5).inv_cdf(0.61)) < 1 / 16
    assert math.isnan(excess_kurtosis(gap, (gap == 0).astype(int)))


def test_a_real_gap_has_a_spike_at_zero_and_heavy_tails():
    run = next(run for run in sl.runs.Store().shipped() if run.verb == "noise")
    figure = sl.figures.gap_quantiles(run.noise, run.noise.names[-1], 2)

    assert (figure.data["measured"] == 0).mean() > 0.3
    assert "exactly 0" not in figure.title
    assert figure.render("svg").startswith(b"<?xml")
