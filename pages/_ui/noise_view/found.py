"""The noise run that belongs to the conversion in view."""

import snnlab as sl
from pages._ui import derived
from pages._ui.derived import Derived

Found = derived.Found["sl.analysis.NoiseReport"]
NOISE = Derived("noise", "noise", sl.analysis.NoiseReport)


def find(run: "sl.runs.Run") -> Found | None:
    """The newest noise run of this conversion and these images, else of this checkpoint; None without any.

    Raises:
        StoreError: The store cannot be read.
    """
    return NOISE.find(run)


def recipe_of(run: "sl.runs.Run", target: int) -> "sl.Recipe":
    """What is measured for a conversion that has no noise run: the gap at every stored t, the noisy ANN for one T."""
    return sl.runs.noise_recipe(run.recipe, targets=(min(target, run.recipe.num_steps),))
