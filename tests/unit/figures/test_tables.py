import csv
import io

import numpy as np
import pandas as pd
import pytest

from snnlab.core.errors import SnnlabError
from snnlab.figures import tables


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "\r=1", "＝1", "-act"])
def test_formulas_become_text(cell):
    rows = list(csv.reader(io.StringIO(tables.to_csv(pd.DataFrame({cell: [cell]})))))
    assert all(row[0].startswith("'") for row in rows if row)


def test_numbers_and_plain_names_are_untouched():
    frame = pd.DataFrame({"name": ["act1", None], "value": [-0.1, 1e-17], "k": [-3, 2]})
    back = pd.read_csv(io.StringIO(tables.to_csv(frame)))
    assert back["value"].tolist() == [-0.1, 1e-17]
    assert back["k"].tolist() == [-3, 2]
    assert back["name"].tolist()[0] == "act1"
    assert pd.isna(back["name"][1])


def test_csv_survives_hostile_names(hostile):
    text = tables.to_csv(pd.DataFrame({"site": [hostile, 'a,"b"'], "n": [1, 2]}))
    rows = list(csv.reader(io.StringIO(text)))
    assert [row[1] for row in rows] == ["n", "1", "2"]
    assert rows[2][0] == 'a,"b"'
    text.encode()


def test_duplicate_columns_survive():
    frame = pd.DataFrame([[1, "=x"]], columns=["a", "a"])
    assert tables.to_csv(frame) == "a,a\n1,'=x\n"


def test_latex_escapes_every_special(hostile):
    text = tables.to_latex(pd.DataFrame({"a_b": [hostile]}), hostile, hostile)
    cell = text.splitlines()[9]
    for escaped in (r"\textless{}b\textgreater{}", r"\$", r"\textbackslash{}alpha\_\{1\}", r"\&", r"\%", r"\#"):
        assert escaped in cell
    for escaped in (r"\textasciitilde{}", r"\textasciicircum{}"):
        assert escaped in cell
    assert "\\label{b-x-b-" in text
    assert "\x00" not in text
    text.encode()


def test_latex_table():
    frame = pd.DataFrame(
        {
            "method": ["qcfs", "ecl"],
            "accuracy": [0.8926, 1.0],
            "low": [0.85, 0.98],
            "high": [0.9242, 1.0],
            "gap": [-8.15, np.nan],
        }
    )
    text = tables.to_latex(frame, "A", "tab:a", percents=["accuracy"], interpretations=["ecl"])
    assert r"\begin{tabular}{lrr}" in text
    assert r"accuracy (\%) {[}95 \% interval{]}" in text
    assert r"qcfs & 89.26 {[}85.00, 92.42{]} & $-$8.15 \\" in text
    assert r"ecl\textsuperscript{\textdagger} & 100.00 {[}98.00, 100.00{]} & – \\" in text
    assert text.count("Interpretation") == 1
    assert "Interpretation" not in tables.to_latex(frame, "A", "a")
    with pytest.raises(SnnlabError, match="right after"):
        tables.to_latex(frame[["low", "high", "accuracy"]], "A", "a")


def test_numbers_have_true_signs():
    assert tables.points(-0.0815) == "−8.15"
    assert tables.points(0.002) == "+0.20"
    assert tables.points(-0.00001) == "0.00"
    assert tables.percent(0.91732) == "91.73\u00a0%"
    assert tables.number(float("nan")) == "–"


def test_published_rows_carry_a_double_dagger_and_a_note():
    frame = pd.DataFrame({"method": ["mine", "theirs"], "accuracy": [0.9, 0.8]})
    text = tables.to_latex(frame, "A", "a", published=["theirs"], interpretations=["theirs"])
    assert r"theirs\textsuperscript{\textdagger}\textsuperscript{\textdaggerdbl} & 0.80 \\" in text
    assert text.count("Published elsewhere") == 1
    assert "Published" not in tables.to_latex(frame, "A", "a")
