"""Which network a file's names and shapes describe, with or without a declared architecture."""

from typing import Any

from snnlab.core.errors import CheckpointError
from snnlab.io.key_maps import akamaster, by_layer, option_b, qcfs_family, sequential
from snnlab.io.key_maps.resnet_layout import usual_dataset
from snnlab.io.key_maps.table import Guess, KeyTable, MismatchError, Shapes, differences, threshold_name
from snnlab.models import architecture_name, expected_shapes, input_shape, num_classes
from snnlab.models.architecture import declared_activation

_SOURCES = (qcfs_family, akamaster, option_b, sequential)


def recognise(shapes: Shapes, name: str) -> Guess:
    """The network that a file's keys and shapes describe.

    Args:
        shapes: Foreign key -> shape, in the file's order.
        name: The file, for messages.

    Raises:
        CheckpointError: No source knows the names, or a fact must be declared.
        MismatchError: A source knows the names, but keys or shapes differ from its network.
    """
    mismatches: list[tuple[list[tuple[str, str, str]], Guess]] = []
    for source in _SOURCES:
        guess = source.guess(shapes)
        if guess is None:
            continue
        rows = differences(expected_shapes(guess.architecture, guess.activation), shapes, guess.table)
        if not rows:
            return guess
        mismatches.append((rows, guess))
    if mismatches:
        rows, guess = min(mismatches, key=lambda mismatch: len(mismatch[0]))
        raise MismatchError(name, f"{architecture_name(guess.architecture)} ({guess.source})", rows)
    if reason := sequential.open_facts(shapes):
        raise CheckpointError(
            f"{name} needs a declared architecture ({reason}): declare its layers in order, or rank what it may be on "
            "labelled images (in the app below; --architecture, or snnlab info FILE --dataset NAME, in a shell)."
        )
    shown = ", ".join(key[:60] for key in list(shapes)[:4])
    raise CheckpointError(
        f"The names in {name} are of no known source ({len(shapes)} keys, first {shown}): "
        "declare the network, by name or by its layers in order (in the app below; --architecture in a shell)."
    )


def match_declared(architecture: dict[str, Any], shapes: Shapes, name: str, *, ordered: bool) -> Guess:
    """Fit a file to a declared network: by the names of a known source, else layer by layer where all shapes agree.

    Args:
        architecture: Complete architecture.
        shapes: Foreign key -> shape, in the file's order.
        name: The file, for messages.
        ordered: The file keeps the order in which its modules were made.

    Raises:
        MismatchError: Neither fits; the table is that of the nearest names.
    """
    spelling = threshold_name(shapes)
    activation = declared_activation(architecture) or ("qcfs" if spelling else "relu")
    expected = expected_shapes(architecture, activation)
    offers: list[tuple[str, KeyTable]] = []
    for source in _SOURCES:
        offers += [(source.SOURCE, table) for table in source.tables(architecture, shapes)]
    offers += [(by_layer.SOURCE, table) for table in by_layer.tables(expected, shapes, ordered=ordered)]
    tried: list[list[tuple[str, str, str]]] = []
    for source_name, table in offers:
        if any(key.rpartition(".")[0] not in set(table.modules.values()) for key in expected):
            continue
        rows = differences(expected, shapes, table)
        if not rows:
            return _declared_guess(source_name, architecture, activation, table, shapes)
        tried.append(rows)
    raise MismatchError(name, f"the declared {architecture_name(architecture)}", min(tried, key=len))


def variants(shapes: Shapes, name: str) -> list[Guess]:
    """Every network that a file without declaration may hold: one where it is recognised, else those that fit.

    Raises:
        CheckpointError: As ``recognise``, where no network fits.
    """
    fitting = list(sequential.variants(shapes))
    return fitting if len(fitting) > 1 else [recognise(shapes, name)]


def _declared_guess(
    source: str, architecture: dict[str, Any], activation: str, table: KeyTable, shapes: Shapes
) -> Guess:
    notes = ["The architecture was declared, not read from the file."]
    if source == by_layer.SOURCE and any(table.native_key(key) != key for key in shapes):
        notes.append("Names were matched layer by layer; every shape agrees.")
    channels = input_shape(architecture)[0]
    normalization = ("unit", "mnist") if channels == 1 else ("cifar10", "imagenet", "half", "unit")
    return Guess(
        source=source,
        architecture=architecture,
        activation=activation,
        table=table,
        notes=tuple(notes),
        proposals={"normalization": normalization, **usual_dataset(num_classes(architecture), channels)},
    )
