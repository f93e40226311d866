import numpy as np
import pytest

from snnlab.analysis.reports import NeuronTraces
from snnlab.core.errors import SnnlabError
from snnlab.core.histogram import CLASSES
from snnlab.figures import neuron_trace
from snnlab.figures.scene import Note, Rule, Segments
from tests.unit.figures.synthetic import residuals, simulate, traces


@pytest.mark.parametrize("index", range(5))
@pytest.mark.parametrize("num_steps", [8, 16])
def test_neuron_follows_from_its_input(index, num_steps):
    report = traces(num_steps)
    figure = neuron_trace(report, index)
    current = report.currents[index].astype(float)
    for step in range(1, num_steps + 1):
        membrane, fired, paid = simulate(current[:step, None], 0.5)
        row = figure.data.iloc[step - 1]
        assert row["potential"] == pytest.approx(membrane[0], abs=1e-6)
        assert (row["spikes_fired"], row["spikes_paid"]) == (fired[0], paid[0])
    assert figure.data["class"].iloc[-1] == CLASSES[index]


@pytest.mark.parametrize("index", range(5))
def test_even_input_fires_what_the_charge_pays_for(index):
    data = neuron_trace(traces(), index, step=7).data
    assert data["even_spike"][:7].sum() == data["spikes_paid"][6]
    assert data["even_spike"][7:].isna().all()


def test_titles_and_words():
    report, run = residuals(2), traces()
    excess = neuron_trace(run, 2, report=report)
    assert excess.title == "Why did this neuron fire too often?"
    assert "layer1.0.act1 · channel 0, row 1, column 3, image 14" in excess.subtitle
    assert "after its last spike" in excess.foot
    assert "site 1 · neuron 7" in neuron_trace(run, 2).subtitle


def test_later_steps_are_shown_up_to_a_power_of_two():
    assert len(neuron_trace(traces(16), 1, step=3).data) == 8
    assert len(neuron_trace(traces(16), 1, step=9).data) == 16
    assert len(neuron_trace(traces(12), 1, step=9).data) == 12
    assert len(neuron_trace(traces(1), 0).data) == 1


def test_wrong_requests():
    with pytest.raises(SnnlabError, match="holds 5"):
        neuron_trace(traces(), 5)
    with pytest.raises(SnnlabError, match="t = 1 to 8"):
        neuron_trace(traces(), 0, step=9)
    assert np.isfinite(neuron_trace(traces(), 0, step=1).data["potential"]).all()


def one(currents, **law):
    """One neuron of a site, whose v(0) is 0."""
    none, law = np.zeros(1, int), {"negative": -np.inf, "most": 1} | law
    return NeuronTraces(
        currents=np.array([currents], np.float32),
        site=none,
        image=none,
        position=none,
        initial=np.zeros(1, np.float32),
        members=np.zeros((0, 4), int),
        negative=np.array([law["negative"]], np.float32),
        most=np.array([law["most"]], np.int16),
    )


def marks(figure, panel, kind):
    return [mark for mark in figure.panels[panel].marks if isinstance(mark, kind)]


def test_a_signed_neuron_takes_a_spike_back():
    figure = neuron_trace(one([1.25, -1.0, 0.25, -0.5], negative=-0.5))
    assert figure.data["spike"].tolist() == [1, -1, 0, 0]
    assert figure.data["potential"].tolist() == [0.25, 0.25, 0.5, 0.0]
    assert figure.data["class"].tolist() == ["saturated", "silent", "silent", "silent"]
    assert figure.title == "Why did this neuron take back all that it fired?"
    assert figure.foot.startswith("Fired once and took 1 back: its charge pays for no spike, and v = 0.00 is left.")
    assert -0.5 in [rule.at for rule in marks(figure, 1, Rule)]
    stroke, minus = marks(figure, 2, Segments)
    assert (stroke.x0.tolist(), stroke.x1.tolist()) == ([1.0], [1.0])
    assert minus.x0[0] < 2 < minus.x1[0]
    assert minus.y0.tolist() == minus.y1.tolist()
    plain = neuron_trace(one([1.25, -1.0, 0.25, -0.5]))
    assert plain.data["spike"].tolist() == [1, 0, 0, 0]
    assert "after its last spike" in plain.foot


def test_a_group_sends_several_spikes_in_a_step():
    figure = neuron_trace(one([2.5, 0.25, 1.5, 5.0], most=3))
    assert figure.data["spike"].tolist() == [2, 0, 2, 3]
    assert figure.data["spikes_paid"].tolist() == [2, 2, 4, 9]
    assert figure.data["even_spike"].sum() == 9
    assert "faster than 3 spikes a step" in figure.foot
    assert [note.text for note in marks(figure, 2, Note) if note.y == 1.0 and not note.x_panel] == ["2", "2", "3"]
    full = neuron_trace(one([4.0, 4.0], most=3))
    assert full.data["class"].tolist() == ["saturated"] * 2
    assert full.foot.startswith("Fired 3 times at every step and could not do more: v = 2.00 is clipping")
