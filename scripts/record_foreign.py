"""Record what snnlab measures on checkpoints trained by others, cell by cell, into results/foreign/.

    python scripts/record_foreign.py DATA [CELL ...]

DATA holds the datasets' folders and ``checkpoints/``. A cell whose file exists is not run again, so the script can be
stopped at any time. Every file holds the recipe, the environment, and intervals; test images select nothing.
"""

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np

from snnlab.analysis import predict, wilson_interval
from snnlab.core.files import write_atomically
from snnlab.core.recipe import Recipe
from snnlab.runs.execute import analyse_prepared, resolve

RESNET20 = "akamaster_relu_cifar10/resnet20-12fca82f.th"
RESNET56 = "akamaster_relu_cifar10/resnet56-4bfd9763.th"
DISTILLER = "distiller_relu_cifar10/distiller_resnet20_dense.pth.tar"
SINABS = "sinabs_mnist/mnist_params.pt"
SINABS_LAYERS = [
    "conv 20x5x5 no bias", "relu", "avgpool 2", "conv 32x5x5 no bias", "relu", "avgpool 2", "conv 128x3x3 no bias",
    "relu", "avgpool 2", "flatten", "linear 500 no bias", "relu", "linear 10 no bias",
]  # fmt: skip
HALF: dict[str, Any] = {"initial_fraction": 0.5}


def cell(
    file: str,
    method: str,
    num_steps: int,
    *,
    limit: int | None,
    normalize: str,
    split: str = "dev",
    dataset: str = "cifar10",
    snapshots: tuple[int, ...] = (),
    **parameters: Any,
) -> dict[str, Any]:
    """One recipe, as plain values without the data's place."""
    architecture = SINABS_LAYERS if file == SINABS else None
    return {
        "checkpoint": {"source": file, "architecture": architecture},
        "data": {"dataset": dataset, "split": split, "limit": limit, "normalize": normalize},
        "converter": {"method": method, "parameters": parameters},
        "num_steps": num_steps,
        "snapshots": snapshots,
    }


def relu(file: str, num_steps: int, limit: int, method: str = "percentile_norm", **parameters: Any) -> dict[str, Any]:
    """A cell of one of the ReLU CIFAR-10 networks."""
    return cell(
        file, method, num_steps, limit=limit, normalize="half" if file == DISTILLER else "imagenet", **parameters
    )


CELLS: dict[str, dict[str, Any]] = {
    "resnet20-test-T32": cell(
        RESNET20, "percentile_norm", 32, limit=None, normalize="imagenet", split="test",
        snapshots=(1, 2, 4, 8, 16, 32), **HALF,
    ),
    "resnet20-percentile-half": relu(RESNET20, 128, 1000, **HALF),
    "resnet20-percentile-zero": relu(RESNET20, 128, 1000),
    "resnet20-max-half": relu(RESNET20, 128, 1000, "max_norm", **HALF),
    "resnet20-percentile-channel-half": relu(RESNET20, 128, 1000, per_channel=True, **HALF),
    "resnet20-percentile-half-T512": relu(RESNET20, 512, 200, **HALF),
    "distiller20-percentile-half": relu(DISTILLER, 128, 500, **HALF),
    "resnet56-percentile-half": relu(RESNET56, 256, 200, **HALF),
    "sinabs-mnist-percentile-half": cell(
        SINABS, "percentile_norm", 128, limit=2000, normalize="unit", dataset="mnist", **HALF
    ),
}  # fmt: skip
ANNS = {
    "ann-resnet20": (RESNET20, "cifar10", "imagenet"),
    "ann-resnet56": (RESNET56, "cifar10", "imagenet"),
    "ann-distiller20": (DISTILLER, "cifar10", "half"),
    "ann-sinabs-mnist": (SINABS, "mnist", "unit"),
}


def located(values: dict[str, Any], data: Path) -> Recipe:
    """The recipe with its files found."""
    source = str(data / "checkpoints" / values["checkpoint"]["source"])
    return Recipe.parse(
        {
            **values,
            "checkpoint": {**values["checkpoint"], "source": source},
            "data": {**values["data"], "folder": str(data)},
        }
    )


def portable(recipe: Recipe) -> dict[str, Any]:
    """The recipe without this machine's folders."""
    values = recipe.to_dict()
    values["checkpoint"]["source"] = Path(values["checkpoint"]["source"]).name
    values["data"].pop("folder")
    return values


def record_ann(name: str, data: Path) -> dict[str, Any]:
    """Accuracy of the ANN alone on the official test file."""
    file, dataset, normalize = ANNS[name]
    values = cell(file, "max_norm", 1, limit=None, normalize=normalize, split="test", dataset=dataset)
    prepared = resolve(located(values, data), check_normalization=False)
    images = prepared.split("test")
    correct = int((predict(prepared.checkpoint.build(), images) == images.labels).sum())
    low, high = wilson_interval(correct, len(images))
    return {
        "checkpoint": portable(prepared.recipe)["checkpoint"],
        "normalize": normalize,
        "split": "test",
        "images": len(images),
        "ann_accuracy": correct / len(images),
        "ann_interval": [float(low), float(high)],
    }


def record_cell(name: str, data: Path) -> dict[str, Any]:
    """ANN and SNN curve, and with snapshots the residual classes."""
    started = time.perf_counter()
    run = analyse_prepared(resolve(located(CELLS[name], data), check_normalization=False), started=started)
    curve = run.accuracy
    told: dict[str, Any] = {
        "recipe": portable(run.recipe),
        "recipe_sha": run.recipe_sha,
        "split": curve.split,
        "images": curve.images,
        "ann_accuracy": curve.ann_accuracy,
        "ann_interval": list(curve.ann_interval),
        "snn_accuracy": np.round(curve.snn_accuracy, 5).tolist(),
        "snn_interval": [np.round(side, 5).tolist() for side in curve.snn_interval],
        "first_step_within_1_point": curve.first_step_within(1.0),
        "environment": run.environment,
        "peak_resident_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    if run.residuals is not None:
        columns = ["site", "step", "mean", "std", "silent", "exact", "excess", "missing", "saturated", "right"]
        told["residuals"] = run.residuals.to_frame()[columns].round(5).to_dict("records")
        told["largest_identity_error"] = float(run.residuals.identity_error.max())
    return told


def main() -> None:
    """Record the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("cells", nargs="*", help="default: all")
    options = parser.parse_args()
    folder = Path("results/foreign")
    folder.mkdir(parents=True, exist_ok=True)
    for name in options.cells or [*ANNS, *CELLS]:
        path = folder / f"{name}.json"
        if path.exists():
            continue
        told = record_ann(name, options.data) if name in ANNS else record_cell(name, options.data)
        write_atomically(path, (json.dumps(told, indent=1) + "\n").encode())
        last = told.get("snn_accuracy", [None])[-1]
        print(f"{name}: ANN {told['ann_accuracy']:.4f}, SNN at T {last}", flush=True)


if __name__ == "__main__":
    main()
