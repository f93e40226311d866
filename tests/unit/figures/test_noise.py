"""Noise figures show the report's numbers, in both engines, for 1 and for 110 sites."""

import numpy as np
import pytest

from snnlab.analysis.reports import NoiseReport
from snnlab.core.errors import SnnlabError
from snnlab.core.histogram import GAP_REACH
from snnlab.figures import accuracy_vs_steps, noise_gap, noise_profile, noise_scales
from snnlab.figures.noise import _bin_share
from snnlab.figures.scene import Bars, Line, Note, Points, Segments
from snnlab.figures.style import LIGHT
from tests.unit.figures.synthetic import curve, names

SCALES = np.arange(9) * 0.5


def noise(sites=4, steps=(2, 4), images=50, seeds=3, kappa=(0.8, 0.6, 1.1), why="", first_std=0.0) -> NoiseReport:
    """A report of gaps on a lattice, with an accuracy that falls with the scale."""
    rng = np.random.default_rng(0)
    threshold = 1 + np.arange(sites) / max(sites, 1)
    std = 0.1 * threshold[:, None] * np.ones(len(steps)) * np.linspace(1, 2, sites)[:, None]
    std[0] = first_std
    counts = np.zeros((sites, len(steps), 2 * GAP_REACH + 1), np.int64)
    counts[:, :, GAP_REACH] = 700
    counts[1:, :, GAP_REACH - 1] = 200
    counts[1:, :, GAP_REACH + 1] = 100
    counts[0, :, GAP_REACH] = 1000
    survive = np.linspace(0.95, 0.1, 9)
    return NoiseReport(
        names=names(sites), shapes=((10,),) * sites, thresholds=threshold, levels=(4,) * sites, steps=steps, std=std,
        mean=-0.01 * std, local_std=0.5 * std, zero=counts[:, :, GAP_REACH] / 1000,
        count=np.full(sites, 1000), lattice=(4,) * len(steps), gap_counts=counts,
        outside=np.zeros((sites, len(steps)), np.int64), fit_split="calibration", fit_images=100, paper_compat=False,
        split="dev", num_classes=10, ann_correct=np.arange(images) < 0.95 * images,
        snn_correct=np.arange(images) < np.array([[0.6], [0.8]])[: len(steps)] * images, targets=steps,
        profile_std=std.T.copy(), scales=SCALES,
        noisy_correct=rng.random((len(steps), 9, seeds, images)) < survive[:, None, None],
        kappa=np.array([kappa] * len(steps)), kappa_why=(why,) * len(steps),
    )  # fmt: skip


def marks(figure, kind, panel=0):
    return [mark for mark in figure.panels[panel].marks if isinstance(mark, kind)]


def test_profile_over_depth():
    report = noise()
    drawn = report.profile(4).uniform()
    figure = noise_profile(report, 4, drawn)
    (bars,) = marks(figure, Bars)
    np.testing.assert_allclose(bars.end, report.std[:, 1] / report.thresholds)
    np.testing.assert_allclose(marks(figure, Points)[0].x, report.local_std[:, 1] / report.thresholds)
    np.testing.assert_allclose(marks(figure, Segments)[0].x0, drawn.relative)
    assert bars.role == "noisy_ann"
    np.testing.assert_array_equal(figure.data["std"], report.std[:, 1])
    np.testing.assert_array_equal(figure.data["drawn_std"], drawn.std)
    assert noise_profile(noise(110), 4).plotly().layout.height < 900
    with pytest.raises(SnnlabError, match="was not measured at t = 3"):
        noise_profile(report, 3)
    with pytest.raises(SnnlabError, match="has other sites"):
        noise_profile(report, 4, noise(3).profile(4))


def test_gap_of_a_site_and_its_gaussian():
    report = noise()
    figure = noise_gap(report, "layer1.0.act1", 2)
    shares = figure.data.set_index("gap")["share"]
    assert (shares[0.0], shares[-0.25], shares[0.25]) == (0.7, 0.2, 0.1)
    (line,) = marks(figure, Line)
    assert (line.role, line.x[np.argmax(line.y)]) == ("noisy_ann", pytest.approx(0.0))
    doubled = marks(noise_gap(report, 1, 2, std=2 * float(report.std[1, report.step_index(2)])), Line)[0]
    assert doubled.y.max() < line.y.max()
    assert "70.0" in marks(figure, Note)[0].text
    exact = noise_gap(report, 0, 2)
    assert marks(exact, Line) == []  # a std of 0 has no Gaussian to draw
    exact.plotly()
    with pytest.raises(SnnlabError, match="no site 'nowhere'"):
        noise_gap(report, "nowhere", 2)


def test_the_gaussian_is_a_share_of_each_bin():
    at = np.arange(-40, 41) / 4
    for std in (0.02, 0.1, 1.0):
        share = _bin_share(at, std, 0.25)
        assert share.sum() == pytest.approx(1.0)
        assert share.max() <= 1.0


def test_accuracy_over_scale_with_kappa():
    report = noise()
    figure = noise_scales(report, 2)
    ann, snn, noisy = marks(figure, Line)
    assert (ann.role, snn.role, noisy.role) == ("ann", "snn", "noisy_ann")
    np.testing.assert_allclose(noisy.y, [100 * report.noisy(2, s).value for s in SCALES])
    np.testing.assert_allclose(snn.y, 60.0)
    assert marks(figure, Points)[0].x.tolist() == [0.8]
    assert "0.80" in marks(figure, Note)[0].text
    assert "[0.60, 1.10]" in figure.foot
    for value, why in ((np.nan, "the SNN is as accurate"), (np.inf, "above 4: it stays above")):
        without = noise_scales(noise(kappa=(value, value, value), why=why), 2)
        assert marks(without, Points) == []
        assert why.split(":")[0] in without.foot
        without.plotly()
    with pytest.raises(SnnlabError, match="not evaluated for T = 3"):
        noise_scales(report, 3)


@pytest.mark.parametrize("steps", [(2, 4), (2,)])
def test_noisy_ann_in_the_accuracy_figure(steps):
    report = noise(steps=steps)
    figure = accuracy_vs_steps(curve(num_steps=8), noisy=report)
    line = next(line for line in marks(figure, Line) if line.role == "noisy_ann")
    np.testing.assert_allclose(line.x, steps)
    np.testing.assert_allclose(line.y, [100 * report.noisy(step).value for step in steps])
    trace = next(trace for trace in figure.plotly().data if trace.name == "noisy ANN")
    assert trace.line.color == LIGHT["noisy_ann"]
    rows = figure.data[figure.data["role"] == "noisy_ann"]
    np.testing.assert_allclose(rows["accuracy"], line.y / 100)
    assert "noisy_ann" not in set(accuracy_vs_steps(curve(num_steps=8)).data["role"])


def test_hostile_site_names_and_paper():
    report = noise(2)
    object.__setattr__(report, "names", ("<b>&$_{x}", "=cmd()"))
    for figure in (noise_profile(report, 2), noise_gap(report, 1, 2), noise_scales(report, 2)):
        assert "<b>" not in figure.plotly().to_json().replace("\\u003c", "<").replace("<br>", "")
        assert figure.render("svg", "single") == figure.render("svg", "single")
