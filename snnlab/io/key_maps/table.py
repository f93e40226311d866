"""The invertible table of names, and what differs between a file and the network it should fit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from snnlab.core.errors import CheckpointError

Shapes = Mapping[str, tuple[int, ...]]
Value = TypeVar("Value")

THRESHOLD_NAMES = ("up", "thresh", "v_threshold", "threshold")
MAX_ROWS = 12

_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class KeyTable:
    """Names of one foreign layout beside ours, for one architecture.

    Args:
        modules: Foreign module name -> native module name, both distinct; parameter names are the same in both.
        threshold: How the layout calls an activation's threshold.
        threshold_shape: Shape in which it stores a threshold, () or (1,).
    """

    modules: Mapping[str, str]
    threshold: str = "threshold"
    threshold_shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        assert len(set(self.modules.values())) == len(self.modules), "two foreign modules map to one native module"

    def native_key(self, foreign: str) -> str | None:
        """The native name of a foreign one; None where the table has none."""
        module, parameter = split(foreign)
        if module not in self.modules:
            return None
        return f"{self.modules[module]}.{'threshold' if parameter == self.threshold else parameter}"

    def to_native(self, state: Mapping[str, Value]) -> dict[str, Value]:
        """Rename a foreign state_dict; thresholds become 0-dimensional.

        Raises:
            KeyError: A key that the table does not hold.
        """
        renamed = {}
        for key, value in state.items():
            name = self.native_key(key)
            if name is None:
                raise KeyError(key)
            renamed[name] = _shaped(value, ()) if split(name)[1] == "threshold" else value
        return renamed

    def to_foreign(self, state: Mapping[str, Value]) -> dict[str, Value]:
        """Rename a native state_dict; thresholds take the layout's shape. Inverse of ``to_native``."""
        inverse = {ours: theirs for theirs, ours in self.modules.items()}
        renamed = {}
        for key, value in state.items():
            module, parameter = split(key)
            if parameter == "threshold":
                renamed[f"{inverse[module]}.{self.threshold}"] = _shaped(value, self.threshold_shape)
            else:
                renamed[f"{inverse[module]}.{parameter}"] = value
        return renamed


@dataclass(frozen=True)
class Guess:
    """What a source makes of a file's names and shapes, to be compared with it.

    Args:
        source: Which layout.
        architecture: Complete architecture.
        activation: Kind of its activations.
        table: Names.
        notes: What was assumed, one sentence each.
        unknown: Facts that the names and shapes cannot tell.
        proposals: Values usual for this source, fact -> values.
    """

    source: str
    architecture: dict[str, Any]
    activation: str
    table: KeyTable
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    proposals: dict[str, tuple[Any, ...]] = field(default_factory=dict)


class MismatchError(CheckpointError):
    """Weights do not fit a network; the first line is one sentence, the others a table of what differs."""

    def __init__(self, what: str, network: str, rows: list[tuple[str, str, str]]) -> None:
        self.rows = rows
        counts = {problem: sum(row[0] == problem for row in rows) for problem in ("missing", "unexpected", "shape")}
        words = {"missing": "missing", "unexpected": "unexpected", "shape": "of another shape"}
        found = ", ".join(f"{count} {words[problem]}" for problem, count in counts.items() if count)
        first = f"{rows[0][1]} {'' if rows[0][0] == 'shape' else 'is '}{rows[0][0]} {rows[0][2]}".strip()
        lines = [f"{what} does not fit {network}: {found} (first: {first}); declare its --architecture if it differs."]
        width = max(len(key) for _, key, _ in rows[:MAX_ROWS])
        lines += [f"  {problem:<10} {key:<{width}}  {detail}".rstrip() for problem, key, detail in rows[:MAX_ROWS]]
        if len(rows) > MAX_ROWS:
            lines.append(f"  ... and {len(rows) - MAX_ROWS} more")
        super().__init__("\n".join(lines))


def differences(expected: Shapes, found: Shapes, table: KeyTable) -> list[tuple[str, str, str]]:
    """Rows (``"missing" | "unexpected" | "shape"``, foreign key, detail) by which a file differs from a network.

    A missing ``num_batches_tracked`` is no difference (files older than PyTorch 0.4.1 lack it), nor is a threshold
    stored as (1,) instead of ().

    Args:
        expected: Native key -> shape, of the network.
        found: Foreign key -> shape, of the file.
        table: Their names.
    """
    wanted = table.to_foreign(expected)
    rows = [
        ("missing", key, str(shape)) for key, shape in wanted.items() if key not in found and split(key)[1] != _COUNTER
    ]
    rows += [("unexpected", key, str(shape)) for key, shape in found.items() if key not in wanted]
    for key, shape in wanted.items():
        same = key not in found or found[key] == shape
        if not same and not (split(key)[1] == table.threshold and found[key] in ((), (1,))):
            rows.append(("shape", key, f"{found[key]} in the file, {shape} in the network"))
    return rows


def split(key: str) -> tuple[str, str]:
    """Module and parameter of a state_dict key."""
    module, _, parameter = key.rpartition(".")
    return module, parameter


def threshold_name(shapes: Shapes) -> str | None:
    """How a file calls its thresholds; None when it has none."""
    present = {split(key)[1] for key in shapes}
    return next((name for name in THRESHOLD_NAMES if name in present), None)


def _shaped(value: Any, shape: tuple[int, ...]) -> Any:
    # Tables rename tensors and, on the way to a comparison, bare shapes.
    return shape if isinstance(value, tuple) else value.reshape(shape)
