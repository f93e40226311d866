"""How pixels become network input: ``(x - mean) / std`` per channel, with x scaled to 0..1. Imports no torch."""

import difflib
import math
from dataclasses import dataclass

from snnlab.core.errors import DataError, RecipeError

SMALLEST_STD = 1e-6


@dataclass(frozen=True)
class Normalization:
    """Mean and standard deviation per channel, in units of the full pixel range (x = 1 is white).

    Args:
        name: Preset name, or the numbers as ``"m1,m2,m3/s1,s2,s3"``.
        mean: One number a channel, or a single one for every channel.
        std: As many positive numbers.
    """

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def fits(self, channels: int) -> bool:
        """Whether images of ``channels`` channels can be normalised: same count, or one number for all."""
        return len(self.mean) in (1, channels)

    def check(self, channels: int) -> None:
        """Refuse images of another channel count.

        Raises:
            DataError: The channel counts differ.
        """
        if not self.fits(channels):
            raise DataError(
                f"Normalization {self.name!r} is for {len(self.mean)} channels and the images have {channels}; "
                "choose half, unit, or give the numbers as mean/std."
            )


PRESETS: dict[str, Normalization] = {
    preset.name: preset
    for preset in (
        # Source: the QCFS-family training code and most CIFAR repositories; std is the mean of per-image deviations.
        Normalization("cifar10", (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
        # The deviation over all training pixels.
        Normalization("cifar10-true", (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
        Normalization("cifar100", (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
        Normalization("imagenet", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        Normalization("half", (0.5,), (0.5,)),
        Normalization("unit", (0.0,), (1.0,)),
        Normalization("mnist", (0.1307,), (0.3081,)),
    )
}


def presets_for(channels: int) -> tuple[Normalization, ...]:
    """The presets worth trying on images of ``channels`` channels (``mnist`` only on one channel)."""
    return tuple(
        preset for preset in PRESETS.values() if preset.fits(channels) and (preset.name != "mnist" or channels == 1)
    )


def parse_normalization(text: str) -> Normalization:
    """Read a preset name or ``"m1,m2,m3/s1,s2,s3"`` (one number each for every channel count).

    Raises:
        RecipeError: No such preset (the nearest is proposed), or numbers that do not pair up, are not finite, or a
            deviation that is not positive.

    Example:
        >>> parse_normalization("0.5,0.5,0.5/0.25,0.25,0.25").std
        (0.25, 0.25, 0.25)
    """
    stripped = text.strip()
    if stripped in PRESETS:
        return PRESETS[stripped]
    if "/" not in stripped:
        near = difflib.get_close_matches(stripped.lower(), PRESETS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(PRESETS)}, or 'm1,m2,m3/s1,s2,s3'."
        raise RecipeError(f"There is no normalization {stripped[:80]!r}; {hint}")
    mean_text, _, std_text = stripped.partition("/")
    mean, std = _numbers(mean_text, stripped), _numbers(std_text, stripped)
    if len(mean) != len(std):
        raise RecipeError(
            f"Normalization {stripped[:80]!r} has {len(mean)} means and {len(std)} deviations; give as many of each."
        )
    if min(std) < SMALLEST_STD:
        raise RecipeError(
            f"Normalization {stripped[:80]!r} has a deviation of {min(std):g}; every one must be at least "
            f"{SMALLEST_STD:g}."
        )
    # repr round-trips, so equal numbers always carry one name and one recipe hash.
    name = "/".join(",".join(repr(value) for value in part) for part in (mean, std))
    return Normalization(name, mean, std)


def _numbers(text: str, whole: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise RecipeError(
            f"Normalization {whole[:80]!r} is not of the form 'm1,m2,m3/s1,s2,s3' (numbers with a decimal point)."
        ) from None
    if not all(math.isfinite(value) for value in values):
        raise RecipeError(f"Normalization {whole[:80]!r} holds a number that is not finite; give finite numbers.")
    return values
