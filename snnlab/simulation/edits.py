"""Edits by hand: another threshold or v(0) at chosen sites of a converted network."""

import copy
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from snnlab.core.errors import ConversionError
from snnlab.neurons import IntegrateFire
from snnlab.simulation.spiking_model import SpikingModel, build_neuron, spec_of

Edits = Mapping[str, Mapping[str, float | None]]
"""Site name -> ``threshold`` (activation units) and / or ``v0`` (fraction of it); None or absent leaves it alone."""


def with_edits(snn: SpikingModel, edits: Edits) -> SpikingModel:
    """A copy of a network with other thresholds or potentials v(0) at some sites. ``snn`` is left alone.

    Args:
        snn: The converted network.
        edits: What to put where; a threshold replaces all of a site's channels.

    Raises:
        ConversionError: No such site, or a threshold that is not positive and finite; names the site.
    """
    check_sites(edits, (site.name for site in snn.site_facts))
    graph = copy.deepcopy(snn.graph)
    for site in snn.site_facts:
        edit = edits.get(site.name)
        if edit is None:
            continue
        neuron = graph.get_submodule(site.name)
        assert isinstance(neuron, IntegrateFire), "a site of a spiking network is a neuron"
        put: dict[str, Any] = {"threshold": edit.get("threshold"), "initial_fraction": edit.get("v0")}
        spec = replace(spec_of(neuron), **{name: value for name, value in put.items() if value is not None})
        graph.set_submodule(site.name, build_neuron(spec, site))
    return SpikingModel(
        graph,
        sites=snn.site_facts,
        method=snn.method,
        parameters=snn.parameters_used,
        coverage=snn.coverage,
        replaced=snn.replaced,
        edited=tuple(dict.fromkeys([*snn.edited, *edits])),
        converted_for=snn.converted_for,
        findings=snn.findings,
        changed_weights=snn.changed_weights,
        read_out_delay=snn.read_out_delay,
    )


def check_sites(wanted: Iterable[str], names: Iterable[str]) -> None:
    """Raise unless every wanted site exists.

    Raises:
        ConversionError: Names the first that does not, and the nearest one that does.
    """
    known = list(names)
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"sites are: {', '.join(known)}."
            raise ConversionError(f"There is no site {name!r} to edit; {hint}")
