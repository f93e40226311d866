"""The arms of a noise experiment: what each one changes, and nothing else."""

from collections.abc import Callable

from snnlab.calibration import NoiseProfile
from snnlab.core.recipe import NoiseChoice, TrainingChoice
from snnlab.data import ImageSplit
from snnlab.sweeps.places import ADAPTED, CONTROLS, OWN
from snnlab.training.noise import Frozen, ReEstimated

SHAPES: dict[str, Callable[[NoiseProfile], NoiseProfile]] = {
    "nq": lambda profile: profile,
    "half_nq": lambda profile: profile.scaled(0.5),
    "double_nq": lambda profile: profile.scaled(2.0),
    "uniform": NoiseProfile.uniform,
    "reversed": NoiseProfile.reversed,
}
"""Arm -> how it reshapes the measured profile."""


def levels_of(arm: str, training: TrainingChoice, target: int) -> int | None:
    """Quantization levels that an arm trains with; None for the checkpoint's own."""
    return target if arm == "control_L" else training.levels


def noise_of(
    arm: str,
    training: TrainingChoice,
    noise: NoiseChoice,
    images: ImageSplit,
    target: int,
    base: Callable[[], NoiseProfile],
) -> ReEstimated | Frozen | None:
    """Where the std of an arm comes from; None for the controls, and for ``noise_adaptor``, whose noise is its own.

    Args:
        arm: Name.
        training: Says whether the user's own profile is re-estimated or frozen.
        noise: The user's own profile.
        images: Images the gap is measured on.
        target: T of the gap.
        base: Gives the profile measured before fine-tuning, which turns a drawn std into a multiplier.
    """
    if arm in CONTROLS or arm in ADAPTED:
        return None
    if arm == OWN:
        if training.noise == "freeze":
            return Frozen(_drawn(noise, base).std_by_site())
        shape = _own(noise, base)
    else:
        shape = SHAPES[arm]
    return ReEstimated(images, target, shape, paper_compat=noise.paper_compat)


def _drawn(noise: NoiseChoice, base: Callable[[], NoiseProfile]) -> NoiseProfile:
    """The user's profile as it stands before fine-tuning."""
    measured = base()
    if noise.std is None:
        return measured.multiplied(noise.multipliers).scaled(noise.scale)
    return measured.with_std(noise.std).scaled(noise.scale)


def _own(noise: NoiseChoice, base: Callable[[], NoiseProfile]) -> Callable[[NoiseProfile], NoiseProfile]:
    if noise.std is None:
        return lambda profile: profile.multiplied(noise.multipliers).scaled(noise.scale)
    first = base()
    measured = first.std_by_site()
    drawn = first.with_std(noise.std).std_by_site()
    multipliers = {name: std / measured[name] for name, std in drawn.items() if measured[name] > 0}
    fixed = {name: std for name, std in drawn.items() if measured[name] == 0}  # nothing there to be multiplied
    return lambda profile: profile.multiplied(multipliers).with_std(fixed).scaled(noise.scale)
