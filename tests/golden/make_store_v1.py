"""Make ``store_v1.db``, a run store of schema version 1, with the code that wrote that version.

Run it in a checkout of commit ad29e3c, the last of that version: ``python make_store_v1.py store_v1.db``.
"""

import dataclasses
import sqlite3
import sys

from snnlab.runs import Store, analyse, default_recipe


def main(path: str) -> None:
    """Three runs of two checkpoints, and three looks at two test sets."""
    store = Store(path, overlay=None)
    for number, (source, activation) in enumerate((("digits-vgg-qcfs-L8", "qcfs"), ("digits-vgg-relu", "relu"))):
        recipe = default_recipe(source, activation=activation, num_steps=2, limit=10 + number)
        run = analyse(recipe.changed(snapshots=[], traces=0))
        store.save(dataclasses.replace(run, id=f"{number + 1:032x}", created=f"2026-01-0{number + 1}T00:00:00+00:00"))
    again = dataclasses.replace(store.get(f"{1:032x}"), id=f"{3:032x}", created="2026-01-03T00:00:00+00:00")
    store.save(again)
    for dataset, lineage in (("digits", "a"), ("digits", "a"), ("cifar10", "b")):
        store.look(dataset=dataset, lineage=lineage, recipe_sha="c")
    with sqlite3.connect(path) as connection:  # small pages: the file is kept in the repository
        connection.execute("PRAGMA page_size = 512")
        connection.execute("VACUUM")


if __name__ == "__main__":
    main(sys.argv[1])
