"""Record the tournament on the ReLU CIFAR-10 networks, cell by cell, into results/tournament/.

    python scripts/record_tournament.py DATA [--store FILE] [--only-kept] [NAME ...]

DATA holds the datasets' folders and ``checkpoints/``. Cells go into the store as they are finished, so the script can
be stopped at any time, and no cell is run twice. Cells that were not run are printed as such. Every result holds the
recipe, the table and the paired differences; one on test images counts as a look at them.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from snnlab.analysis.reports import Tournament
from snnlab.cli.tournament import told, tournament_as_json
from snnlab.core.errors import SnnlabError
from snnlab.core.files import write_atomically
from snnlab.core.recipe import Recipe
from snnlab.runs import Store
from snnlab.sweeps.tournament import Cells, tournament_run

RESNET20 = "akamaster_relu_cifar10/resnet20-12fca82f.th"
RESNET56 = "akamaster_relu_cifar10/resnet56-4bfd9763.th"
PLAIN = ["max_norm", "percentile_norm", "opi", "opt_shift", "snm"]
CALIBRATED = ["calibration_light", "calibration_potential", "ltb", "ttrbr"]
WEIGHTS = [{"method": "calibration_weights", "parameters": {"iterations": 300}}]  # 5,000 in the paper
SUBSET, DRAWN = "dev", 256
"""The fixed 2,000 test images of networks trained by others, and the images of each draw."""


def contest(file: str, methods: list[Any], steps: list[int], seeds: int, split: str = SUBSET) -> dict[str, Any]:
    """One tournament, as plain values without the data's place."""
    return {
        "checkpoint": {"source": file},
        "data": {"dataset": "cifar10", "split": split, "normalize": "imagenet"},
        "tournament": {"methods": methods, "steps": steps, "seeds": seeds, "calibration_images": DRAWN},
    }


CONTESTS = {
    "resnet20-test": contest(RESNET20, [*PLAIN, *CALIBRATED], [4, 8, 16, 32], 1, "test"),
    "resnet20-seeds": contest(RESNET20, [*PLAIN, *CALIBRATED], [4, 8, 16, 32, 64, 128], 3),
    "resnet20-weights": contest(RESNET20, WEIGHTS, [8, 32], 1),
    "resnet20-rmp": contest(RESNET20, [{"method": "rmp", "parameters": {"images": 128}}], [32, 64, 128], 1),
    "resnet56-seeds": contest(RESNET56, [*PLAIN, *CALIBRATED], [8, 16, 32, 64, 128], 3),
}


def recipe_of(name: str, data: Path) -> Recipe:
    """The recipe of one tournament on this machine's data.

    Raises:
        RecipeError: It is not valid.
    """
    values = json.loads(json.dumps(CONTESTS[name]))
    values["checkpoint"]["source"] = str(data / "checkpoints" / values["checkpoint"]["source"])
    values["data"]["folder"] = str(data)
    return Recipe.parse(values)


def record(name: str, data: Path, store: Store, out: Path, *, only_kept: bool) -> None:
    """Run what is missing of one tournament, print its table, and write its result."""
    run = tournament_run(
        recipe_of(name, data),
        cells=Cells(store),
        only_kept=only_kept,
        watch=lambda cell, done: print(f"  {cell.told}: {'refused' if done is None else 'done'}", flush=True),
    )
    looks = 0 if only_kept else store.record(run)
    report = run.reports["tournament"]
    assert isinstance(report, Tournament), "stored under its own name"
    print("\n".join([f"{name}:", *told(report), ""]), flush=True)
    recipe = run.recipe.identity()
    result = {
        "name": name,
        "test_looks": looks,
        "recipe": recipe,
        "environment": run.environment,
        **tournament_as_json(report),
    }
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / f"{name}.json", (json.dumps(result, indent=1, allow_nan=False) + "\n").encode())


def main(arguments: list[str]) -> None:
    """Command line of the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the datasets and checkpoints")
    parser.add_argument("names", nargs="*", help=f"which of {', '.join(CONTESTS)}; default: all")
    parser.add_argument("--store", type=Path, help="run store that keeps the cells; default: the user's")
    parser.add_argument("--out", type=Path, default=Path("results/tournament"), help="folder of the results")
    parser.add_argument("--only-kept", action="store_true", help="run nothing: print what is finished")
    options = parser.parse_intermixed_args(arguments)
    if unknown := [name for name in options.names if name not in CONTESTS]:
        parser.error(f"there is no tournament {unknown[0]!r}; choose among {', '.join(CONTESTS)}")
    store = Store(options.store)
    for name in options.names or CONTESTS:
        try:
            record(name, options.data, store, options.out, only_kept=options.only_kept)
        except SnnlabError as error:
            print(f"{name}: not run. {error}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
