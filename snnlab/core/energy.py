"""What one operation costs: published energies, each with its source. Arithmetic alone, no memory access."""

from dataclasses import dataclass

from snnlab.core.errors import SnnlabError
from snnlab.core.references import REFERENCES


@dataclass(frozen=True)
class EnergyCosts:
    """Energies of one multiplication and of one addition.

    Args:
        name: Short name.
        title: Arithmetic and process.
        multiply: One multiplication, pJ.
        add: One addition, pJ.
        citation: Key in ``snnlab.core.references``.
    """

    name: str
    title: str
    multiply: float
    add: float
    citation: str

    @property
    def mac(self) -> float:
        """One multiply-accumulate, pJ."""
        return round(self.multiply + self.add, 12)  # tenths are not exact in binary

    @property
    def ac(self) -> float:
        """One accumulate, pJ."""
        return self.add

    @property
    def source(self) -> str:
        """For example ``Horowitz, ISSCC 2014``."""
        return REFERENCES[self.citation].short


ENERGY_COSTS = {
    costs.name: costs
    for costs in (
        EnergyCosts("float32-45nm", "32-bit float, 45 nm", 3.7, 0.9, "Horowitz2014"),
        EnergyCosts("float16-45nm", "16-bit float, 45 nm", 1.1, 0.4, "Horowitz2014"),
        EnergyCosts("int32-45nm", "32-bit integer, 45 nm", 3.1, 0.1, "Horowitz2014"),
        EnergyCosts("int8-45nm", "8-bit integer, 45 nm", 0.2, 0.03, "Horowitz2014"),
    )
}
"""Name -> published costs. The first is the one that most papers of this field compute with: 4.6 pJ and 0.9 pJ."""


def energy_costs(name: str) -> EnergyCosts:
    """The costs of that name.

    Raises:
        SnnlabError: There are none; lists those that are known.
    """
    if name not in ENERGY_COSTS:
        raise SnnlabError(f"There are no energy costs {name!r}; choose one of {', '.join(ENERGY_COSTS)}.")
    return ENERGY_COSTS[name]
