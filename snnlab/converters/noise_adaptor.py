"""Noise Adaptor: a low-bit network trained with noise at its quantizers becomes plain integrate-and-fire."""

from dataclasses import dataclass
from typing import ClassVar

from snnlab.converters.base import Converter, half_or_zero
from snnlab.core.errors import ConversionError
from snnlab.core.registry import MethodCard, register
from snnlab.core.sites import NeuronSpec, Site


@register
@dataclass(frozen=True)
class NoiseAdaptor(Converter):
    r"""Replace the b-bit quantizer with learned scale s by an IF neuron; the noise stays behind.

    .. math:: \theta = s\,p, \quad p = 2^b - 1, \quad v(0) = \theta / 2

    No negative spikes and no second stage: what the method changes is the training. At T = p a constant input gives
    exactly the b-bit quantizer; every other T is allowed.

    Args:
        initial_fraction: v(0) / threshold.

    Source: [Li2024NA]. Deviation: an interpretation. The conversion is the one of the same author's earlier code
    [Li2023]; that this work uses it is assumed.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="noise_adaptor",
        kind="converter",
        title="Noise Adaptor",
        summary="For low-bit networks trained with noise at the quantizer; the learned scale gives the threshold.",
        citation="Li2024NA",
        year=2024,
        evidence="interpretation",
        needs=("learned_thresholds", "lsq_noise"),
        parameters=(half_or_zero(0.5),),
        equation=(
            r"a = s\,\mathrm{clip}(\lfloor z/s + \epsilon + 1/2 \rfloor, 0, p),\quad "
            r"\theta = s\,p,\quad v(0) = \theta/2"
        ),
    )

    initial_fraction: float = 0.5

    def neuron_for(self, site: Site) -> NeuronSpec:
        """Threshold = s p.

        Raises:
            ConversionError: The activation is not the quantizer that the method trains.
        """
        if site.activation != "lsq_noise":
            raise ConversionError(
                f"{site.name} is a {site.activation}, and noise_adaptor needs lsq_noise activations; fine-tune this "
                "network with them (snnlab train CKPT --arms control,noise_adaptor_none,noise_adaptor), or use "
                + ("percentile_norm or max_norm." if site.threshold is None else "qcfs.")
            )
        assert site.threshold is not None, "lsq_noise has a scale"
        return NeuronSpec(threshold=site.threshold, initial_fraction=self.initial_fraction)
