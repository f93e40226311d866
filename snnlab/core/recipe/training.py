"""Trainings, and experiments of several."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from snnlab.core import registry
from snnlab.core.errors import RecipeError
from snnlab.core.recipe.code import CodeChoice
from snnlab.core.recipe.part import Part


class TrainingChoice(Part):
    """How a network is trained or fine-tuned.

    Args:
        activation: Activation of the trained network: ``qcfs``, ``nq`` (the same for a training with noise, which any
            activation gets), or one of the user's files.
        code: Of an activation from a user's file, which file; as ``ConverterChoice.code``.
        levels: Quantization levels L; None keeps those of the checkpoint.
        architecture: Network trained from random weights; None fine-tunes the recipe's checkpoint.
        epochs: Epochs.
        images: Training images an epoch, a new random part each time; None for all.
        batch_size: Images a batch.
        learning_rate: At the start; a cosine takes it to 0.
        momentum: Of SGD.
        weight_decay: On all parameters, thresholds and batch-norm included.
        label_smoothing: Share of the target spread over all classes.
        augment: Augmentations: crop, flip, autoaugment, cutout.
        average: Decay of an exponential moving average of the weights; None for none.
        patience: Epochs without a better validation accuracy after which training stops; None for never.
        noise: ``none``; ``re_estimate``: multipliers times the std measured anew after every epoch (NQ where all are
            1); ``freeze``: the std of the recipe's noise profile throughout.
    """

    activation: str = "nq"
    code: CodeChoice | None = None
    levels: int | None = Field(default=None, ge=1, le=256)
    architecture: str | dict[str, Any] | None = None
    epochs: int = Field(default=3, ge=1, le=10_000)
    images: int | None = Field(default=None, ge=1)
    batch_size: int = Field(default=100, ge=1, le=65_536)
    learning_rate: float = Field(default=0.01, gt=0, le=10, allow_inf_nan=False)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=5e-4, ge=0, le=1)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    augment: tuple[Literal["crop", "flip", "autoaugment", "cutout"], ...] = ("crop", "flip")
    average: float | None = Field(default=None, gt=0, lt=1)
    patience: int | None = Field(default=None, ge=1)
    noise: Literal["none", "re_estimate", "freeze"] = "none"

    @model_validator(mode="after")
    def _activation_is_known(self) -> Self:
        named = self.code if self.code is not None and self.code.method == self.activation else None
        if named is not None and named.is_elsewhere("activation", {}):
            return self
        if self.activation in registry.ACTIVATIONS and self.activation not in ("qcfs", "nq"):
            raise RecipeError(f"A network is not trained with {self.activation} here; choose nq, or one of yours.")
        code = None if self.activation in registry.ACTIVATIONS else CodeChoice.of(self.activation, "activation")
        object.__setattr__(self, "code", code)  # the class is frozen for its users
        return self

    def settings(self) -> dict[str, Any]:
        """Plain values, as kept trainings name them: without ``code`` where there is none."""
        values = self.model_dump(mode="json")
        return {name: value for name, value in values.items() if name != "code" or value is not None}

    def check_code(self) -> None:
        """Refuse to train with an activation whose file is not loaded; errors as ``CodeChoice.check``."""
        if self.code is not None:
            self.code.check("activation")


class AdaptorChoice(Part):
    """The quantizer that the arms ``noise_adaptor`` and ``noise_adaptor_none`` put in place of the activations.

    Args:
        bits: b; p = 2^b - 1 levels.
        noise_mode: ``pre_round`` rounds at random, ``additive`` replaces the rounding, ``none`` only rounds; of the arm
            ``noise_adaptor``, as the other one has none.
        noise_amp: Amplitude of the uniform noise, in units of the learned scale s.
        noise_prob: Share of elements with noise.
        gradient_scale: The gradient of s is scaled by 1 / sqrt(B p) (``batch``) or 1 / sqrt(numel p) (``numel``).
    """

    bits: int = Field(default=2, ge=1, le=8)
    noise_mode: Literal["pre_round", "additive", "none"] = "pre_round"
    noise_amp: float = Field(default=0.5, ge=0, allow_inf_nan=False)
    noise_prob: float = Field(default=1.0, ge=0, le=1)
    gradient_scale: Literal["batch", "numel"] = "batch"

    @property
    def quantizer(self) -> dict[str, Any]:
        """The fields beside ``bits``."""
        return self.model_dump(mode="json", exclude={"bits"})


class ClippingChoice(Part):
    """The learned clipping that the arms ``clipped``, ``ecl`` and ``ttrbr`` put in place of the activations.

    Args:
        levels: Quantization levels L between 0 and the learned threshold, rounded as in QCFS; None for none, a clipped
            ReLU. Which of the two ECL and TTRBR train with could not be read.
    """

    levels: int | None = Field(default=None, ge=1, le=256)

    @property
    def activation(self) -> Literal["clipped_relu", "qcfs"]:
        """Kind of activation."""
        return "clipped_relu" if self.levels is None else "qcfs"


Arm = Literal[
    "control",
    "control_L",
    "nq",
    "half_nq",
    "double_nq",
    "uniform",
    "reversed",
    "profile",
    "noise_adaptor_none",
    "noise_adaptor",
    "clipped",
    "ecl",
    "ttrbr",
]


class ExperimentChoice(Part):
    """Fine-tunings of one checkpoint that differ in their noise alone, on the same seeds, batches and schedule.

    Args:
        arms: What is compared: ``control`` has no noise, ``control_L`` none and L = T, ``nq`` the std measured anew
            after every epoch, ``half_nq`` and ``double_nq`` that times 1/2 and 2, ``uniform`` the same std / threshold
            everywhere at equal root mean square, ``reversed`` its values from last site to first, ``profile`` the
            recipe's own. ``noise_adaptor`` and ``noise_adaptor_none`` have another quantizer, with and without its
            noise: they differ from each other in noise alone, and from ``control`` in the quantizer too. ``clipped``,
            ``ecl`` and ``ttrbr`` train the same network, clipped at a learned threshold, without noise; the last two
            convert it anew at every T, by the method of that name, ``ecl`` choosing on ``validation`` and ``ttrbr`` on
            the images of the noise.
        seeds: Number of training seeds, counted from the recipe's.
        steps: T at which the SNN is read; the first one is the question, the others are exploratory.
    """

    arms: tuple[Arm, ...] = ("control", "control_L", "nq", "uniform")
    seeds: int = Field(default=5, ge=1, le=100)
    steps: tuple[int, ...] = (2,)

    @model_validator(mode="after")
    def _has_a_control(self) -> Self:
        if "control" not in self.arms:
            raise ValueError("an experiment needs the arm control: fine-tuning alone helps, so no gain is told without")
        if len(set(self.arms)) != len(self.arms):
            raise ValueError("an arm is named twice")
        if not self.steps or min(self.steps) < 1:
            raise ValueError("steps must name at least one T, each 1 or more")
        return self
