"""What the app says of each kind of work, and where its results are seen."""

from dataclasses import dataclass

import snnlab as sl
from pages._ui import label

CONVERSION = "analyse"
"""The kind whose result every page looks at; the runs of other kinds belong to their own page."""


@dataclass(frozen=True)
class JobKind:
    """One kind of work.

    Args:
        title: How its jobs are called where they have no title of their own.
        page: Name of the page where its results are seen; empty where no page waits for them.
        kept: What a cancelled job leaves behind.
    """

    title: str
    page: str = ""
    kept: str = "nothing was stored"


KINDS = {
    "open": JobKind("Open checkpoint", "checkpoint"),
    CONVERSION: JobKind("Convert and analyse"),
    "normalization": JobKind("Find the normalisation"),
    "candidates": JobKind("Find the network"),
    "evaluate_ann": JobKind("Evaluate the ANN"),
    "trace": JobKind("Trace one neuron"),
    "selected": JobKind("Residuals of the selection"),
    "noise": JobKind("Fit the noise", "noise"),
    "noisy": JobKind("Noisy ANN"),
    "sensitivity": JobKind("Which site matters", "noise"),
    "largest_scale": JobKind("Largest scale of the noise", "noise"),
    "probe": JobKind("Probe the conversion"),
    "flips": JobKind("Find flips", "flips"),
    "energy": JobKind("Count operations", "energy"),
    "early-exit": JobKind("Early exit", "accuracy"),
    "budget": JobKind("Error budget", "budget"),
    "restore": JobKind("Restore sites", "budget"),
    "diagnosis": JobKind("Diagnose", "budget"),
    "final": JobKind("Final evaluation", "final"),
    "experiment": JobKind("Train with noise", "train", "finished epochs are kept"),
    "pace": JobKind("Time a few batches"),
    "tournament": JobKind("Tournament", "tournament", "finished cells are kept"),
    "tournament_pace": JobKind("Time a few images"),
    "attribution": JobKind("Explain one image", "attribution"),
}


def of(kind: str) -> JobKind:
    """What is said of a kind; of one that another version of the app has started, its name."""
    return KINDS.get(kind, JobKind(kind))


def title(job: "sl.runs.Job") -> str:
    """How a job is called, as Markdown that shows whatever its title holds."""
    return label.md(job.title or of(job.kind).title, 60)
