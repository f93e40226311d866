"""What is run when nobody says otherwise."""

from collections.abc import Mapping, Sequence
from typing import Any

from snnlab.core.recipe import BESIDE_CONVERSION, AttributionChoice, NoiseChoice, Recipe
from snnlab.core.registry import MethodCard, is_quantized
from snnlab.core.registry import card as method_card

DEFAULT_MAX_STEPS = 32
DEFAULT_IMAGES = 1000
DEFAULT_TRACES = 3
DEFAULT_NOISE_IMAGES = 512
DIAGNOSED_IMAGES = 300

_NOT_OF_ONE_IMAGE = (*BESIDE_CONVERSION, "snapshots", "traces")


def default_snapshots(num_steps: int) -> tuple[int, ...]:
    """Every t up to 8, then powers of two, and T itself."""
    powers = {2**k for k in range(3, num_steps.bit_length())}
    return tuple(sorted({*range(1, min(num_steps, 8) + 1), *powers, num_steps}))


def doubling_steps(num_steps: int) -> tuple[int, ...]:
    """Powers of two up to T, and T itself: the columns of a table that fits a page.

    Example:
        >>> doubling_steps(32), doubling_steps(10)
        ((1, 2, 4, 8, 16, 32), (1, 2, 4, 8, 10))
    """
    return tuple(sorted({2**k for k in range(num_steps.bit_length())} | {num_steps}))


def default_target(activation: str) -> int:
    """Time-steps that views start at: 2 for quantized sources, 32 for the others, which are at chance at 2."""
    return 2 if is_quantized(activation) else DEFAULT_MAX_STEPS


def default_method(activation: str) -> str:
    """The method that fits a source network: learned thresholds are used, others measured."""
    if activation == "relu":
        return "percentile_norm"
    return {"nq": "nq", "lsq_noise": "noise_adaptor"}.get(activation, "qcfs")


_IMAGES = ("calibration_data", "validation_data")  # every dataset has these


def why_unfit(method: MethodCard, card: Mapping[str, Any], parameters: Mapping[str, Any] | None = None) -> str:
    """What a method needs and a checkpoint has not, in a sentence; "" where it fits.

    Args:
        method: Card of the method.
        card: Card of the checkpoint, as plain values.
        parameters: Its parameters; None for the defaults.
    """
    for need in method.needs_of(parameters or {}):
        if need == "learned_thresholds" and any(site["threshold"] is None for site in card["sites"]):
            return f"It takes over learned thresholds, and a network with {card['activation']} activations has none."
        if need == "levels" and card["levels"] is None:
            return f"It converts quantized activations, and a network with {card['activation']} activations has none."
        if need not in ("learned_thresholds", "levels", *_IMAGES) and need != card["activation"]:
            return f"It converts networks with {need} activations, and this one has {card['activation']}."
    return ""


def default_recipe(
    source: str,
    *,
    activation: str = "qcfs",
    dataset: str = "digits",
    num_steps: int = DEFAULT_MAX_STEPS,
    **data: object,
) -> Recipe:
    """The recipe that the app starts from.

    Args:
        source: Bundled name or path.
        activation: Activation of the source network; decides the method.
        dataset: Dataset.
        num_steps: T simulated; every smaller t is in it.
        **data: Further fields of the data choice (``folder``, ``split``, ``limit``, ``normalize``).

    Raises:
        RecipeError: A value is not valid.
    """
    return Recipe.parse(
        {
            "checkpoint": {"source": source},
            "data": {"dataset": dataset, "split": "dev", "limit": DEFAULT_IMAGES, **data},
            "converter": {"method": default_method(activation)},
            "num_steps": num_steps,
            "snapshots": default_snapshots(num_steps),
            "traces": DEFAULT_TRACES,
        }
    )


def diagnosis_recipe(recipe: Recipe, num_steps: int) -> Recipe:
    """The recipe that the app diagnoses: the same chain at one T, on a few hundred images.

    Args:
        recipe: Of the run in view.
        num_steps: T; the smallest that its method can simulate where that is larger.

    Raises:
        RecipeError: T is below 1.
    """
    limit = min(recipe.data.limit or DIAGNOSED_IMAGES, DIAGNOSED_IMAGES)
    plain = recipe.changed(data={"limit": limit}, traces=0, snapshots=[])
    return plain.changed(num_steps=max(num_steps, least_steps(plain)))


def least_steps(recipe: Recipe) -> int:
    """The smallest T that the recipe's method can simulate; 1 where any will do, or its file is not loaded."""
    choice = recipe.converter
    return 1 if choice.code is not None else method_card(choice.method).least_steps(choice.parameters)


def noise_recipe(recipe: Recipe, *, targets: Sequence[int] | None = None) -> Recipe:
    """The noise recipe that the app starts from: the same chain, the gap at every snapshot.

    Args:
        recipe: Of the run in view.
        targets: T at which the noisy ANN is evaluated; None for every snapshot, and for T where there is none.

    Raises:
        RecipeError: A target lies outside 1..T.
    """
    chosen = tuple(targets or recipe.snapshots or (recipe.num_steps,))
    limit = min(recipe.data.limit or DEFAULT_NOISE_IMAGES, DEFAULT_NOISE_IMAGES)
    noise = NoiseChoice(limit=DEFAULT_NOISE_IMAGES, targets=chosen)
    return recipe.changed(data={"limit": limit}, traces=0, noise=noise.model_dump(mode="json", exclude_none=True))


def flips_recipe(recipe: Recipe) -> Recipe:
    """The recipe of the flips of a run in view: the same chain, representations compared at every snapshot."""
    limit = min(recipe.data.limit or DEFAULT_IMAGES, DEFAULT_IMAGES)
    return recipe.changed(data={"limit": limit}, traces=0, noise=None)


def attribution_recipe(recipe: Recipe, choice: AttributionChoice | None = None) -> Recipe:
    """The recipe that explains an image of a conversion: the same chain, without what does not concern one image.

    Args:
        recipe: Of a conversion.
        choice: Image, method, class and T; None for the first image at the recipe's T.

    Raises:
        RecipeError: A T that is not simulated.
    """
    chosen = choice or AttributionChoice()
    own = {**chosen.model_dump(mode="json", exclude_none=True), "steps": list(chosen.steps or (recipe.num_steps,))}
    whole = {name: value for name, value in recipe.to_dict().items() if name not in _NOT_OF_ONE_IMAGE}
    data = recipe.data.model_dump(exclude={"limit"}, exclude_none=True)
    return Recipe.parse({**whole, "data": data, "attribution": own})


def early_exit_recipe(recipe: Recipe) -> Recipe:
    """The recipe of early exit for a run in view: the same chain, without what it does not need."""
    limit = min(recipe.data.limit or DEFAULT_IMAGES, DEFAULT_IMAGES)
    return recipe.changed(data={"limit": limit}, snapshots=(), traces=0, noise=None)


def budget_recipe(recipe: Recipe) -> Recipe:
    """The recipe of an error budget, or of a restoration, that the app starts from: the same chain and images.

    Args:
        recipe: Of the run in view.
    """
    steps = [step for step in doubling_steps(recipe.num_steps) if step in recipe.snapshots or step == recipe.num_steps]
    return recipe.changed(snapshots=steps, traces=0, noise=None)
