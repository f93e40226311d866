"""An experiment as a command line, for copying."""

import json
import shlex

from snnlab.core.recipe import AdaptorChoice, NoiseChoice, Recipe, TrainingChoice
from snnlab.sweeps.places import ADAPTED, CLIPPED, OWN, clipping_of, experiment_of


def as_train_cli(recipe: Recipe, *, profile: str = "profile.yaml", folder: str = "") -> str:
    """The ``snnlab train`` line that gives the same numbers.

    Args:
        recipe: With ``experiment``.
        profile: File that holds the profile of the arm ``profile``.
        folder: Where fine-tuned checkpoints go; "" for nowhere.
    """
    training, choice, noise = recipe.training or TrainingChoice(), experiment_of(recipe), recipe.noise or NoiseChoice()
    usual = TrainingChoice()
    words = ["snnlab", "train", *source_words(recipe)]
    words += ["--arms", ",".join(choice.arms)]
    if OWN in choice.arms:
        words += ["--profile", profile] + ["--freeze"] * (training.noise == "freeze")
    words += ["--seeds", str(choice.seeds), "--epochs", str(training.epochs)]
    words += ["--num-steps", ",".join(map(str, choice.steps))]
    # A checkpoint with an activation of the user's own trains with that unless told otherwise.
    if training.activation != usual.activation or recipe.checkpoint.code is not None:
        words += ["--activation", training.activation]
    if training.images:
        words += ["--images", str(training.images)]
    words += ["--batch-size", str(training.batch_size), "--learning-rate", f"{training.learning_rate:g}"]
    words += ["--augment", ",".join(training.augment) or "none"]
    for name in ("levels", "label_smoothing", "average", "patience"):
        value = getattr(training, name)
        if value is not None and value != getattr(usual, name):
            words += [f"--{'train-' * (name == 'levels')}{name.replace('_', '-')}", f"{value:g}"]
    if noise.limit:
        words += ["--noise-limit", str(noise.limit)]
    if noise.paper_compat:
        words += ["--paper-compat"]
    if set(ADAPTED) & set(choice.arms):
        adaptor, plain = recipe.adaptor or AdaptorChoice(), AdaptorChoice()
        for name, value in adaptor.model_dump(mode="json").items():
            if value != getattr(plain, name):
                words += [f"--{name.replace('_', '-')}", f"{value:g}" if isinstance(value, float) else str(value)]
    if set(CLIPPED) & set(choice.arms) and (levels := clipping_of(recipe).levels) is not None:
        words += ["--clip-levels", str(levels)]
    if recipe.seed:
        words += ["--seed", str(recipe.seed)]
    codes = [part.code for part in (recipe.checkpoint, training) if part.code is not None]
    for file in dict.fromkeys(code.file for code in codes):
        words += ["--load", file]
    if folder:
        words += ["--out", folder]
    return shlex.join(words)


def source_words(recipe: Recipe) -> list[str]:
    """Arguments that name checkpoint and images, as every verb that takes a checkpoint reads them."""
    checkpoint, data, words = recipe.checkpoint, recipe.data, [recipe.checkpoint.source]
    if checkpoint.architecture is not None:
        told = checkpoint.architecture
        words += ["--architecture", told if isinstance(told, str) else json.dumps(told)]
    if checkpoint.levels is not None:
        words += ["--levels", str(checkpoint.levels)]
    words += ["--dataset", data.dataset]
    if data.folder:
        words += ["--data-dir", data.folder]
    words += ["--split", data.split]
    if data.limit:
        words += ["--limit", str(data.limit)]
    if data.normalize:
        words += ["--normalize", data.normalize]
    return words
