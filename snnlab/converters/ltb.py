"""LTB: thresholds learned with frozen weights, and a read-out that waits for the layers to fill."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snnlab.converters.base import Converter, half_or_zero, usable_thresholds
from snnlab.core.registry import MethodCard, Parameter, register
from snnlab.core.sites import NeuronSpec, Site

if TYPE_CHECKING:
    from snnlab.calibration.context import CalibrationContext


@register
@dataclass(frozen=True)
class LocalThresholdBalancing(Converter):
    r"""Each site raises its thresholds by what they cut off, iteration after iteration; no weight is trained.

    .. math:: \theta_c \leftarrow \theta_c + 2\,\mathrm{mean}(z - \theta_c)_+,\quad v(0) = \theta/2
    .. math:: \hat y(t) = \mathrm{mean}_{(t_0, t]},\quad t_0 = \tilde t_0 \text{ where } t > \tilde t_0 + 4,\ t - 4
        \text{ before},\quad \tilde t_0 = \Big\lfloor \sum_l \min_i \frac{\theta_i - v_i(0)}{E[\mathrm{ReLU}(z_i)]}
        \Big\rfloor

    The window of the read-out is that of each t; with four steps or fewer it takes them all. Neurons fire above the
    threshold, not at it, as in the code.

    Args:
        iterations: Of the thresholds; more of them reach further in the long run, and less at few steps.
        batch: Images of one iteration, the next ones of the calibration data.
        initial_fraction: v(0) / threshold.

    Source: [Bu2025], the authors' code; the delay after the paper, since the code's reads an attribute that nothing
    sets. Deviation: with a threshold a channel, the fastest neuron of a layer takes the part of the largest mean; where
    the source clips, no threshold rises above that. A max-pool stays behind its neuron and is exact in the mean, see
    ``RunningMaxPool``; the code pools each step's currents before the neuron, which raises the mean.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="ltb",
        kind="converter",
        title="LTB",
        summary="Learns a threshold a channel with frozen weights, and reads out once the layers have filled.",
        citation="Bu2025",
        year=2025,
        evidence="official_code",
        needs=("calibration_data",),
        parameters=(
            Parameter("iterations", 1000, "Iterations of the thresholds, one batch each.", low=1, high=100_000),
            Parameter("batch", 100, "Images of one iteration.", low=1, high=4096),
            half_or_zero(0.5),
        ),
        equation=r"\theta_c \leftarrow \theta_c + 2\,\mathrm{mean}(z - \theta_c)_+,\quad v(0) = \theta/2",
    )

    iterations: int = 1000
    batch: int = 100
    initial_fraction: float = 0.5

    def neuron_for(self, site: Site) -> NeuronSpec:
        """Not asked for."""
        raise AssertionError("ltb decides all sites at once, in calibrate")

    def calibrate(self, context: "CalibrationContext") -> Mapping[str, NeuronSpec]:
        """The neurons at the learned thresholds; the delay of the read-out goes into the context."""
        learned = context.learn_clipping(iterations=self.iterations, batch=self.batch)
        specs, times = {}, []
        for site in context.sites:
            thresholds = np.atleast_1d(usable_thresholds(site, learned[site.name].thresholds))
            specs[site.name] = NeuronSpec(thresholds, self.initial_fraction, fires_at_equality=False)
            mean = learned[site.name].mean
            to_fill = (1 - self.initial_fraction) * thresholds.reshape(-1, *[1] * (mean.ndim - 1))
            times.append(float((to_fill / np.where(mean > 0, mean, np.nan))[mean > 0].min()))
        context.read_out_delay = int(sum(times))
        context.findings["read_out"] = {
            "note": f"ltb leaves out the first {context.read_out_delay} steps of the read-out where t is above "
            f"{context.read_out_delay + 4}, and reads the last 4 before.",
            "delay": context.read_out_delay,
            "sites": [{"site": site.name, "steps": time} for site, time in zip(context.sites, times, strict=True)],
        }
        return specs
