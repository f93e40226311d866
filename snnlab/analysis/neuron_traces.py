"""Single neurons: drawn at random by class from a recording, or one named by the user."""

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from snnlab.analysis.reports import NeuronTraces
from snnlab.analysis.reports.neuron_traces import replay
from snnlab.core.errors import SimulationError
from snnlab.core.histogram import CLASSES, EXACT, EXCESS, MISSING, SATURATED, SILENT
from snnlab.simulation.engine import simulate, site_shapes
from snnlab.simulation.images import ImageSource, as_images
from snnlab.simulation.recording import Candidates, Recording
from snnlab.simulation.spiking_model import SpikingModel


def traces(recording: Recording, *, per_class: int = 3) -> NeuronTraces:
    """Up to ``per_class`` random neurons for every site, snapshot and class that has any among the candidates.

    Sites whose spikes do not follow from the input alone, as where a warm-up decides, have none.

    Args:
        recording: Made with ``candidates="random"`` and snapshots.
        per_class: Neurons per site, snapshot and class.

    Raises:
        SimulationError: The recording kept no candidates.
    """
    parts: list[tuple[int, Candidates, np.ndarray]] = []  # site index, candidates, chosen rows
    members: list[tuple[int, int, int, int]] = []
    offset = 0
    for index, site in enumerate(recording.sites.values()):
        if not site.is_replayable:
            continue
        if site.candidates is None:
            raise SimulationError("This recording kept no single neurons; simulate with candidates='random'.")
        kinds = _classes(site.candidates, recording.snapshots)  # (snapshots, candidates)
        chosen: dict[int, int] = {}  # candidate -> row of this site's part
        for s in range(len(recording.snapshots)):
            for kind in range(len(CLASSES)):
                # Candidates are random in position but sorted by image: spread the choice over the images.
                found = np.flatnonzero(kinds[s] == kind)
                for candidate in found[np.linspace(0, len(found) - 1, min(per_class, len(found))).astype(int)]:
                    row = chosen.setdefault(int(candidate), len(chosen))
                    members.append((index, s, kind, offset + row))
        parts.append((index, site.candidates, np.array(list(chosen), dtype=int)))
        offset += len(chosen)
    none = np.empty(0, int)
    return NeuronTraces(
        currents=np.concatenate(
            [np.empty((0, recording.num_steps), np.float32), *(kept.currents[rows] for _, kept, rows in parts)]
        ),
        site=np.concatenate([none, *(np.full(len(rows), index) for index, _, rows in parts)]),
        image=np.concatenate([none, *(kept.image[rows] for _, kept, rows in parts)]),
        position=np.concatenate([none, *(kept.position[rows] for _, kept, rows in parts)]),
        initial=np.concatenate([np.empty(0), *(kept.initial[rows] for _, kept, rows in parts)]).astype(np.float32),
        negative=np.concatenate([np.empty(0, np.float32), *(kept.negative[rows] for _, kept, rows in parts)]),
        most=np.concatenate([none, *(np.full(len(rows), kept.most) for _, kept, rows in parts)]).astype(np.int16),
        members=np.array(members, dtype=np.int32).reshape(-1, 4),
    )


def trace_neuron(
    snn: SpikingModel,
    data: "ImageSource | Tensor | Sequence[Tensor]",
    *,
    site: str,
    image: int,
    position: int,
    num_steps: int,
) -> NeuronTraces:
    """The input of one neuron at every step, for one image.

    Args:
        snn: The converted network.
        data: Images, normalised.
        site: Site name.
        image: Index of the image.
        position: Flat index of the neuron within the site's shape.
        num_steps: T.

    Raises:
        SimulationError: No such site, image or neuron; says what there is. Or its spikes do not follow from its input.
    """
    images = as_images(data)
    names = [facts.name for facts in snn.site_facts]
    if site not in names:
        raise SimulationError(f"There is no site {site!r}; sites are: {', '.join(names)}.")
    if not snn.sites[site].is_replayable:
        raise SimulationError(
            f"{site} has neurons of {snn.method}, whose spikes do not follow from their input alone; single neurons "
            "are shown where they do."
        )
    if not 0 <= image < len(images):
        raise SimulationError(f"There is no image {image}; images go from 0 to {len(images) - 1}.")
    x = images.batch(image, image + 1)
    shape = site_shapes(snn, x)[site]
    neurons = math.prod(shape)
    if not 0 <= position < neurons:
        raise SimulationError(f"{site} has no neuron {position}; neurons go from 0 to {neurons - 1}.")
    recording = simulate(snn, x, num_steps=num_steps, candidates={site: (np.zeros(1, int), np.array([position]))})
    kept = recording.sites[site].candidates
    assert kept is not None, "asked for above"
    return NeuronTraces(
        currents=kept.currents,
        site=np.array([names.index(site)]),
        image=np.array([image]),
        position=kept.position,
        initial=kept.initial.astype(np.float32),
        negative=kept.negative,
        most=np.array([kept.most], np.int16),
        members=np.zeros((0, 4), np.int32),
    )


def _classes(kept: Candidates, snapshots: Sequence[int]) -> np.ndarray:
    """Class of each candidate at each snapshot, (snapshots, candidates); potentials in thresholds, float32."""
    run = replay(kept.currents, kept.initial, negative=kept.negative, most=kept.most)
    counts = run.spikes.cumsum(axis=-1)
    kinds = np.empty((len(snapshots), len(kept.initial)), np.int8)
    for s, step in enumerate(snapshots):
        count, most = counts[:, step - 1], kept.most * step
        ideal = np.clip(count + np.floor(run.after[:, step - 1]), 0, most)
        right = np.select([count == 0, count == most], [SILENT, SATURATED], EXACT)
        kinds[s] = np.select([count > ideal, count < ideal], [EXCESS, MISSING], right)
    return kinds
