"""Make ``store_v2.db``, a run store of schema version 2, with the code that wrote that version.

Run it in a checkout of commit 16aedf6, the last of that version: ``python make_store_v2.py store_v2.db``.
"""

import dataclasses
import sqlite3
import sys
from pathlib import Path

from snnlab.runs import Job, Store, analyse, default_recipe
from snnlab.runs.processes import Owner


def main(path: str) -> None:
    """Three runs of two checkpoints in two workspaces, two looks at a test set, and a finished job."""
    store = Store(path, overlay=Path("nowhere"))
    for number, (source, activation) in enumerate((("digits-vgg-qcfs-L8", "qcfs"), ("digits-vgg-relu", "relu"))):
        recipe = default_recipe(source, activation=activation, num_steps=2, limit=10 + number)
        run = analyse(recipe.changed(snapshots=[], traces=0))
        run = dataclasses.replace(run, id=f"{number + 1:032x}", created=f"2026-01-0{number + 1}T00:00:00+00:00")
        store.save(run, workspace=("local", "a" * 32)[number])
    store.save(dataclasses.replace(store.get(f"{1:032x}"), id=f"{3:032x}", created="2026-01-03T00:00:00+00:00"))
    for _ in range(2):
        store.look(dataset="digits", lineage="a", recipe_sha="c")
    store.jobs.add(Job("f" * 32, "analyse", {}, "a" * 32, "title"), pool="p", owner=Owner("elsewhere", 1, ""))
    store.jobs.stop("f" * 32, "cancelled")
    store.close()
    with sqlite3.connect(path) as connection:  # one file, of small pages: it is kept in the repository
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA page_size = 512")
        connection.execute("VACUUM")


if __name__ == "__main__":
    main(sys.argv[1])
