"""Does a store of a thousand runs stay quick? Lists, searches and opens them, in milliseconds.

    python benchmarks/store.py [--runs 1000] [--limit-ms 300]

Fills a store of its own with runs of the size that a CIFAR network leaves (19 sites, 2,000 images, 10 snapshots) and
some that are tagged. Prints the median and the slowest of five calls, each from a store opened anew as another process
would, and exits with 1 when a median lies over the limit.
"""

import argparse
import dataclasses
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from snnlab.analysis.reports import AccuracyCurve, ResidualReport
from snnlab.runs import Run, Store

REPEATS = 5
IMAGES = 2000
MODEL = "digits-resnet-qcfs-L4"  # 19 sites, as a CIFAR ResNet-20 has


def realistic(store: Store) -> Run:
    """The bundled residual network's run with as many answers and counts as one on CIFAR has."""
    (run,) = [run for run in store.shipped() if (run.card["name"], run.verb) == (MODEL, "analyse")]
    curve, residuals = run.accuracy, run.residuals
    assert residuals is not None, "shipped with snapshots"
    image = np.arange(IMAGES) % curve.images
    factor = IMAGES // curve.images
    reports = {
        **run.reports,
        "accuracy": AccuracyCurve(
            name=curve.name,
            labels=curve.labels[image],
            ann_predictions=curve.ann_predictions[image],
            snn_predictions=curve.snn_predictions[:, image],
            split=curve.split,
            num_classes=curve.num_classes,
        ),
        "residuals": ResidualReport(**{**vars(residuals), "histogram": factor * residuals.histogram, "images": IMAGES}),
    }
    return dataclasses.replace(run, reports=reports)


def fill(store: Store, count: int) -> float:
    """Store so many runs; MB."""
    model = realistic(store)
    for number in range(count):
        created = f"2026-{1 + number % 12:02d}-{1 + number % 28:02d}T{number % 24:02d}:00:00+00:00"
        card = {**model.card, "name": f"cifar10-resnet20-seed{number % 10}"}
        run = dataclasses.replace(model, id=f"{number:032x}"[::-1], created=created, card=card)
        store.save(run)
        if number % 20 == 0:
            store.mark(run.id, tags=["paper", f"batch{number % 7}"], note=f"Run {number}, with a note")
    return store.usage()[1] / 1e6


def milliseconds(path: Path, question: Callable[[Store], object]) -> tuple[float, float]:
    """Median and slowest time of a question to a store opened anew."""
    took = []
    for _ in range(REPEATS):
        store = Store(path)
        start = time.perf_counter()
        question(store)
        took.append(1000 * (time.perf_counter() - start))
        store.close()
    return statistics.median(took), max(took)


def main() -> int:
    """Fill, ask, print; 1 when something is slower than the limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--limit-ms", type=float, default=300)
    options = parser.parse_args()

    questions: dict[str, Callable[[Store], object]] = {
        "list all": lambda store: store.list(),
        "list the first 50": lambda store: store.list(limit=50),
        "search two words": lambda store: store.list(text="seed3 qcfs"),
        "search a note": lambda store: store.list(text="with a note"),
        "search nothing": lambda store: store.list(text="no such words"),
        "one tag": lambda store: store.list(tag="paper"),
        "one kind": lambda store: store.list(verb="noise"),
        "open": lambda store: store.get(f"{7:032x}"[::-1]),
        "mark": lambda store: store.mark(f"{7:032x}"[::-1], tags=["paper"], note="marked"),
    }
    slow = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.sqlite"
        start = time.perf_counter()
        size = fill(Store(path), options.runs)
        print(f"{options.runs} runs, {size:.0f} MB, stored in {time.perf_counter() - start:.1f} s")
        print(f"{'':<20}{'median':>10}{'slowest':>10}   ms")
        for name, question in questions.items():
            median, slowest = milliseconds(path, question)
            print(f"{name:<20}{median:>10.1f}{slowest:>10.1f}")
            if median > options.limit_ms:
                slow.append(name)
    if slow:
        print(f"Slower than {options.limit_ms:g} ms: {', '.join(slow)}.")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
