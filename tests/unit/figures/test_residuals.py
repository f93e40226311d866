import numpy as np
import pytest

from snnlab.core.errors import SnnlabError
from snnlab.core.histogram import CLASSES, EXCESS, K_LIMIT, MISSING, SILENT
from snnlab.figures import residual_overview, residual_site, site_profile, spike_errors
from snnlab.figures.rows import arrange, stage_of
from snnlab.figures.scene import Areas, Bars, Heat, Line, Note, Points, Segments
from tests.unit.figures.synthetic import conversion, names, residuals


def marks(figure, kind, panel=0):
    return [mark for mark in figure.panels[panel].marks if isinstance(mark, kind)]


def all_silent(sites: int = 2):
    report = residuals(sites)
    histogram = np.zeros_like(report.histogram)
    histogram[:, :, SILENT, 100] = report.elements[0]
    errors = np.zeros_like(report.spike_errors)
    errors[:, :, K_LIMIT] = report.elements[0]
    return residuals(sites, histogram=histogram, spike_errors=errors, fired_moments=np.zeros((sites, 3, 3)))


@pytest.mark.parametrize(("sites", "kind"), [(1, Areas), (19, Areas), (25, Areas), (26, Heat), (110, Heat)])
def test_ridges_for_few_sites_heat_for_many(sites, kind):
    figure = residual_overview(residuals(sites, steps=(2,), images=2, neurons=16), 2)
    assert marks(figure, kind)
    assert len(arrange(names(sites)).centre) == sites
    assert figure.panels[0].y.low > figure.panels[0].y.high  # input first, on top


def test_bars_are_the_shares_of_the_classes():
    report = residuals(4)
    counts = report.class_counts[:, 2].astype(float)
    active = counts.copy()
    active[:, SILENT] = 0
    for base, expected in (("not_silent", active), ("all", counts)):
        figure = residual_overview(report, 8, base=base)
        expected = 100 * expected / expected.sum(axis=1, keepdims=True)
        bars = {mark.role: mark.end - mark.start for mark in marks(figure, Bars, 1)}
        for role, lengths in bars.items():
            np.testing.assert_allclose(lengths, expected[:, CLASSES.index(role)], atol=1e-9)
        first, last = marks(figure, Bars, 1)[0], marks(figure, Bars, 1)[-1]
        assert (first.role, last.role) == ("excess", "missing")
        np.testing.assert_allclose(first.start, 0)
        np.testing.assert_allclose(last.end, 100)
        shares = figure.data[figure.data["quantity"] == "share"].groupby("site")["value"].sum()
        np.testing.assert_allclose(shares, 1)


def test_densities_and_what_lies_outside_make_the_whole():
    report = residuals(3)
    figure = residual_overview(report, 8, base="all")
    bins = figure.data[figure.data["quantity"] == "density"]
    inside = (bins["value"] * (bins["high"] - bins["low"])).groupby(bins["site"]).sum().mean()
    outside = float(figure.foot.split("maximum; ")[1].split(" %")[0]) / 100
    assert inside + outside == pytest.approx(1, abs=6e-4)


def test_stages_add_their_sites_up():
    report = residuals(19, images=4)
    figure = residual_overview(report, 8, stages=True, base="all")
    shares = figure.data[(figure.data["quantity"] == "share") & (figure.data["class"] == "excess")].set_index("site")[
        "value"
    ]
    member = [stage_of(name) == "layer2" for name in report.names]
    counts = report.class_counts[member, 2].sum(axis=0)
    assert shares[f"layer2 ({sum(member)})"] == pytest.approx(counts[EXCESS] / counts.sum())
    assert shares.index[0] == "stem"


def test_comparison_is_by_name():
    report, other = residuals(3), residuals(2, seed=3)
    figure = residual_overview(report, 8, other, compare_name="max_norm")
    outline = marks(figure, Line)[0]
    assert (outline.role, outline.label) == ("compared", "max_norm")
    assert np.isnan(outline.y).sum() == 2
    ticks = marks(figure, Segments, 1)[0]
    shares = other.class_counts[:, 2] / other.class_counts[:, 2, 1:].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(ticks.x0[::2], 100 * shares[:, EXCESS])
    np.testing.assert_allclose(ticks.x0[1::2], 100 * (1 - shares[:, MISSING]))


def test_stage_labels_keep_apart():
    rows = arrange([f"block{i}.act" for i in range(200)])
    at = np.diff([position for position, _ in rows.axis.ticks])
    assert at.min() * rows.millimetres / rows.end >= 2.9


def test_empty_classes_and_nothing_but_silence():
    report = all_silent()
    assert "–" in [note.text for note in marks(residual_overview(report, 8), Note, 2)]
    figure = residual_site(report, 0, 8)
    assert any("No neuron fired" in note.text for note in marks(figure, Note))
    assert not marks(figure, Line)
    assert spike_errors(report, 0, 8).data["share"].sum() == 0
    assert spike_errors(report, 0, 8, base="all").data.set_index("k")["share"][0] == 1


def test_site_histogram_is_a_density_and_the_gaussian_fits():
    report, other = residuals(2), residuals(2, seed=4)
    figure = residual_site(report, "layer1.0.act1", 8, other)
    counts = report.class_counts[1, 2]
    width = 1 / 32
    for index, name in enumerate(CLASSES):
        if index == SILENT:
            assert name not in figure.data
            continue
        core = report.histogram[1, 2, index, 121:377].sum()
        assert figure.data[name].sum() * width == pytest.approx(core / counts[1:].sum())
    mean, std = report.fired_gaussian()
    gaussian = marks(figure, Line)[0]
    assert gaussian.x[np.argmax(gaussian.y)] == pytest.approx(mean[1, 2], abs=0.02)
    assert f"{mean[1, 2]:.2f} ± {std[1, 2]:.2f}" in gaussian.label
    assert marks(figure, Line)[1].role == "compared"
    theirs = other.histogram[1, 2, 1:, 121:377].sum() / other.class_counts[1, 2, 1:].sum()
    assert figure.data["compared"].sum() * width == pytest.approx(theirs)
    labels = [mark.label for mark in marks(figure, Areas)]
    assert labels[0] == f"excess {100 * counts[EXCESS] / counts[1:].sum():.1f} %"


def test_spike_errors_leave_out_the_silent():
    report = residuals(2)
    shares = spike_errors(report, 1, 8).data.set_index("k")["share"]
    counts = report.class_counts[1, 2]
    assert shares.sum() == pytest.approx(1)
    assert shares[shares.index > 0].sum() == pytest.approx(counts[EXCESS] / counts[1:].sum())
    axis = spike_errors(report, 1, 8).panels[0].x
    assert axis.low > axis.high  # too many on the left, as in the histogram


def test_open_ends_say_so():
    errors = np.zeros((1, 3, 2 * K_LIMIT + 1), dtype=np.int64)
    errors[..., 0] = errors[..., K_LIMIT] = 500
    labels = [text for _, text in spike_errors(residuals(1, spike_errors=errors), 0, 4, base="all").panels[0].x.ticks]
    assert labels[0] == f"≤ −{K_LIMIT}"
    assert labels[-1] == f"≥ {K_LIMIT}"


def test_not_a_number_is_reported():
    nan = np.array([[0, 0, 7]])
    report = residuals(1, nan=nan)
    assert "7 potentials are not a number" in residual_site(report, 0, 8).foot
    assert "7 potentials are not a number" in residual_overview(report, 8).foot


def test_wrong_requests():
    report = residuals(2)
    with pytest.raises(SnnlabError, match="No residuals were kept at t = 3"):
        residual_overview(report, 3)
    with pytest.raises(SnnlabError, match="no site 'act9'"):
        residual_site(report, "act9", 8)
    with pytest.raises(SnnlabError, match="numbered 0 to 1"):
        spike_errors(report, 2, 8)
    with pytest.raises(SnnlabError, match="'not_silent' or 'all'"):
        residual_overview(report, 8, base="some")


def test_profile_draws_thresholds_and_rates():
    report = conversion(5)
    figure = site_profile(report, conversion(3, seed=1))
    low, high = marks(figure, Points)[:2]
    np.testing.assert_allclose(low.x, [row["threshold_low"] for row in report.sites])
    np.testing.assert_allclose(high.x, [row["threshold_high"] for row in report.sites])
    np.testing.assert_allclose(marks(figure, Bars, 1)[0].end, [row["firing_rate"] for row in report.sites])
    assert np.isnan(marks(figure, Points)[2].x).sum() == 2
    assert len(figure.data) == 5
