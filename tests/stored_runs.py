"""Runs to compare, group and export: the bundled ones, and copies of them that differ where a test says."""

import dataclasses

import numpy as np

from snnlab.runs import Store


def shipped(name="digits-vgg-qcfs-L8", verb="analyse"):
    """A bundled run."""
    (run,) = [run for run in Store("sqlite://").shipped() if (run.card["name"], run.verb) == (name, verb)]
    return run


def with_report(run, name, **values):
    """The run with other values in one of its reports."""
    return dataclasses.replace(run, reports={**run.reports, name: dataclasses.replace(run.reports[name], **values)})


def reseeded(run, seed):
    """What another training seed might give: another checkpoint, some answers wrong that were right."""
    wrong = np.random.default_rng(seed).random(run.accuracy.snn_predictions.shape) < 0.02 * seed
    spoiled = np.where(wrong, (run.accuracy.labels + 1) % 10, run.accuracy.snn_predictions).astype(np.int16)
    card = {**run.card, "name": f"net-seed{seed}", "sha256": f"{seed:064x}"}
    recipe = run.recipe.changed(checkpoint={"source": card["name"], "sha256": card["sha256"]})
    copy = dataclasses.replace(run, id=f"{seed:032x}", card=card, recipe=recipe)
    return with_report(copy, "accuracy", snn_predictions=spoiled)
