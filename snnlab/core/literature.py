"""Published accuracies of other people's SNNs, with what has to be known before one compares with them. No torch."""

import csv
import functools
import re
from dataclasses import dataclass

from snnlab.core.assets import asset_folder
from snnlab.core.errors import RecipeError
from snnlab.core.references import REFERENCES


@dataclass(frozen=True)
class PublishedNumber:
    """One SNN accuracy that somebody else published; never measured here.

    Args:
        method: Machine name of the method, as a converter of it is called.
        title: How it is written.
        variant: What sets these numbers apart from others of the method; empty for the plain ones.
        source: Citation key of the work that the number is of.
        dataset: ``"cifar10"``, ``"cifar100"`` or ``"imagenet"``.
        architecture: ``"vgg16"``, ``"resnet20"``, ...; empty where the source does not tell. Many are altered forms.
        levels: Quantization levels L; None where there are none, or where the source does not tell.
        num_steps: T as its authors count it.
        at_least: The source says T or more.
        convention: How T is counted where it is not just the simulated steps.
        ann_accuracy: Of the source network, as a fraction; None where it is not told.
        snn_accuracy: After T steps, as a fraction.
        test_selected: Test images chose the checkpoint; False where nothing is known of it.
        where: Where the number stands.
    """

    method: str
    title: str
    variant: str
    source: str
    dataset: str
    architecture: str
    levels: int | None
    num_steps: int
    at_least: bool
    convention: str
    ann_accuracy: float | None
    snn_accuracy: float
    test_selected: bool
    where: str

    @property
    def series(self) -> str:
        """Equal for the numbers of one network of one source; letters, digits and hyphens, for links."""
        levels = "" if self.levels is None else f"L{self.levels}"
        parts = (self.source, self.method, self.dataset, self.architecture, levels, self.variant)
        return "-".join(filter(None, (re.sub(r"[^A-Za-z0-9]+", "-", part).strip("-") for part in parts)))

    @property
    def name(self) -> str:
        """For legends and menus: method, source, network, dataset and L."""
        network = ", ".join(
            filter(
                None,
                (
                    self.architecture,
                    self.dataset,
                    "" if self.levels is None else f"L = {self.levels}",
                    self.variant,
                ),
            )
        )
        return f"{self.title} ({REFERENCES[self.source].short}; {network})"

    @property
    def remark(self) -> str:
        """What a reader has to know: where it stands, how T is counted, and whether test images selected it."""
        selected = "checkpoint selected on test images" if self.test_selected else ""
        least = "T or more" if self.at_least else ""
        return "; ".join(filter(None, (f"published elsewhere: {self.where}", self.convention, least, selected)))


def literature(
    *, dataset: str | None = None, architecture: str | None = None, method: str | None = None
) -> tuple[PublishedNumber, ...]:
    """Published numbers, in the order of their sources and of T.

    Args:
        dataset: Only of this dataset.
        architecture: Only of this network; ``resnet20-A`` and ``resnet20-B`` both find ``resnet20``.
        method: Only of this method.

    Raises:
        RecipeError: Nothing at all is known of that method.

    Example:
        >>> [row.num_steps for row in literature(dataset="cifar10", architecture="resnet20", method="nq")]
        [1, 2, 4, 8, 16]
    """
    rows = _rows()
    methods = sorted({row.method for row in rows})
    if method is not None and method not in methods:
        raise RecipeError(f"No published number of {method!r} is known; known are those of {', '.join(methods)}.")
    return tuple(
        row
        for row in rows
        if (dataset is None or row.dataset == dataset)
        and (architecture is None or row.architecture == plain_architecture(architecture))
        and (method is None or row.method == method)
    )


def plain_architecture(name: str) -> str:
    """An architecture's name without the kind of its shortcuts, which few sources tell.

    Example:
        >>> plain_architecture("resnet20-B")
        'resnet20'
    """
    return re.sub(r"-[AB]$", "", name)


@functools.cache
def _rows() -> tuple[PublishedNumber, ...]:
    with (asset_folder() / "literature.csv").open(encoding="utf-8", newline="") as file:
        return tuple(_number(row) for row in csv.DictReader(file))


def _number(row: dict[str, str]) -> PublishedNumber:
    texts = {
        name: row[name] for name in ("method", "title", "variant", "source", "dataset", "architecture", "convention")
    }
    return PublishedNumber(
        **texts,
        levels=int(row["levels"]) if row["levels"] else None,
        num_steps=int(row["steps"]),
        at_least=row["at_least"] == "yes",
        ann_accuracy=_fraction(row["ann"]) if row["ann"] else None,
        snn_accuracy=_fraction(row["snn"]),
        test_selected=row["test_selected"] == "yes",
        where=row["where"],
    )


def _fraction(percent: str) -> float:
    return round(float(percent) / 100, 6)  # 73.20 -> 0.732, not 0.7320000000000001
