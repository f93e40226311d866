"""What is known about a checkpoint, as the app, the command line and the run store keep it. No torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from snnlab.core.errors import CheckpointError


@dataclass(frozen=True)
class CheckpointCard:
    """Everything about a checkpoint but its weights.

    Args:
        name: Bundled name, or the file's name.
        architecture: Complete, JSON-ready; see ``snnlab.models.check_architecture``.
        architecture_name: Short name of it.
        num_classes: Outputs.
        input_shape: (channels, height, width) of one image.
        activation: ``"relu"``, ``"clipped_relu"``, ``"qcfs"``, ``"nq"``, ``"lsq_noise"``, or one from a user's file.
        levels: Quantization levels L, p of ``lsq_noise``; None when not quantized or not known.
        sites: One dict a site, input first: ``name``, ``threshold`` (activation units; None for ReLU), ``shape``.
        source: Layout the weights came in: ``"snnlab"``, or the key map that recognised them.
        sha256: Hash of the file that was read.
        parameters: Number of trainable values.
        normalization: Preset name or text; None when the file does not tell.
        dataset: Name of the dataset it was trained on; None when the file does not tell.
        licence: Licence of the weights.
        seen: Split -> ``"yes"``, ``"no"`` or ``"unknown"``: its images were trained on.
        foreign: Not trained by snnlab.
        unknown: Facts that the file cannot tell, for example ``"levels"``.
        notes: What was assumed or repaired on reading, one sentence each.
        accuracies: Recorded accuracies, name -> fraction.
        proposals: Sensible values of unknown facts, fact -> values, likeliest first.
        origin_sha256: For weights rewritten by ``save``, the hash of the file that they came from.
        code: Of an activation from a user's file: ``file``, its name without the folder, and ``sha256``.
        quantizer: Of ``lsq_noise``, what it was trained with: ``noise_mode``, ``noise_amp``, ``noise_prob``,
            ``gradient_scale``; empty for the others.
    """

    name: str
    architecture: dict[str, Any]
    architecture_name: str
    num_classes: int
    input_shape: tuple[int, ...]
    activation: str
    levels: int | None
    sites: tuple[dict[str, Any], ...]
    source: str
    sha256: str
    parameters: int
    normalization: str | None = None
    dataset: str | None = None
    licence: str | None = None
    seen: dict[str, str] = field(default_factory=dict)
    foreign: bool = True
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    accuracies: dict[str, float] = field(default_factory=dict)
    proposals: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    origin_sha256: str | None = None
    code: dict[str, str] | None = None
    quantizer: dict[str, Any] = field(default_factory=dict)

    @property
    def proposed_levels(self) -> int | None:
        """Quantization levels that the file's name suggests, else the usual ones; None where L is not missing."""
        return next(iter(self.proposals.get("levels", ())), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, JSON-ready; ``from_dict`` gives an equal card."""
        values = asdict(self)
        values["input_shape"] = list(self.input_shape)
        values["sites"] = [{**site, "shape": _listed(site.get("shape"))} for site in self.sites]
        values["proposals"] = {fact: list(proposed) for fact, proposed in self.proposals.items()}
        for name in ("unknown", "notes"):
            values[name] = list(values[name])
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "CheckpointCard":
        """A card from ``to_dict``.

        Raises:
            CheckpointError: A field is missing or unknown.
        """
        known = {item.name for item in fields(cls)}
        if unknown := set(values) - known:
            raise CheckpointError(f"A checkpoint card has no field {sorted(unknown)[0]!r}.")
        plain = dict(values)
        try:
            plain["input_shape"] = tuple(plain["input_shape"])
            plain["sites"] = tuple({**site, "shape": _tupled(site.get("shape"))} for site in plain["sites"])
            plain["proposals"] = {fact: tuple(proposed) for fact, proposed in plain.get("proposals", {}).items()}
            for name in ("unknown", "notes"):
                plain[name] = tuple(plain.get(name, ()))
            return cls(**plain)
        except (KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"The checkpoint card is incomplete or damaged: {error}.") from None


def _listed(shape: tuple[int, ...] | None) -> list[int] | None:
    return None if shape is None else list(shape)


def _tupled(shape: list[int] | None) -> tuple[int, ...] | None:
    return None if shape is None else tuple(shape)
