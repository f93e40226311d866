"""Execute a recipe: open, convert, simulate, analyse."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from snnlab.analysis.accuracy import curve_of, predict
from snnlab.analysis.conversion import conversion_report
from snnlab.analysis.neuron_traces import traces
from snnlab.analysis.noise import SCALES, Kappa, kappa, noisy_correct
from snnlab.analysis.noisy_network import NoisyNetwork
from snnlab.analysis.normalization import rank_normalizations
from snnlab.analysis.reports import ConversionReport, NoiseReport, NormalizationReport, Report, wilson_interval
from snnlab.analysis.residual_membrane import residuals
from snnlab.calibration.noise import measure_gaps
from snnlab.calibration.profile import NoiseProfile
from snnlab.converters.apply import convert
from snnlab.core.errors import CheckpointError, DataError, RecipeError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.recipe import NoiseChoice, Recipe
from snnlab.core.registry import card as method_card
from snnlab.data import Dataset, ImageSplit, load_dataset, parse_normalization
from snnlab.data.normalization import presets_for
from snnlab.io import Checkpoint, candidates, load_checkpoint
from snnlab.runs.run import Run, environment
from snnlab.simulation import Recording, SiteRecording, SpikingModel, simulate
from snnlab.simulation.devices import find_device

DETECTIVE_IMAGES = 500


@dataclass(frozen=True)
class Prepared:
    """A recipe with everything it names opened.

    Args:
        recipe: Complete: file hashes and normalisation filled in.
        checkpoint: The weights.
        dataset: The images' dataset.
        notes: What was assumed, one sentence each.
    """

    recipe: Recipe
    checkpoint: Checkpoint
    dataset: Dataset
    notes: tuple[str, ...]

    def split(self, name: str, limit: int | None = None) -> ImageSplit:
        """Images of a split, normalised as the recipe says."""
        images = self.dataset.split(name, limit=limit, foreign=self.checkpoint.card.foreign)
        return images.normalized(parse_normalization(self.recipe.data.normalize or "unit"))

    def images(self) -> ImageSplit:
        """The images of the recipe's data."""
        return self.split(self.recipe.data.split, self.recipe.data.limit)

    def calibration(self) -> ImageSplit:
        """Calibration images, drawn as the recipe says."""
        images, draw = self.split("calibration"), self.recipe.calibration
        return images if draw is None else images.drawn(draw.images, seed=draw.seed)


def resolve(recipe: Recipe, *, check_normalization: bool = True, progress: ProgressCallback = silent) -> Prepared:
    """Open what a recipe names, and fill in what it leaves open.

    A normalisation that neither recipe nor checkpoint names is chosen on training images; one that is named but
    clearly worse than another is kept, and noted.

    Raises:
        CheckpointError: The checkpoint cannot be read, or is not the one that the recipe names by hash.
        DataError: The dataset is missing or does not fit the network.
    """
    choice = recipe.checkpoint
    checkpoint = load_checkpoint(choice.source, architecture=choice.architecture, levels=choice.levels)
    card = checkpoint.card
    if choice.sha256 and choice.sha256 != card.sha256:
        raise RecipeError(
            f"{choice.source} has changed: its SHA-256 begins {card.sha256[:12]}, the recipe was made with "
            f"{choice.sha256[:12]}; restore the file or make a new recipe."
        )
    dataset = load_dataset(recipe.data.dataset, recipe.data.folder)
    check_fit(checkpoint, dataset)
    notes = list(card.notes)
    name = recipe.data.normalize or card.normalization
    unusual = recipe.data.normalize is not None and recipe.data.normalize != card.normalization
    if check_normalization and (card.foreign or unusual):
        report = find_normalization(checkpoint, dataset, chosen=name or "", progress=progress)
        if name is None:
            name = report.best
            notes.append(
                f"The normalisation is not in the file: {name} was chosen, the best of {len(report.names)} on "
                f"{report.images} training images."
            )
        elif report.chosen_is_clearly_worse():
            at = report.names.index(name)
            notes.append(
                f"The normalisation {name} gives {report.correct[at] / report.images:.1%} on {report.images} training "
                f"images, {report.best} gives {report.correct[0] / report.images:.1%}: it is probably the wrong one."
            )
    name = name or dataset.normalization.name
    parse_normalization(name).check(dataset.image_shape[0])
    if recipe.data.sha256 and recipe.data.sha256 != dataset.sha256:
        raise RecipeError(
            f"{dataset.location} has changed: its SHA-256 begins {str(dataset.sha256)[:12]}, the recipe was made with "
            f"{recipe.data.sha256[:12]}; restore the file or make a new recipe."
        )
    code = None if card.code is None else {"method": card.activation, **card.code}
    # What a declared file says, not where it lies: the recipe must mean the same tomorrow.
    declared = None if choice.architecture is None else card.architecture
    complete = recipe.changed(
        checkpoint={"sha256": card.sha256, "architecture": declared, "code": code},
        data={"normalize": name, "sha256": dataset.sha256},
    )
    return Prepared(complete, checkpoint, dataset, tuple(notes))


def check_fit(checkpoint: Checkpoint, dataset: Dataset) -> None:
    """Raise unless the images have the size and the classes that the network was built for.

    Raises:
        DataError: Says what each has.
    """
    card = checkpoint.card
    # Some files fit images of any size; of those only the channels are fixed.
    fixed = 1 if "input_size" in card.unknown else 3
    if tuple(card.input_shape)[:fixed] != tuple(dataset.image_shape)[:fixed]:
        raise DataError(
            f"{card.name} takes images of shape {tuple(card.input_shape)}, {dataset.name} has "
            f"{tuple(dataset.image_shape)} (channels, height, width); choose the dataset it was trained on."
        )
    if card.num_classes != dataset.num_classes:
        raise DataError(
            f"{card.name} tells {card.num_classes} classes apart, {dataset.name} has {dataset.num_classes}; choose the "
            "dataset it was trained on."
        )


def find_normalization(
    checkpoint: Checkpoint, dataset: Dataset, *, chosen: str = "", progress: ProgressCallback = silent
) -> NormalizationReport:
    """Rank the known normalisations by the ANN's accuracy on training images."""
    images = dataset.split("train", limit=DETECTIVE_IMAGES)
    options = {preset.name: preset for preset in presets_for(dataset.image_shape[0])}
    if chosen and chosen not in options:
        options[chosen] = parse_normalization(chosen)
    return rank_normalizations(
        checkpoint.build(),
        {name: lambda option=option: images.normalized(option) for name, option in options.items()},  # type: ignore[misc]
        dataset=dataset.name,
        num_classes=checkpoint.card.num_classes,
        chosen=chosen,
        progress=progress,
    )


def rank_architectures(
    path: str | Path, dataset: Dataset, *, progress: ProgressCallback = silent
) -> list[dict[str, Any]]:
    """The networks that a file may hold, by their accuracy on labelled training images.

    For files whose keys leave pools open. Every candidate is tried under every normalisation that fits.

    Args:
        path: Checkpoint file.
        dataset: Labelled images.
        progress: Called after every candidate.

    Returns:
        Rows with ``architecture``, ``normalization``, ``accuracy``, ``low``, ``high``, ``images``; best first.

    Raises:
        CheckpointError: The file cannot be read, or holds none of the known layouts.
        DataError: No candidate takes images of this dataset.
    """
    found = candidates(path)
    rows = []
    for done, architecture in enumerate(found):
        try:
            checkpoint = load_checkpoint(path, architecture=architecture)
            check_fit(checkpoint, dataset)
        except (CheckpointError, DataError):
            continue  # a candidate for other images
        best = find_normalization(checkpoint, dataset)
        low, high = wilson_interval(best.correct[0], best.images)
        rows.append(
            {
                "architecture": checkpoint.card.architecture,
                "normalization": best.best,
                "accuracy": float(best.correct[0] / best.images),
                "low": float(low),
                "high": float(high),
                "images": best.images,
            }
        )
        progress(done + 1, len(found), "architectures tried")
    if not rows:
        raise DataError(
            f"None of the {len(found)} networks that {Path(path).name} may hold takes images of {dataset.name}; choose "
            "the dataset it was trained on, or declare the architecture."
        )
    return sorted(rows, key=lambda row: -row["accuracy"])


def convert_prepared(prepared: Prepared, *, progress: ProgressCallback = silent) -> SpikingModel:
    """The spiking network of a recipe."""
    choice = prepared.recipe.converter
    choice.check_code()
    needs = method_card(choice.method).needs_of(choice.parameters)
    return convert(
        prepared.checkpoint.build(),
        choice.method,
        data=prepared.calibration() if "calibration_data" in needs else None,
        validation=prepared.split("validation") if "validation_data" in needs else None,
        num_steps=prepared.recipe.num_steps,
        sites={name: site.model_dump() for name, site in choice.sites.items()},
        progress=progress,
        **choice.parameters,
    )


def analyse(recipe: Recipe, *, device: str = "cpu", progress: ProgressCallback = silent) -> Run:
    """Run a recipe from checkpoint to reports. Stores nothing.

    Args:
        recipe: What to run.
        device: ``"cpu"`` or ``"cuda"``: where ANN and SNN run; calibration is on the CPU.
        progress: Called with images done and in all of every stage.

    Returns:
        A run with reports ``accuracy`` and ``conversion``, with snapshots also ``residuals``, with traces ``traces``.

    Raises:
        SnnlabError: Whatever is wrong with checkpoint, data or recipe, in one sentence.
        Cancelled: ``progress`` asked for it.
    """
    started = time.perf_counter()
    prepared = resolve(recipe, progress=progress)
    return analyse_prepared(prepared, started=started, device=device, progress=progress)


def analyse_prepared(
    prepared: Prepared, *, started: float, device: str = "cpu", progress: ProgressCallback = silent
) -> Run:
    """As ``analyse``, for a recipe already resolved."""
    recipe = prepared.recipe
    find_device(device)  # before anything takes time
    images = prepared.images()
    snn = convert_prepared(prepared, progress=progress)
    ann_predictions = predict(prepared.checkpoint.build(), images, device=device, progress=progress)
    recording = simulate(
        snn,
        images,
        num_steps=recipe.num_steps,
        snapshots=recipe.snapshots,
        candidates="random" if recipe.traces and recipe.snapshots else None,
        seed=recipe.seed,
        dtype=getattr(torch, recipe.dtype),
        device=device,
        progress=progress,
    )
    reports = accuracy_and_conversion(prepared, snn, recording, ann_predictions)
    if recipe.snapshots:
        reports["residuals"] = residuals(recording)
        if recipe.traces:
            reports["traces"] = traces(recording, per_class=recipe.traces)
    return finished(prepared, reports, recording, started, device=device)


def fit_noise_run(recipe: Recipe, *, progress: ProgressCallback = silent) -> Run:
    """Measure the gap between ANN and SNN, put noise of its std into the ANN, and compare the two. Stores nothing.

    Args:
        recipe: Its ``noise`` says which images the gap is measured on, for which T the noisy ANN is evaluated, and
            what is changed by hand; None for the defaults. All accuracies are on the images of ``data``.
        progress: Called with images done and in all of every stage.

    Returns:
        A run with verb ``noise`` and reports ``noise``, ``accuracy`` and ``conversion``.

    Raises:
        SnnlabError: Whatever is wrong with checkpoint, data or recipe, in one sentence.
        Cancelled: ``progress`` asked for it.
    """
    started = time.perf_counter()
    choice = recipe.noise or NoiseChoice()
    if choice.split == "test":
        raise RecipeError("Test images choose nothing: measure the noise on calibration, train, validation or dev.")
    targets = choice.targets or (recipe.num_steps,)
    noise = {**choice.model_dump(mode="json", exclude_none=True), "targets": list(targets)}
    prepared = resolve(recipe.changed(noise=noise), progress=progress)
    recipe, card = prepared.recipe, prepared.checkpoint.card
    images, measured = prepared.images(), prepared.split(choice.split, choice.limit)
    snn, ann = convert_prepared(prepared, progress=progress), prepared.checkpoint.build()
    ann_predictions = predict(ann, images, progress=progress)
    recording = simulate(
        snn,
        images,
        num_steps=recipe.num_steps,
        seed=recipe.seed,
        dtype=getattr(torch, recipe.dtype),
        progress=progress,
    )
    accuracy = curve_of(
        recording, ann_predictions, name=method_card(snn.method).display_name, num_classes=card.num_classes
    )
    gaps = measure_gaps(
        snn, ann, measured, steps=(*recipe.snapshots, *targets), paper_compat=choice.paper_compat, progress=progress
    )
    network, profiles = NoisyNetwork(ann), [edited_profile(gaps.profile(target), choice) for target in targets]
    right, kappas = [], list[Kappa]()
    for target, profile in zip(targets, profiles, strict=True):

        def evaluate(scales: Sequence[float], profile: NoiseProfile = profile) -> np.ndarray:
            return noisy_correct(
                network, profile, images, scales=scales, seeds=choice.seeds, seed=recipe.seed, progress=progress
            )

        right.append(evaluate(SCALES))
        reached = recording.predictions[target - 1] == accuracy.labels
        kappas.append(kappa(reached, evaluate, known=right[-1], seed=recipe.seed))
    report = NoiseReport(
        names=gaps.names,
        shapes=gaps.shapes,
        thresholds=gaps.thresholds,
        levels=gaps.levels,
        steps=gaps.steps,
        std=gaps.std,
        mean=gaps.mean,
        local_std=gaps.local_std,
        zero=gaps.zero,
        count=gaps.count,
        lattice=gaps.lattice,
        gap_counts=np.stack([site.gap_counts for site in gaps.sites]),
        outside=np.stack([site.outside for site in gaps.sites]),
        fit_split=gaps.split,
        fit_images=gaps.images,
        paper_compat=choice.paper_compat,
        split=images.name,
        num_classes=card.num_classes,
        ann_correct=ann_predictions == accuracy.labels,
        snn_correct=recording.predictions[[step - 1 for step in gaps.steps]] == accuracy.labels,
        targets=tuple(targets),
        profile_std=np.stack([profile.std for profile in profiles]),
        scales=np.array(SCALES),
        noisy_correct=np.stack(right),
        kappa=np.array([[found.value, found.low, found.high] for found in kappas]),
        kappa_why=tuple(found.why for found in kappas),
    )
    reports = {"noise": report, "accuracy": accuracy, "conversion": conversion_report(snn, recording)}
    return finished(prepared, reports, recording, started, verb="noise")


def edited_profile(measured: NoiseProfile, choice: NoiseChoice) -> NoiseProfile:
    """A measured profile with what the recipe changes by hand."""
    drawn = measured.multiplied(choice.multipliers) if choice.std is None else measured.with_std(choice.std)
    return drawn.scaled(choice.scale)


def accuracy_and_conversion(
    prepared: Prepared, snn: SpikingModel, recording: Recording, ann_predictions: np.ndarray
) -> dict[str, Report]:
    """The two reports of every run that simulates, by name."""
    name, num_classes = method_card(snn.method).display_name, prepared.checkpoint.card.num_classes
    return {
        "accuracy": curve_of(recording, ann_predictions, name=name, num_classes=num_classes),
        "conversion": conversion_report(snn, recording),
    }


def finished(
    prepared: Prepared,
    reports: dict[str, Report],
    recording: Recording,
    started: float,
    *,
    verb: str = "analyse",
    device: str = "cpu",
) -> Run:
    """The run of a prepared recipe, with the machine it ran on; ``started`` is a ``perf_counter`` value."""
    conversion = reports["conversion"]
    assert isinstance(conversion, ConversionReport), "stored under its own name"
    return Run(
        recipe=prepared.recipe,
        reports=reports,
        card=_shaped(prepared.checkpoint.card.to_dict(), recording.sites),
        notes=(*prepared.notes, *conversion.told, *conversion.chosen_on(prepared.recipe.data.split)),
        environment=environment(seconds=time.perf_counter() - started, threads=torch.get_num_threads(), device=device),
        verb=verb,
    )


def _shaped(card: dict[str, Any], sites: dict[str, SiteRecording]) -> dict[str, Any]:
    """The card with the site shapes that the simulation saw."""
    rows = [{**row, "shape": list(sites[row["name"]].site.shape)} for row in card["sites"]]
    return {**card, "sites": rows}
