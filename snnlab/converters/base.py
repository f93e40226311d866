"""What a conversion method is: a frozen set of hyper-parameters and one hook, ``neuron_for``."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from snnlab.core.errors import ConversionError
from snnlab.core.registry import MethodCard, Parameter
from snnlab.core.sites import NeuronSpec, Site

if TYPE_CHECKING:
    from snnlab.calibration.context import CalibrationContext, SiteInput
    from snnlab.calibration.weights import TunedSite
    from snnlab.converters.calibration import Calibration

INITIAL_FRACTION_HELP = "v(0) as a fraction of the threshold."
CALIBRATION_IMAGES = Parameter(
    "images", 128, "Images of the calibration, the first ones of the calibration data.", low=1, high=4096
)
OUTPUT_LAYER = Parameter(
    "output_layer",
    "spikes",
    "spikes: the last layer fires too, and the class with the most spikes is predicted, of equal ones the first; "
    "logits: its input is summed up.",
    choices=("spikes", "logits"),
)
WARM_UP_MARGIN = Parameter("margin", 1e-3, "Potential / threshold that counts as beyond rounding.", low=0.0, high=0.5)


@dataclass(frozen=True)
class Converter(ABC):
    """Base of all conversion methods. A method is a frozen dataclass of its hyper-parameters.

    Subclasses give ``card`` and write ``neuron_for``; those that calibrate say which percentiles they want, or return a
    ``calibration`` that measures a statistic of its own. A method that chooses among candidates, or needs more than the
    facts of one site, overrides ``calibrate``. Do not override ``create``.
    """

    card: ClassVar[MethodCard]

    @classmethod
    def create(cls, **values: Any) -> Self:
        """Build from parameter values, checked against the card.

        Raises:
            RecipeError: Unknown parameter, or a value out of range.
        """
        return cls(**cls.card.check(values))

    @property
    def parameters(self) -> dict[str, Any]:
        """Hyper-parameters by name."""
        return asdict(self)

    @property
    def percentiles(self) -> tuple[float, ...]:
        """Percentiles of activations wanted from calibration."""
        return ()

    @property
    def wants_channels(self) -> bool:
        """Whether calibration measures one value a channel."""
        return False

    @property
    def spikes_at_output(self) -> bool:
        """Whether the last layer ends in a site too, so that the prediction is the class with the most spikes."""
        return False

    @property
    def calibration(self) -> "Calibration | None":
        """The statistic of a user's file that convert() measures at every site; None for none."""
        return None

    @abstractmethod
    def neuron_for(self, site: Site) -> NeuronSpec:
        """The neuron that replaces a site's activation.

        Raises:
            ConversionError: The site does not offer what the method needs.
        """

    def calibrate(self, context: "CalibrationContext") -> Mapping[str, NeuronSpec]:
        """The neurons of all sites, by site name.

        Raises:
            ConversionError: As ``neuron_for``.
        """
        return {site.name: self.neuron_for(site) for site in context.sites}


@dataclass(frozen=True)
class SequentialConverter(Converter):
    """Base of methods that calibrate site after site, input first, under the spiking network up to there.

    Subclasses write ``calibrate_site`` in place of ``neuron_for``.

    Args:
        images: Images of the walk, the first ones of the calibration data.
    """

    images: int = 128

    @property
    def calibration_steps(self) -> int | None:
        """Time-steps of the walk; None for the T that the network is converted for."""
        return None

    @abstractmethod
    def calibrate_site(self, at: "SiteInput") -> NeuronSpec:
        """The neuron of a site, whose input the sites before it give as they were decided.

        Raises:
            ConversionError: The site does not offer what the method needs.
        """

    def neuron_for(self, site: Site) -> NeuronSpec:
        """Not asked for."""
        raise AssertionError(f"{self.card.name} decides site after site, in calibrate_site")

    def calibrate(self, context: "CalibrationContext") -> Mapping[str, NeuronSpec]:
        """The neurons of all sites, each decided under those before it."""
        steps = self.calibration_steps or context.num_steps
        return context.walk(self.calibrate_site, num_steps=steps, limit=self.images)


def half_or_zero(default: float) -> Parameter:
    """The parameter v(0) / threshold that every method has."""
    return Parameter("initial_fraction", default, INITIAL_FRACTION_HELP, low=-1.0, high=1.0)


def learned_threshold(site: Site, method: str) -> float:
    """The clipping threshold that a site was trained with.

    Raises:
        ConversionError: It has none; names methods that do without.
    """
    if site.threshold is None:
        raise ConversionError(
            f"{site.name} is a {site.activation} without a learned threshold, which {method} needs; "
            "use percentile_norm or max_norm for this network."
        )
    return site.threshold


def usable_thresholds(site: Site, values: np.ndarray) -> float | np.ndarray:
    """Thresholds measured per channel, where a channel that is always 0 takes the site's largest value.

    Such a channel never fires at any positive threshold; a threshold of 0 would make it fire at every step.

    Raises:
        ConversionError: No value is positive.
    """
    if not (values > 0).any():
        raise ConversionError(
            f"{site.name}: the chosen percentile of its activations is 0; choose a higher percentile or max_norm."
        )
    positive = np.where(values > 0, values, values.max())
    return float(positive) if positive.ndim == 0 else positive


def shifted_neuron(at: "SiteInput | TunedSite") -> NeuronSpec:
    """A neuron at the least-squares threshold with half a threshold spread over the steps, from which [Li2021] starts.

    Raises:
        ConversionError: The site is 0 on every image of the walk.
    """
    threshold = at.least_squares_threshold()
    if threshold == 0:
        raise ConversionError(
            f"{at.site.name}: every activation is 0 on the calibration images, so there is no threshold to set; use "
            "more images."
        )
    return NeuronSpec(threshold, added_fraction=1 / (2 * at.num_steps), reference_fraction=0.5)
