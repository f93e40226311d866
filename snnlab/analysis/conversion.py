"""The table of a conversion: one row per site."""

import numpy as np

from snnlab.analysis.reports import ConversionReport
from snnlab.simulation.recording import Recording
from snnlab.simulation.spiking_model import SpikingModel


def conversion_report(snn: SpikingModel, recording: Recording) -> ConversionReport:
    """What stands at every site, with the firing rate that the recording saw."""
    rows, output = [], None
    for name, site in recording.sites.items():
        neurons = int(np.prod(site.site.shape))
        row = {
            "name": name,
            "shape": list(site.site.shape),
            "activation": site.site.activation,
            "levels": site.site.levels,
            "threshold_low": float(np.min(site.threshold)),
            "threshold_high": float(np.max(site.threshold)),
            "v0": float(np.mean(site.initial_fraction)),
            "firing_rate": site.total_spikes / (neurons * recording.images * recording.num_steps),
            "neurons": neurons,
            "replaced": snn.replaced[name],
            "edited": name in snn.edited,
        }
        if site.site.is_output:
            output = row
        else:
            rows.append(row)
    return ConversionReport(
        method=snn.method,
        parameters=snn.parameters_used,
        sites=tuple(rows),
        coverage=snn.coverage,
        num_steps=recording.num_steps,
        converted_for=snn.converted_for,
        findings=snn.findings,
        output=output,
        changed_weights=snn.changed_weights,
        warm_up_steps=snn.warm_up_steps,
        read_out_delay=snn.read_out_delay,
    )
