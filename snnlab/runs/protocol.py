"""What is fixed before a test set is opened: the arms, their recipes, the splits and what they were used for. No torch.

The test set is opened once for a whole experiment. Which arms and which T count is said before, and everything that was
chosen, was chosen on ``dev``.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from snnlab.analysis.reports import FinalEvaluation
from snnlab.core.errors import RecipeError
from snnlab.core.recipe import RESULTS_VERSION, ConverterChoice, Recipe
from snnlab.core.registry import card as method_card

if TYPE_CHECKING:
    from snnlab.runs.run import Run
    from snnlab.runs.store import RunRow, Store

VERB = "final"
"""Verb of a run that holds a final evaluation; no page but *Final evaluation* shows one."""
MOST_ARMS = 12

_CIFAR = {"train": 45_000, "calibration": 2_000, "validation": 3_000, "dev": 2_000, "test": 10_000}
SIZES: dict[str, dict[str, int]] = {
    "digits": {"train": 942, "calibration": 512, "validation": 135, "dev": 270, "test": 450},
    "mnist": {**_CIFAR, "train": 55_000},
    "cifar10": _CIFAR,
    "cifar100": _CIFAR,
}
"""Images of every split of the official files, as ``Dataset.sizes`` gives them."""
EXPLORED_OF_TEST = 2_000
"""Test images that ``dev`` of a foreign checkpoint is drawn from; of a smaller test set half."""


@dataclass(frozen=True)
class Arm:
    """One conversion of an experiment.

    Args:
        name: How it is called in tables.
        recipe: Recipe of the stored run that was chosen.
        run: Its id.
    """

    name: str
    recipe: Recipe
    run: str = ""

    @property
    def final(self) -> Recipe:
        """What the final evaluation runs."""
        return final_recipe(self.recipe)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a job."""
        return {"name": self.name, "recipe": self.recipe.to_dict(), "run": self.run}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Arm":
        """Inverse of ``to_dict``."""
        return cls(values["name"], Recipe.parse(values["recipe"]), values.get("run", ""))


def final_recipe(recipe: Recipe) -> Recipe:
    """The same conversion on the whole official test set, without what only exploring needs."""
    return recipe.changed(data={"split": "test", "limit": None}, snapshots=(), traces=0, noise=None)


def experiment_sha(recipes: Iterable[Recipe], version: int = RESULTS_VERSION) -> str:
    """What makes two experiments the same: the conversions tested, in any order, and the version of the numbers."""
    found = sorted({final_recipe(recipe).sha for recipe in recipes})
    return hashlib.sha256(json.dumps([found, version]).encode()).hexdigest()


def check_arms(arms: Sequence[Arm]) -> None:
    """Raise unless the arms make one experiment.

    Raises:
        RecipeError: No arm, too many, several datasets, or the same conversion twice.
    """
    if not 1 <= len(arms) <= MOST_ARMS:
        raise RecipeError(f"A final evaluation has 1 to {MOST_ARMS} arms, not {len(arms)}.")
    datasets = {(arm.recipe.data.dataset, arm.recipe.data.sha256) for arm in arms}
    if len(datasets) > 1:
        named = ", ".join(sorted({dataset for dataset, _ in datasets}))
        raise RecipeError(f"The arms of a final evaluation share one test set; these are of several ({named}).")
    first: dict[str, str] = {}
    for arm in arms:
        if arm.final.sha in first:
            raise RecipeError(
                f"{first[arm.final.sha]} and {arm.name} are the same conversion on the test set; choose one of them."
            )
        first[arm.final.sha] = arm.name


def lineage_of(card: Mapping[str, Any]) -> str:
    """SHA-256 of the checkpoint that a card's weights descend from."""
    return str(card.get("origin_sha256") or card["sha256"])


def lineages_of(run: "Run") -> tuple[str, ...]:
    """The lineages that a run looks at a test set with: of a final evaluation those of all its arms."""
    report = run.reports.get(VERB)
    return (lineage_of(run.card),) if not isinstance(report, FinalEvaluation) else tuple(report.looks)


def counted(run: "Run", looks: dict[str, int]) -> "Run":
    """The run, a final evaluation told which look it is.

    Args:
        run: Any run on test images.
        looks: Lineage -> number of the look.
    """
    report = run.reports.get(VERB)
    if not isinstance(report, FinalEvaluation):
        return run
    return replace(run, reports={**run.reports, VERB: report.counted(looks)})


def is_current(run: "Run") -> bool:
    """Whether the version of the numbers is still the one that made this run."""
    return run.environment.get("results_version", RESULTS_VERSION) == RESULTS_VERSION


def split_sizes(recipe: Recipe) -> dict[str, int] | None:
    """Images of every split of a recipe's dataset; None where only its file tells, as for ``.npz``."""
    return None if recipe.data.sha256 else SIZES.get(recipe.data.dataset)


def explored_of_test(test: int) -> int:
    """Test images that a foreign checkpoint's ``dev`` is drawn from."""
    return min(EXPLORED_OF_TEST, test // 2)


@dataclass(frozen=True)
class Tried:
    """What was looked at on ``dev`` before the test set is opened.

    Args:
        conversions: Different conversions stored.
        profiles: Different noise profiles stored.
    """

    conversions: int = 0
    profiles: int = 0


@dataclass(frozen=True)
class Protocol:
    """What stands before the test set is opened.

    Args:
        dataset: Dataset of the test set.
        sizes: Images of every split; None where only the file tells.
        foreign: Some arm's checkpoint was not trained by snnlab: its ``dev`` is drawn from the test file.
        looks: Lineage -> looks taken at this test set so far.
        tried: Lineage -> what was tried on ``dev``.
        calibrated: Some arm measures thresholds on ``calibration``.
        earlier: Stored final evaluations of these lineages on this dataset, newest first.
        same: Id of the one of exactly these arms; "" where there is none.
    """

    dataset: str
    sizes: dict[str, int] | None
    foreign: bool
    looks: dict[str, int]
    tried: dict[str, Tried]
    calibrated: bool
    earlier: "tuple[RunRow, ...]" = field(default=(), repr=False)
    same: str = ""

    @property
    def next_look(self) -> int:
        """Number of the look that opening the test set would be."""
        return max(self.looks.values()) + 1

    @property
    def explored(self) -> int | None:
        """Test images that ``dev`` was drawn from; None where only the file tells."""
        if self.sizes is None:
            return None
        return explored_of_test(self.sizes["test"]) if self.foreign else 0

    @property
    def fresh(self) -> int | None:
        """Test images that the final figure is given for; None where only the file tells."""
        return None if self.sizes is None or self.explored is None else self.sizes["test"] - self.explored


def protocol_of(store: "Store", runs: "Sequence[Run]") -> Protocol:
    """The protocol of an experiment whose arms are these stored runs.

    Raises:
        StoreError: The store cannot be read.
    """
    first = runs[0].recipe
    dataset = first.data.dataset
    lineages = {lineage_of(run.card): run.card["sha256"] for run in runs}
    rows = [row for row in store.list() if _same_data(row.recipe, first)]
    earlier = tuple(row for row in rows if row.verb == VERB and lineage_of_row(store, row) in lineages)
    wanted = experiment_sha(run.recipe for run in runs)
    return Protocol(
        dataset=dataset,
        sizes=split_sizes(first),
        foreign=any(run.card["foreign"] for run in runs),
        looks={lineage: store.looks(dataset=dataset, lineage=lineage) for lineage in lineages},
        tried={lineage: _tried(store, rows, lineage) for lineage in lineages},
        calibrated=any("calibration_data" in _needs(run.recipe.converter) for run in runs),
        earlier=earlier,
        same=next((row.id for row in earlier if _experiment_of(store, row) == wanted), ""),
    )


def _needs(choice: ConverterChoice) -> tuple[str, ...]:
    return method_card(choice.method).needs_of(choice.parameters)


_LINEAGES: dict[str, str] = {}
_EXPERIMENTS: dict[str, str] = {}
# Both are facts of a file or of a stored run, which never change; reading a run for every row of a list is slow.


def lineage_of_row(store: "Store", row: "RunRow") -> str:
    """The lineage of a run's checkpoint; reads one run for every different file."""
    if row.sha256 not in _LINEAGES:
        _LINEAGES[row.sha256] = lineage_of(store.get(row.id).card)
    return _LINEAGES[row.sha256]


def _experiment_of(store: "Store", row: "RunRow") -> str:
    if row.id not in _EXPERIMENTS:
        run = store.get(row.id)
        report = run.reports[VERB]
        assert isinstance(report, FinalEvaluation), "stored under its own name"
        version = run.environment.get("results_version", RESULTS_VERSION)
        _EXPERIMENTS[row.id] = experiment_sha((Recipe.parse(arm["recipe"]) for arm in report.arms), version)
    return _EXPERIMENTS[row.id]


def _tried(store: "Store", rows: "Sequence[RunRow]", lineage: str) -> Tried:
    on_dev = [row for row in rows if row.recipe.data.split == "dev" and lineage_of_row(store, row) == lineage]
    conversions = {json.dumps(row.recipe.to_dict()["converter"], sort_keys=True) for row in on_dev}
    profiles = {json.dumps(row.recipe.to_dict().get("noise"), sort_keys=True) for row in on_dev if row.recipe.noise}
    return Tried(len(conversions), len(profiles))


def _same_data(recipe: Recipe, other: Recipe) -> bool:
    return (recipe.data.dataset, recipe.data.sha256) == (other.data.dataset, other.data.sha256)
