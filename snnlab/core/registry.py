"""Method cards: what the app, the command line, the documentation and the contract tests know about a method."""

import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from snnlab.core.errors import RecipeError

Evidence = Literal["official_code", "paper_text", "related_code", "interpretation"]


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
    """

    name: str
    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()

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
        kind: What the method is, ``"converter"``.
        title: How the app writes it.
        summary: One sentence.
        citation: Key into ``snnlab.core.references``.
        year: Year of publication.
        evidence: How sure our specification is.
        needs: ``"learned_thresholds"`` and / or ``"calibration_data"``.
        parameters: Hyper-parameters, in the order to show them.
        equation: LaTeX of the defining rule.
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

    @property
    def display_name(self) -> str:
        """Title, with a dagger where our specification interprets the source."""
        return self.title + (" †" if self.evidence in ("related_code", "interpretation") else "")

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


_NOT_METHODS = ("base", "apply")  # the machinery, of which `apply` needs torch

_registered: dict[str, tuple[MethodCard, type]] = {}


def register(cls: type) -> type:
    """Class decorator: make a method known by the card in its ``card`` attribute.

    Raises:
        AssertionError: Another class already holds the name.
    """
    card: MethodCard = cls.card  # type: ignore[attr-defined]
    holder = _registered.get(card.name)
    assert holder is None or holder[1].__qualname__ == cls.__qualname__, f"two methods are called {card.name}"
    _registered[card.name] = (card, cls)
    return cls


def unregister(name: str) -> None:
    """Forget a method (tests register broken ones)."""
    _registered.pop(name, None)


def _discover() -> None:
    package = importlib.import_module("snnlab.converters")
    for module in pkgutil.iter_modules(package.__path__):
        if module.name not in _NOT_METHODS:
            importlib.import_module(f"snnlab.converters.{module.name}")


def methods() -> tuple[MethodCard, ...]:
    """Every registered card, by year and name."""
    _discover()
    return tuple(sorted((card for card, _ in _registered.values()), key=lambda card: (card.year, card.name)))


def method_class(name: str) -> type:
    """The class registered as ``name``.

    Raises:
        RecipeError: No such method; the nearest name is proposed.
    """
    _discover()
    if name not in _registered:
        near = difflib.get_close_matches(str(name), _registered, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(sorted(_registered))}."
        raise RecipeError(f"There is no method {name!r}; {hint}")
    return _registered[name][1]


def card(name: str) -> MethodCard:
    """The card of one method; errors as ``method_class``."""
    method_class(name)
    return _registered[name][0]
