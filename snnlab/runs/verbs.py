"""What runs are made to find out: one table for the worker, the command line, lists and pages. Without torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """A kind of run.

    Args:
        name: As stored runs keep it.
        noun: What such a run is called in lists.
        command: Of the command line, that gives its numbers from its recipe; empty where none does.
        prefix: Before the conversion's name in menus; empty for conversions themselves.
        listed: Whether lists show such runs; parts of another run are asked for by their verb.
    """

    name: str
    noun: str
    command: str = ""
    prefix: str = ""
    listed: bool = True


VERBS = {
    verb.name: verb
    for verb in (
        Verb("analyse", "conversion", "evaluate"),
        Verb("noise", "noise", "fit-noise", "noise of "),
        Verb("train", "experiment", "train", "experiment on "),
        Verb("final", "final evaluation", "", "final, "),
        Verb("budget", "error budget", "budget", "budget of "),
        Verb("restore", "site restoration", "restore", "restoration of "),
        Verb("flips", "flips", "flips", "flips of "),
        Verb("early-exit", "early exit", "early-exit", "early exit of "),
        Verb("energy", "energy", "energy", "energy of "),
        Verb("attribution", "attribution", "attribute", "attribution of "),
        Verb("diagnosis", "diagnosis", "diagnose", "diagnosis of "),
        Verb("tournament", "tournament", "tournament", "tournament on "),
        Verb("cell", "cell of a tournament", "evaluate", "cell, ", listed=False),
    )
}
"""Name -> kind of run. A run of a kind that is not here counts as a conversion."""

UNLISTED = tuple(verb.name for verb in VERBS.values() if not verb.listed)
"""Verbs of runs that are parts of others."""

CONVERSION = "analyse"


def is_conversion(verb: str) -> bool:
    """Whether runs of this kind are conversions: menus offer them, and they can be compared with each other."""
    return verb == CONVERSION or verb not in VERBS
