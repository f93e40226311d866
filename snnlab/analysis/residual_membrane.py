"""From a recording to the residual report, with its identity check."""

import numpy as np

from snnlab.analysis.reports import ResidualReport
from snnlab.core.errors import SimulationError
from snnlab.neurons.kernels import BASE_TOLERANCE
from snnlab.simulation.recording import Recording


def residuals(recording: Recording) -> ResidualReport:
    r"""Distribution of the residual membrane potential v(t) at every site and snapshot.

    The simulation has already checked charge balance :math:`v(t) - v(0) = \sum I - \theta N` neuron by neuron.

    Raises:
        SimulationError: The recording has no snapshots.
    """
    if not recording.snapshots:
        raise SimulationError("This recording kept no residuals; simulate with snapshots=[...].")
    sites = list(recording.sites.values())
    kept = [site.statistics for site in sites]
    error = np.array([statistics.identity[0] for statistics in kept])
    ratio = np.array([statistics.identity[1] for statistics in kept])
    return ResidualReport(
        names=tuple(recording.sites),
        shapes=tuple(site.site.shape for site in sites),
        thresholds=np.array([float(np.mean(site.threshold)) for site in sites]),
        steps=recording.snapshots,
        histogram=np.stack([statistics.histogram for statistics in kept]),
        spike_errors=np.stack([statistics.spike_errors for statistics in kept]),
        moments=np.stack([statistics.moments for statistics in kept]),
        fired_moments=np.stack([statistics.fired for statistics in kept]),
        spikes=np.stack([statistics.spikes for statistics in kept]),
        nan=np.stack([statistics.nan for statistics in kept]),
        identity_error=error,
        identity_tolerance=np.where(ratio > 0, error / np.where(ratio > 0, ratio, 1), BASE_TOLERANCE),
        images=recording.images,
        split=recording.split,
        initial_fraction=np.array([float(np.mean(site.initial_fraction)) for site in sites]),
        changed_weights=recording.changed_weights,
    )
