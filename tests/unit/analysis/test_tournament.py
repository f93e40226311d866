"""The tournament's numbers against literal ones."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from snnlab.analysis.reports import COSTS, Report, wilson_interval
from snnlab.analysis.reports.gain import RESAMPLES, t_interval
from snnlab.analysis.reports.tournament import NOT_RUN, mcnemar
from snnlab.core.errors import SnnlabError
from tests.unit.figures.synthetic_tournament import tournament_report


@pytest.fixture(scope="module")
def report():
    return tournament_report()


def test_means_and_intervals_over_seeds_and_over_images(report):
    seeded, single = report.standing(1, 8), report.standing(2, 8)
    by_seed = (report.correct[1, :, 1] == 1).mean(axis=1)
    assert seeded.accuracy == pytest.approx(by_seed.mean())
    assert (seeded.low, seeded.high) == pytest.approx(t_interval(by_seed))
    assert seeded.over_seeds
    assert seeded.seeds == 3
    right = int((report.correct[2, 0, 1] == 1).sum())
    assert (single.low, single.high) == pytest.approx([float(end) for end in wilson_interval(right, 200)])
    assert not single.over_seeds
    assert (single.total_latency, single.seeds) == (12, 1)


def test_a_method_that_does_not_fit_or_lacks_a_network_has_no_number():
    report = tournament_report(without=[("opi", 8)])
    assert report.standing(1, 8) is None
    assert report.standing(1, 16) is not None
    assert all(report.standing(3, step) is None for step in report.steps)
    with pytest.raises(SnnlabError, match="opi was not run at T = 8"):
        report.paired(0, 1, 8)
    assert {row["name"] for row in report.to_frame().to_dict("records")} == {"max_norm", "opi", "snm"}


def test_paired_differences_are_a_bootstrap_over_common_images(report):
    pair = report.paired(1, 2, 4)
    one, other = (report.correct[1, :, 0] == 1).mean(axis=0), (report.correct[2, :1, 0] == 1).mean(axis=0)
    generator = np.random.Generator(np.random.PCG64(0))
    draws = np.concatenate([generator.multinomial(200, np.full(200, 1 / 200), size=50) for _ in range(RESAMPLES // 50)])
    ends = np.quantile(draws @ (one - other) / 200, [0.025, 0.975])
    assert pair.difference == pytest.approx((one - other).mean())
    assert (pair.low, pair.high) == pytest.approx(tuple(ends))
    assert pair.p is None, "a mean over seeds has no McNemar test"
    back = report.paired(2, 1, 4)
    assert (back.difference, back.low, back.high) == pytest.approx((-pair.difference, -pair.high, -pair.low))


def test_mcnemar_only_between_two_single_networks():
    report = tournament_report(seeds=1)
    pair = report.paired(0, 1, 8)
    one, other = report.correct[0, 0, 1] == 1, report.correct[1, 0, 1] == 1
    only = int((one & ~other).sum()), int((other & ~one).sum())
    assert pair.p == pytest.approx(stats.binomtest(only[0], sum(only), 0.5).pvalue)
    assert mcnemar(one, one) == 1.0
    assert len(report.pairs()) == 3 * 3
    seeded = tournament_report()
    assert {pair.p for pair in seeded.pairs()} == {None}


@pytest.mark.parametrize("cost", COSTS)
def test_the_front_is_what_nobody_beats(report, cost):
    front = set(report.front(cost))
    for one in report.standings:
        beaten = any(
            other.accuracy >= one.accuracy
            and getattr(other, cost) <= getattr(one, cost)
            and (other.accuracy, -getattr(other, cost)) != (one.accuracy, -getattr(one, cost))
            for other in report.standings
        )
        assert (one in front) == (not beaten)
    assert front


def test_the_best_are_marked_and_ties_share_it(report):
    assert report.best(4) == (1,)
    equal = dataclasses.replace(report, correct=np.where(report.correct == NOT_RUN, NOT_RUN, 1).astype(np.int8))
    assert equal.best(4) == (0, 1, 2)


def test_transport_loses_nothing(report):
    again = Report.from_payload(*report.payload())
    assert again.to_frame().equals(report.to_frame())
    assert again.paired_frame().equals(report.paired_frame())


def test_unknown_cost_is_refused(report):
    with pytest.raises(SnnlabError, match="total_latency, syn_ops, calibration_seconds"):
        report.front("joules")
