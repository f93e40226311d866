"""Base of the calibrations that a user's file brings: converters whose thresholds are a statistic of their own."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snnlab.converters.base import Converter, usable_thresholds
from snnlab.core.errors import ConversionError
from snnlab.core.sites import NeuronSpec, Site

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Calibration(Converter):
    """A statistic of every site's activations, measured on calibration images in one pass, and the thresholds it gives.

    Subclasses are frozen dataclasses as converters are; they give ``card``, of kind ``"calibration"`` and with
    ``needs=("calibration_data",)``, and write ``update`` and ``finish``. Each is a conversion method by itself, beside
    ``max_norm`` and ``percentile_norm``. A converter measures with one by returning it as its ``calibration``, and
    finds the result in ``site.statistics.measured``.
    """

    @property
    def calibration(self) -> "Calibration":
        """Itself."""
        return self

    @abstractmethod
    def update(self, state: Any, activations: "Tensor") -> Any:
        """What is known after some more activations of one site.

        Args:
            state: What the last call returned; None at first.
            activations: (1, n), or (channels, n) where ``wants_channels``, activation units.
        """

    @abstractmethod
    def finish(self, state: Any) -> "Tensor":
        """The statistic from all activations of one site, (1,) or (channels,).

        Of a calibration used as a method it is the threshold, in activation units.
        """

    def neuron_for(self, site: Site) -> NeuronSpec:
        """Threshold = the statistic, v(0) = ``initial_fraction`` of it where the dataclass has such a field, else 0.

        Raises:
            ConversionError: No value is positive.
        """
        assert site.statistics is not None, "convert() measures before it asks for neurons"
        assert site.statistics.measured is not None, "convert() measures what `calibration` names"
        if not (site.statistics.measured > 0).any():
            raise ConversionError(
                f"{site.name}: {self.card.name} measured no threshold above 0 there; change its parameters, or choose "
                "max_norm."
            )
        threshold = usable_thresholds(site, site.statistics.measured)
        return NeuronSpec(threshold=threshold, initial_fraction=getattr(self, "initial_fraction", 0.0))
