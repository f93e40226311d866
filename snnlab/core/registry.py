"""Method cards: what the app, the command line, the documentation and the contract tests know about a method.

A method comes with snnlab, or from a file of the user's (``snnlab.core.loaded``). Of the latter a process may know the
card alone: the app's server never runs the file, which may import torch, and a stored run may be of a file that is not
loaded now.
"""

import difflib
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal

from snnlab.core.errors import RecipeError

Evidence = Literal["official_code", "paper_text", "related_code", "interpretation"]
Kind = Literal["converter", "calibration", "activation"]

ACTIVATIONS = ("relu", "clipped_relu", "qcfs", "nq", "lsq_noise")
"""snnlab's own activations; those of the user's files are registered."""


@dataclass(frozen=True)
class Parameter:
    """One hyper-parameter of a method, enough to draw its widget and to check a value.

    Args:
        name: Field name of the converter.
        default: Value used when none is given.
        help: One sentence; states the unit.
        low: Smallest allowed number.
        high: Largest allowed number.
        choices: Allowed values of a choice.
        needs: What the method needs besides, as in ``MethodCard.needs``, where another value than the default is given.
    """

    name: str
    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()
    needs: tuple[str, ...] = ()

    def check(self, value: Any) -> Any:
        """Return ``value`` as this parameter's type.

        Raises:
            RecipeError: The value has the wrong type or lies outside the range.
        """
        if self.choices:
            same = [choice for choice in self.choices if type(choice) is type(value) and choice == value]
            if not same:
                listed = ", ".join(str(choice) for choice in self.choices)
                raise RecipeError(f"{self.name} = {value!r} is not one of {listed}.")
            return same[0]
        try:
            number = type(self.default)(value)
        except (TypeError, ValueError):
            raise RecipeError(f"{self.name} = {value!r} is not a {type(self.default).__name__}.") from None
        in_range = (self.low is None or number >= self.low) and (self.high is None or number <= self.high)
        if not in_range:  # also catches NaN, which compares false
            raise RecipeError(f"{self.name} = {value} lies outside [{self.low}, {self.high}].")
        return number


@dataclass(frozen=True)
class MethodCard:
    """The public description of a method.

    Args:
        name: Lower snake case, as typed on the command line.
        kind: ``"converter"``; ``"calibration"``, a converter whose thresholds are a statistic of the activations; or
            ``"activation"``, which a network trains with. The first two share their names, an activation has its own.
        title: How the app writes it.
        summary: One sentence.
        citation: Key into ``snnlab.core.references``.
        year: Year of publication.
        evidence: How sure our specification is.
        needs: Any of ``"learned_thresholds"``, ``"calibration_data"``, ``"validation_data"``, ``"levels"`` where every
            activation has to be quantized, and the one kind of activation that it converts, such as ``"lsq_noise"``;
            of an activation ``"levels"`` where it is quantized.
        parameters: Hyper-parameters, in the order to show them.
        equation: LaTeX of the defining rule.
        depends_on_num_steps: The network is converted for one T; read earlier, it is not what a conversion for that
            smaller T gives.
        changes_weights: The spiking network may have other weights than the ANN; what that does to a site counts as
            propagated error.
        looks_at: Parameter that says at how many of the first steps of a sequence the method looks; T may not be
            smaller. "" where any T will do.
    """

    name: str
    kind: str
    title: str
    summary: str
    citation: str
    year: int
    evidence: Evidence
    needs: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    equation: str
    depends_on_num_steps: bool = False
    changes_weights: bool = False
    looks_at: str = ""

    @property
    def display_name(self) -> str:
        """Title, with a dagger where our specification interprets the source."""
        return self.title + (" †" if self.evidence in ("related_code", "interpretation") else "")

    def needs_of(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """What the method needs with these parameter values; those not given are at their defaults."""
        extra = [
            need
            for parameter in self.parameters
            if values.get(parameter.name, parameter.default) != parameter.default
            for need in parameter.needs
        ]
        return tuple(dict.fromkeys([*self.needs, *extra]))

    def least_steps(self, values: Mapping[str, Any]) -> int:
        """The smallest T that can be simulated with these parameter values; those not given are at their defaults."""
        return int(self.check(values)[self.looks_at]) if self.looks_at else 1

    def check(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Fill defaults into ``values`` and check every one of them.

        Raises:
            RecipeError: An unknown parameter or a value out of range.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in values:
            if name not in known:
                listed = ", ".join(known) or "none"
                raise RecipeError(f"{self.name} has no parameter {name!r}; its parameters are: {listed}.")
        return {name: known[name].check(values.get(name, known[name].default)) for name in known}


_NOT_METHODS = ("base", "calibration", "apply")  # the machinery, of which `apply` needs torch

_BASES = {
    "converter": ("snnlab.converters.base", "Converter", "neuron_for"),
    "calibration": ("snnlab.converters.calibration", "Calibration", "update and finish"),
    "activation": ("snnlab.activations.base", "Activation", "forward"),
}
"""Kind -> module and name of the base class, and what a method of that kind writes."""


@dataclass(frozen=True)
class Source:
    """A file of the user's that brings methods.

    Args:
        file: Its name, without the folder.
        sha256: Hash of its content.
    """

    file: str
    sha256: str


@dataclass(frozen=True)
class _Entry:
    """A known method.

    Args:
        card: Its card.
        cls: Its class; None where this process knows the card alone.
        source: The user's file; None for snnlab's own.
        absent: Nothing of it is loaded: a stored run names it.
    """

    card: MethodCard
    cls: type | None
    source: Source | None = None
    absent: bool = False


_registered: dict[tuple[str, str], _Entry] = {}
_loading: list[Source] = []


def register(cls: type) -> type:
    """Class decorator: make a method known by the card in its ``card`` attribute.

    Raises:
        RecipeError: A user's file takes the name of another method, or its card does not fit its class.
        AssertionError: Another class of snnlab already holds the name.
    """
    card: MethodCard = cls.card  # type: ignore[attr-defined]
    source = _loading[-1] if _loading else None
    if source is not None:
        _check_kind(cls, card)
    holder = _registered.get(_key(card.kind, card.name))
    if source is not None:
        _check_loaded(cls, card, holder)
    elif holder is not None and not holder.absent:
        assert holder.cls is not None, f"two methods are called {card.name}"
        assert holder.cls.__qualname__ == cls.__qualname__, f"two methods are called {card.name}"
    _registered[_key(card.kind, card.name)] = _Entry(card, cls, source)
    return cls


def _key(kind: str, name: str) -> tuple[str, str]:
    """Converters and calibrations are chosen in one menu; an activation may have the name of one, as QCFS does."""
    return ("activation" if kind == "activation" else "converter", name)


def _check_kind(cls: type, card: MethodCard) -> None:
    if not isinstance(card, MethodCard):
        raise RecipeError(f"{cls.__name__}.card is a {type(card).__name__}; make it a MethodCard.")
    if card.kind not in _BASES:
        raise RecipeError(f"{cls.__name__}.card has kind {card.kind!r}; it is one of {', '.join(_BASES)}.")
    module, base, hooks = _BASES[card.kind]
    missing = sorted(getattr(cls, "__abstractmethods__", ()))
    if not issubclass(cls, getattr(importlib.import_module(module), base)) or missing:
        what = "an activation" if card.kind == "activation" else f"a {card.kind}"
        lacks = f" ({missing[0]} is missing)" if missing else ""
        raise RecipeError(f"{cls.__name__} is not {what}: derive it from sl.{base}, and write {hooks}{lacks}.")


def _check_loaded(cls: type, card: MethodCard, holder: _Entry | None) -> None:
    taken = card.kind == "activation" and card.name in ACTIVATIONS
    if taken or (holder is not None and not holder.absent):
        owner = "snnlab has" if holder is None or holder.source is None else f"{holder.source.file} brings"
        what = "an activation" if card.kind == "activation" else "a method"
        raise RecipeError(f"{owner} {what} {card.name!r} already; give yours another name.")
    if card.kind == "activation":
        importlib.import_module("snnlab.activations.base").check_class(cls)
        return
    held = {field.name for field in fields(cls)} if is_dataclass(cls) else set()
    if missing := [parameter.name for parameter in card.parameters if parameter.name not in held]:
        raise RecipeError(
            f"{cls.__name__} has no field {missing[0]!r}, which its card lists as a parameter; make it a frozen "
            "dataclass with that field, and let @register stand above @dataclass."
        )
    if card.kind == "calibration" and "calibration_data" not in card.needs:
        raise RecipeError(f"{cls.__name__} measures on calibration images; give its card needs=('calibration_data',).")
    for parameter in card.parameters:
        if not parameter.choices and None in (parameter.low, parameter.high):
            raise RecipeError(
                f"The parameter {parameter.name!r} of {cls.__name__} has no range; give it low= and high=, or choices=."
            )
        parameter.check(parameter.default)


@contextmanager
def loading(source: Source) -> Iterator[None]:
    """What is registered within belongs to this file; where it raises, nothing of it stays."""
    before = dict(_registered)
    _loading.append(source)
    try:
        yield
    except BaseException:
        _registered.clear()
        _registered.update(before)
        raise
    finally:
        _loading.pop()


def adopt(card: MethodCard, source: Source) -> None:
    """Know a method of the user's by its card alone, in a process that does not run the file."""
    _registered[_key(card.kind, card.name)] = _Entry(card, None, source)


def remember(name: str, parameters: Mapping[str, Any], source: Source, kind: Kind = "converter") -> None:
    """Let ``card`` answer for a method that a stored run names and nobody has loaded; menus do not list it."""
    _discover()
    if _key(kind, name) not in _registered:
        known = tuple(Parameter(key, value, "Of a file that is not loaded.") for key, value in parameters.items())
        told = f"Of {source.file}, which is not loaded."
        card = MethodCard(name, kind, f"{name} (not loaded)", told, "", 0, "official_code", (), known, "")
        _registered[_key(kind, name)] = _Entry(card, None, source, absent=True)


def source_of(name: str, kind: Kind = "converter") -> Source | None:
    """The user's file that brings a method; None for snnlab's own; errors as ``card``."""
    return _entry(name, kind).source


def is_loaded(name: str, source: Source, kind: Kind = "converter") -> bool:
    """Whether exactly this file brings this method here."""
    holder = _registered.get(_key(kind, name))
    return holder is not None and not holder.absent and holder.source == source


def brought_by(source: Source) -> tuple[MethodCard, ...]:
    """The cards of every kind that exactly this file brings here, in the order of the file."""
    return tuple(entry.card for entry in _registered.values() if entry.source == source and not entry.absent)


def unregister(name: str, kind: Kind = "converter") -> None:
    """Forget a method (tests register broken ones)."""
    _registered.pop(_key(kind, name), None)


def _discover() -> None:
    package = importlib.import_module("snnlab.converters")
    for module in pkgutil.iter_modules(package.__path__):
        if module.name not in _NOT_METHODS:
            importlib.import_module(f"snnlab.converters.{module.name}")


def methods(kind: Kind = "converter") -> tuple[MethodCard, ...]:
    """Registered cards, by year and name.

    Args:
        kind: ``"converter"`` for every conversion method, those that are calibrations too; ``"activation"`` for the
            activations of the user's files.
    """
    _discover()
    place, _ = _key(kind, "")
    known = [entry.card for (where, _), entry in _registered.items() if where == place and not entry.absent]
    return tuple(sorted(known, key=lambda card: (card.year, card.name)))


def method_class(name: str, kind: Kind = "converter") -> type:
    """The class registered as ``name``.

    Raises:
        RecipeError: No such method, the nearest name is proposed; or its file is not loaded here.
    """
    entry = _entry(name, kind)
    if entry.cls is None:
        assert entry.source is not None, "only a user's method can be known by its card alone"
        what = _WORDS[_key(kind, name)[0]]
        raise RecipeError(f"The {what} {name!r} is of {entry.source.file}, which is not loaded; add --load FILE.")
    return entry.cls


_WORDS = {"converter": "method", "activation": "activation"}


def _entry(name: str, kind: Kind) -> _Entry:
    _discover()
    place, _ = key = _key(kind, name)
    if key not in _registered:
        own = ACTIVATIONS if place == "activation" else ()
        known = sorted({*own, *(called for where, called in _registered if where == place)})
        near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(known)}."
        raise RecipeError(f"There is no {_WORDS[place]} {name!r}; {hint}")
    return _registered[key]


def card(name: str, kind: Kind = "converter") -> MethodCard:
    """The card of one method.

    Raises:
        RecipeError: No such method; the nearest name is proposed.
    """
    return _entry(name, kind).card


def usual_activation(before: str) -> str:
    """What a network is trained with unless another is asked for: its own activation where that is one of a user's.

    Args:
        before: Activation of the checkpoint; those of snnlab give way to QCFS, with the noise of the arm.
    """
    return "nq" if before in ACTIVATIONS else before


def is_quantized(activation: str) -> bool:
    """Whether an activation of this kind has quantization levels L; no for one that is not known here."""
    holder = _registered.get(_key("activation", activation))
    return activation in ("qcfs", "nq", "lsq_noise") or (holder is not None and "levels" in holder.card.needs)
