import numpy as np
import pytest

from snnlab.core.errors import SnnlabError
from snnlab.core.histogram import CLASSES
from snnlab.figures import neuron_trace
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
        assert row["potential"] == membrane[0]
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
