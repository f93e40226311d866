"""What one operation costs: published energies, each with its source.

Two kinds of sets. *Arithmetic*: multiplication and addition in one process, the same for ANN and SNN, no memory access.
*Chips*: every accumulate of the SNN is one synaptic operation of a neuromorphic chip, memory access included, beside
an ANN whose arithmetic is that of the first set. The second compares two technologies, and says so.
"""

from dataclasses import dataclass

from snnlab.core.errors import SnnlabError
from snnlab.core.references import REFERENCES


@dataclass(frozen=True)
class EnergyCosts:
    """Energies of one multiplication, of one addition and, on a chip, of one synaptic operation.

    Args:
        name: Short name.
        title: Arithmetic or chip, and process.
        multiply: One multiplication, pJ.
        add: One addition, pJ.
        citation: Key in ``snnlab.core.references``, of both.
        synaptic: One synaptic operation of a chip, pJ: what one accumulate of the SNN costs there; None for ``add``.
        chip_citation: Key of the paper that tells it.
    """

    name: str
    title: str
    multiply: float
    add: float
    citation: str
    synaptic: float | None = None
    chip_citation: str = ""

    @property
    def mac(self) -> float:
        """One multiply-accumulate, pJ: of the ANN, and of the SNN on the analog image."""
        return round(self.multiply + self.add, 12)  # tenths are not exact in binary

    @property
    def ac(self) -> float:
        """One accumulate of the ANN, pJ."""
        return self.add

    @property
    def sop(self) -> float:
        """One accumulate of the SNN, pJ."""
        return self.add if self.synaptic is None else self.synaptic

    @property
    def across(self) -> bool:
        """Whether SNN and ANN are priced in two technologies."""
        return self.synaptic is not None

    @property
    def prices(self) -> str:
        """For example ``4.6 and 0.9 pJ``."""
        if self.across:
            return f"{self.sop:g} pJ a synaptic operation, ANN {self.mac:g} pJ a MAC"
        return f"{self.mac:g} and {self.ac:g} pJ"

    @property
    def source(self) -> str:
        """For example ``Horowitz, ISSCC 2014``."""
        arithmetic = REFERENCES[self.citation].short
        if not self.across:
            return arithmetic
        chip, table = REFERENCES[self.chip_citation].short, REFERENCES[_TABLE].short
        return f"{chip if self.chip_citation == _TABLE else f'{chip}, as tabulated by {table}'}; MAC: {arithmetic}"


_TABLE = "Tang2023"


def _chip(name: str, title: str, synaptic: float, citation: str) -> EnergyCosts:
    """A chip beside an ANN in the arithmetic that most papers of this field price it with."""
    return EnergyCosts(name, title, 3.7, 0.9, "Horowitz2014", synaptic, citation)


ENERGY_COSTS = {
    costs.name: costs
    for costs in (
        EnergyCosts("float32-45nm", "32-bit float, 45 nm", 3.7, 0.9, "Horowitz2014"),
        EnergyCosts("float16-45nm", "16-bit float, 45 nm", 1.1, 0.4, "Horowitz2014"),
        EnergyCosts("int32-45nm", "32-bit integer, 45 nm", 3.1, 0.1, "Horowitz2014"),
        EnergyCosts("int8-45nm", "8-bit integer, 45 nm", 0.2, 0.03, "Horowitz2014"),
        _chip("loihi", "Loihi, 14 nm", 23.6, "Davies2018"),
        _chip("odin", "ODIN, 28 nm", 12.7, "Frenkel2019"),
        _chip("spinnaker2", "SpiNNaker 2, 22 nm", 10.0, "Hoppner2021"),
        _chip("seneca", "SENECA, 22 nm", 2.8, "Tang2023"),
        _chip("truenorth", "TrueNorth, 28 nm", 2.5, "Akopyan2015"),
        _chip("tianjic", "Tianjic, 28 nm", 1.54, "Deng2020"),
    )
}
"""Name -> published costs. The first is the one that most papers of this field compute with: 4.6 pJ and 0.9 pJ."""

ARITHMETIC_COSTS = tuple(name for name, costs in ENERGY_COSTS.items() if not costs.across)
"""The sets that price ANN and SNN alike; others are asked for by name."""


def energy_costs(name: str) -> EnergyCosts:
    """The costs of that name.

    Raises:
        SnnlabError: There are none; lists those that are known.
    """
    if name not in ENERGY_COSTS:
        raise SnnlabError(f"There are no energy costs {name!r}; choose one of {', '.join(ENERGY_COSTS)}.")
    return ENERGY_COSTS[name]
