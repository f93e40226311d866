"""What the tournament's figures and table hold."""

import numpy as np
import pytest

import snnlab as sl
from snnlab.core.errors import SnnlabError
from snnlab.figures.scene import Line, Points, Rule
from tests.unit.figures.synthetic_tournament import tournament_report


def lines(figure):
    return {mark.label: mark for mark in figure.panels[0].marks if isinstance(mark, Line)}


def test_every_method_lies_at_its_cost_and_accuracy():
    report = tournament_report()
    drawn = lines(sl.figures.tournament_pareto(report, "total_latency"))
    signed = drawn["Signed neurons"]
    assert signed.x.tolist() == [8, 12, 20], "its warm-up counts"
    assert signed.y == pytest.approx([100 * report.standing(2, step).accuracy for step in report.steps])
    assert "QCFS" not in drawn
    front = drawn["Pareto front"]
    assert set(np.round(front.y, 6)) == {round(100 * one.accuracy, 6) for one in report.front("total_latency")}
    assert "4 calibration" not in sl.figures.tournament_pareto(report).subtitle


def test_published_numbers_only_where_the_cost_is_time():
    report = tournament_report(steps=(4, 8, 16))
    numbers = [row for row in sl.literature() if row.num_steps <= 16][:2]
    time = sl.figures.tournament_pareto(report, literature=numbers)
    assert [mark for mark in time.panels[0].marks if isinstance(mark, Points)]
    operations = sl.figures.tournament_pareto(report, "syn_ops", literature=numbers)
    assert not [mark for mark in operations.panels[0].marks if isinstance(mark, Points)]


def test_differences_are_to_the_reference_best_first():
    report = tournament_report()
    figure = sl.figures.tournament_paired(report, 8, 0)
    at = [float(mark.x[0]) for mark in figure.panels[0].marks if isinstance(mark, Points)]
    expected = sorted((100 * report.paired(place, 0, 8).difference for place in (1, 2)), reverse=True)
    assert at == pytest.approx(expected)
    assert [mark.at for mark in figure.panels[0].marks if isinstance(mark, Rule)] == [0.0]
    assert set(figure.data["num_steps"]) == {8}


def test_what_cannot_be_drawn_is_a_sentence():
    report = tournament_report(without=[("opi", 8), ("snm", 8)])
    with pytest.raises(SnnlabError, match="no two methods to compare"):
        sl.figures.tournament_paired(report, 8, 0)
    with pytest.raises(SnnlabError, match="no cost 'energy'"):
        sl.figures.tournament_pareto(report, "energy")


def test_the_table_of_a_paper_marks_best_interpretations_and_published():
    report = tournament_report(without=[("opi", 16)])
    numbers = [row for row in sl.literature() if row.num_steps == 8][:1]
    latex = sl.figures.tournament_table(report, numbers).to_latex()
    best = 100 * report.standing(1, 4).accuracy
    assert rf"\textbf{{{best:.2f}}}" in latex
    assert r"OPI\textsuperscript{\textdagger}" in latex
    assert "Means over 3 draws of 64 calibration images: Max norm, OPI." in latex
    assert r"\textdaggerdbl" in latex
    frame = sl.figures.tournament_table(report).to_frame()
    assert sorted(frame.loc[frame["method"] == "OPI", "T"]) == [4, 8], "T = 16 was not run"
