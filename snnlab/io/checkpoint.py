"""Checkpoints: weights with all that is known about them, from our own files and from other people's."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from snnlab.activations import ActivationSpec, describe, is_quantized
from snnlab.core import registry
from snnlab.core.assets import asset_folder
from snnlab.core.errors import CheckpointError
from snnlab.io import matching
from snnlab.io.card import CheckpointCard
from snnlab.io.declared import Declaration, read_declaration
from snnlab.io.key_maps.table import Guess, KeyTable, MismatchError, differences, split
from snnlab.io.native import float32, read_header, write_native
from snnlab.io.opening import OpenedFile, file_sha256, read_file
from snnlab.models import architecture_name, check_architecture, expected_shapes, input_shape, num_classes, site_shapes
from snnlab.models.network import build_on_meta

if TYPE_CHECKING:
    from snnlab.data import ImageSplit

USUAL_LEVELS = (8, 4)
MAX_LEVELS = 256

_HEADER_FIELDS = (
    "name",
    "architecture",
    "activation",
    "levels",
    "normalization",
    "dataset",
    "licence",
    "seen",
    "foreign",
    "unknown",
    "notes",
    "accuracies",
    "proposals",
    "source",
    "origin_sha256",
    "quantizer",
)
"""What a file's header holds, and ``code`` where there is any."""


@dataclass(frozen=True)
class Checkpoint:
    """Weights plus provenance.

    Args:
        card: All that is known but the weights.
        state_dict: Native key -> tensor, float32 (counters int64), on the CPU.
    """

    card: CheckpointCard
    state_dict: Mapping[str, Tensor]

    @classmethod
    def from_network(
        cls, network: nn.Module, architecture: Mapping[str, Any], activation: ActivationSpec, **facts: Any
    ) -> "Checkpoint":
        """A checkpoint of a network that ``snnlab.models.build`` made.

        Args:
            network: The network; its weights are copied.
            architecture: What it was built from.
            activation: Its activation.
            facts: Fields of the card: ``name``, ``dataset``, ``normalization``, ``licence``, ``seen``, ...

        Raises:
            CheckpointError: The weights do not fit the architecture, or are not finite.
        """
        fields = check_architecture(architecture)
        state = {key: float32(value.detach().cpu().clone()) for key, value in network.state_dict().items()}
        facts = {"name": "network", "source": "snnlab", "foreign": False, "sha256": "", **facts}
        facts["quantizer"] = activation.quantizer
        return _make(fields, activation.kind, activation.levels, state, facts)

    @property
    def sites(self) -> tuple[dict[str, Any], ...]:
        """The card's sites, input first: ``name``, ``threshold``, ``shape``."""
        return self.card.sites

    def build(self) -> nn.Module:
        """The ANN with these weights (copied), in evaluation mode.

        Raises:
            CheckpointError: The quantization levels are not known.
        """
        card = self.card
        if is_quantized(card.activation) and card.levels is None:
            proposed = list(dict.fromkeys((*card.proposals.get("levels", ()), *USUAL_LEVELS)))
            raise CheckpointError(
                f"{card.name} has {card.activation.upper()} activations, and its file does not tell their quantization "
                f"levels L: declare them, for example --levels {proposed[0]} "
                f"(levels={proposed[0]} in Python; usual are {' and '.join(map(str, sorted(USUAL_LEVELS)))})."
            )
        network = build_on_meta(card.architecture, card.activation, card.levels, **card.quantizer)
        network.load_state_dict({key: value.clone() for key, value in self.state_dict.items()}, assign=True)
        return network.eval()

    def data(
        self,
        split: str,
        limit: int | None = None,
        folder: str | Path | None = None,
        *,
        dataset: str | None = None,
        normalize: str | None = None,
    ) -> "ImageSplit":
        """Images of the dataset that the network was trained on, normalised as it expects.

        Args:
            split: Named split; ``dev`` of a foreign checkpoint is drawn from the test images.
            limit: First images of the split; None for all.
            folder: Where the dataset lies; None for the bundled one.
            dataset: Name of the dataset; None for the card's own.
            normalize: Preset or ``"m1,m2,m3/s1,s2,s3"``; None for the card's own.

        Raises:
            CheckpointError: The dataset or the normalisation is neither known nor given.
            DataError: It is not in the folder.
        """
        from snnlab.data import load_dataset, parse_normalization

        name = dataset or self.card.dataset
        if name is None:
            proposed = next(iter(self.card.proposals.get("dataset", ("cifar10",))))
            raise CheckpointError(
                f"{self.card.name} does not tell its dataset: name it, for example dataset={proposed!r}."
            )
        normalization = normalize or self.card.normalization
        if normalization is None:
            raise CheckpointError(
                f"{self.card.name} does not tell its normalisation: give one, for example normalize='cifar10'; the "
                "Checkpoint page and `snnlab evaluate` find the one that fits."
            )
        images = load_dataset(name, folder).split(split, limit=limit, foreign=self.card.foreign)
        return images.normalized(parse_normalization(normalization))

    def save(self, path: str | Path) -> "Checkpoint":
        """Write the native format; returns the checkpoint as it would be loaded, with the new file's hash.

        Raises:
            CheckpointError: The folder cannot be written.
        """
        card = self.card
        origin = card.origin_sha256 or (card.sha256 if card.foreign else None)
        values = replace(card, origin_sha256=origin).to_dict()
        code = {} if card.code is None else {"code": card.code}
        written = [field for field in _HEADER_FIELDS if field != "quantizer" or card.quantizer]
        write_native(path, self.state_dict, {field: values[field] for field in written} | code)
        return replace(self, card=replace(card, origin_sha256=origin, sha256=file_sha256(path)))


def load_checkpoint(
    path: str | Path, *, architecture: Declaration | None = None, levels: int | None = None
) -> Checkpoint:
    """Open a checkpoint: a bundled one by name, a native file, or weights in a foreign layout.

    Args:
        path: File, or bundled name (``examples()``).
        architecture: What the file cannot tell: a name, a YAML file, a list of layers, or a mapping with a family.
        levels: Quantization levels L, where the file does not tell them.

    Raises:
        CheckpointError: Not a checkpoint, not recognised, not finite, or contradicting what was declared.
        MismatchError: Recognised, but keys or shapes differ; the message holds a table.
    """
    if levels is not None and (isinstance(levels, bool) or not 1 <= levels <= MAX_LEVELS):
        raise CheckpointError(f"levels = {levels} is not a whole number from 1 to {MAX_LEVELS}.")
    path = _locate(path)
    opened = read_file(path)
    if "snnlab_snn" in opened.header:
        raise CheckpointError(
            f"{opened.name} is a converted spiking network, not an ANN; open it with snnlab.load_snn."
        )
    header = read_header(opened.header, opened.name)
    if header is not None:
        checkpoint = _load_native(opened, header)
        declared = None if architecture is None else read_declaration(architecture, _shapes(checkpoint.state_dict))
        if declared is not None and declared != checkpoint.card.architecture:
            raise CheckpointError(f"{opened.name} records its own architecture, which differs from the declared one.")
        return _with_levels(checkpoint, levels)
    guess = _fit(opened.name, opened, architecture)
    return _with_levels(_load_foreign(opened, guess), levels)


def candidates(path: str | Path) -> list[dict[str, Any]]:
    """The architectures that a file may hold, likeliest first: one where it tells, up to 24 where it leaves pools open.

    Raises:
        CheckpointError: As ``load_checkpoint``.
    """
    path = _locate(path)
    opened = read_file(path)
    header = read_header(opened.header, opened.name)
    if header is not None:
        return [check_architecture(header.get("architecture"))]
    return [guess.architecture for guess in matching.variants(_shapes(opened.tensors), opened.name)]


def example(name: str) -> Checkpoint:
    """A bundled checkpoint.

    Raises:
        CheckpointError: No such name; the nearest is proposed.
    """
    path = _examples().get(name)
    if path is None:
        near = difflib.get_close_matches(name, _examples(), n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(_examples()) or 'none'}."
        raise CheckpointError(f"There is no bundled checkpoint {name!r}; {hint}")
    return load_checkpoint(path)


def examples() -> tuple[str, ...]:
    """Names of the bundled checkpoints."""
    return tuple(_examples())


def _examples() -> dict[str, Path]:
    return {path.stem: path for path in sorted((asset_folder() / "checkpoints").glob("*.safetensors"))}


def _locate(path: str | Path) -> Path:
    bundled = _examples()
    if str(path) in bundled:
        return bundled[str(path)]
    found = Path(path).expanduser()
    if not found.exists():
        near = difflib.get_close_matches(str(path), bundled, n=1, cutoff=0.6)
        hint = f"did you mean the bundled {near[0]!r}?" if near else f"bundled are: {', '.join(bundled) or 'none'}."
        raise CheckpointError(f"There is no file {str(path)!r}, and no bundled checkpoint of that name; {hint}")
    return found


def _shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in state.items()}


def _fit(name: str, opened: OpenedFile, architecture: Declaration | None) -> Guess:
    shapes = _shapes(opened.tensors)
    if architecture is None:
        return matching.recognise(shapes, name)
    return matching.match_declared(read_declaration(architecture, shapes), shapes, name, ordered=opened.ordered)


def _load_native(opened: OpenedFile, header: dict[str, Any]) -> Checkpoint:
    architecture, activation = check_architecture(header.get("architecture")), header["activation"]
    _check_code(opened.name, activation, header.get("code"))
    expected = expected_shapes(architecture, activation, header.get("levels"))
    own_names = KeyTable({split(key)[0]: split(key)[0] for key in expected})
    rows = differences(expected, _shapes(opened.tensors), own_names)
    if rows:
        raise MismatchError(opened.name, f"its own header ({architecture_name(architecture)})", rows)
    facts = {field: header[field] for field in _HEADER_FIELDS if header.get(field) is not None}
    facts |= {"sha256": opened.sha256, "name": header.get("name") or Path(opened.name).stem}
    for field in ("architecture", "activation", "levels"):
        facts.pop(field, None)
    state = _checked(opened.tensors, expected, opened.name)
    return _make(architecture, activation, header.get("levels"), state, facts)


def _check_code(name: str, activation: str, code: Mapping[str, str] | None) -> None:
    """Refuse an activation of a user's file that is not loaded, or in another version: the network would be another."""
    known = {card.name: registry.source_of(card.name, "activation") for card in registry.methods("activation")}
    if activation in registry.ACTIVATIONS:
        return
    if code is None and activation not in known:
        raise CheckpointError(
            f"The header of {name} names the activation {activation[:80]!r}, which is not known here; known are "
            f"{', '.join((*registry.ACTIVATIONS, *known))}."
        )
    if code is None or known.get(activation) == registry.Source(code["file"], code["sha256"]):
        return
    found = known.get(activation)
    which = f"{code['file']} (SHA-256 {code['sha256'][:12]})"
    other = f"and the loaded one has {found.sha256[:12]}" if found is not None else "which is not loaded"
    raise CheckpointError(
        f"{name} was trained with the activation {activation[:80]!r} of {which}, {other}; add --load FILE with that "
        "version."
    )


def _load_foreign(opened: OpenedFile, guess: Guess) -> Checkpoint:
    expected = expected_shapes(guess.architecture, guess.activation)
    _check_finite(opened.tensors, opened.name)
    state = _checked(guess.table.to_native(opened.tensors), expected, opened.name)
    notes, proposals, unknown = [*opened.notes, *guess.notes], dict(guess.proposals), [*guess.unknown]
    if any(value.dtype == torch.float16 or value.dtype == torch.bfloat16 for value in opened.tensors.values()):
        notes.append("The weights are stored in half precision; they are computed with in float32.")
    if guess.activation == "qcfs":
        unknown.insert(0, "levels")
        hinted = _hinted_levels(opened.name)
        proposals["levels"] = tuple(dict.fromkeys((*hinted, *USUAL_LEVELS)))
        if hinted:
            notes.append(f"The file's name suggests L = {hinted[0]}; nothing in the file confirms it.")
    facts = {
        "name": opened.name,
        "source": guess.source,
        "sha256": opened.sha256,
        "seen": dict.fromkeys(("train", "calibration", "validation", "dev", "test"), "unknown"),
        "unknown": [*unknown, "normalization", "dataset"],
        "notes": notes,
        "proposals": proposals,
    }
    return _make(guess.architecture, guess.activation, None, state, facts)


def _make(
    architecture: dict[str, Any], activation: str, levels: int | None, state: dict[str, Tensor], facts: dict[str, Any]
) -> Checkpoint:
    name = str(facts["name"])
    _check_finite(state, name)
    network = build_on_meta(architecture, activation, levels, **facts.get("quantizer", {}))
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError:
        rows = differences(_shapes(network.state_dict()), _shapes(state), _own_names(network))
        raise MismatchError(name, architecture_name(architecture), rows) from None
    shape = input_shape(architecture)
    sites = []
    for site, extent in site_shapes(network.eval(), shape).items():
        spec = describe(network.get_submodule(site))
        assert spec is not None, "site_shapes lists activations only"
        threshold = None if spec.kind == "relu" else spec.threshold
        if threshold is not None and not threshold > 0:
            raise CheckpointError(f"{name}: the threshold of {site} is {threshold:.4g}; it must be positive.")
        if float(state.get(f"{site}.std", 0.0)) < 0:
            raise CheckpointError(f"{name}: the std of the noise of {site} is negative; it must be 0 or more.")
        sites.append({"name": site, "threshold": threshold, "shape": extent})
    brought = None if activation in registry.ACTIVATIONS else registry.source_of(activation, "activation")
    facts["code"] = None if brought is None else {"file": brought.file, "sha256": brought.sha256}
    for field in ("unknown", "notes"):
        facts[field] = tuple(facts.get(field, ()))
    facts["proposals"] = {fact: tuple(values) for fact, values in facts.get("proposals", {}).items()}
    card = CheckpointCard(
        architecture=architecture,
        architecture_name=architecture_name(architecture),
        num_classes=num_classes(architecture),
        input_shape=shape,
        activation=activation,
        levels=levels if is_quantized(activation) else None,
        sites=tuple(sites),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        **facts,
    )
    return Checkpoint(card, state)


def _own_names(network: nn.Module) -> KeyTable:
    return KeyTable({split(key)[0]: split(key)[0] for key in network.state_dict()})


def _checked(tensors: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]], name: str) -> dict[str, Tensor]:
    """Our own float32 copies, in the network's order; a counter that the file lacks starts at 0."""
    state = {}
    for key in expected:
        value = tensors.get(key)
        if value is None:
            state[key] = torch.zeros((), dtype=torch.int64)
            continue
        if value.is_complex() or (not value.is_floating_point() and not key.endswith("num_batches_tracked")):
            raise CheckpointError(f"{name}: {key} holds {value.dtype}; save ordinary float weights.")
        state[key] = float32(value.detach().clone())
    return state


def _check_finite(tensors: Mapping[str, Tensor], name: str) -> None:
    for key, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            what = "NaN" if bool(torch.isnan(value).any()) else "infinite values"
            raise CheckpointError(
                f"{name}: {key} holds {what}; the training that wrote it diverged, use an earlier one."
            )
        if key.endswith("running_var") and bool((value < 0).any()):
            raise CheckpointError(f"{name}: {key} holds a negative variance; the file is damaged.")


def _with_levels(checkpoint: Checkpoint, levels: int | None) -> Checkpoint:
    card = checkpoint.card
    if levels is None or levels == card.levels:
        return checkpoint
    if not is_quantized(card.activation):
        note = f"levels = {levels} was declared and not used: {card.activation} activations are not quantized."
        return replace(checkpoint, card=replace(card, notes=(*card.notes, note)))
    if card.levels is not None:
        raise CheckpointError(
            f"{card.name} records L = {card.levels}, but levels = {levels} was declared; leave it out."
        )
    unknown = tuple(fact for fact in card.unknown if fact != "levels")
    return replace(checkpoint, card=replace(card, levels=levels, unknown=unknown))


def _hinted_levels(name: str) -> tuple[int, ...]:
    match = re.search(r"(?:^|[^A-Za-z])L(?:=|_|\[)?(\d{1,3})(?!\d)", name)
    return (int(match[1]),) if match and 1 <= int(match[1]) <= MAX_LEVELS else ()
