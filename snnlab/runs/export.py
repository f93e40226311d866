"""A run as one folder: its numbers, figures, tables, recipe and environment, and a script that draws it again."""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from snnlab.core.errors import StoreError
from snnlab.figures import tables
from snnlab.figures.figure import FORMATS
from snnlab.runs.contents import figures_of, tables_of
from snnlab.runs.plain import as_json, command_of, described
from snnlab.runs.run import Run

NUMBERS = "numbers.run"
PRESET = "double"

REDRAW = f'''"""Draw the figures of this folder again, from {NUMBERS} beside this script and nothing else.

    python redraw.py [--preset PRESET] [--out FOLDER]

Needs the Python package that snnlab installs as; no checkpoint, no data, no network.
"""

import argparse
from pathlib import Path

import snnlab as sl

here = Path(__file__).resolve().parent
options = argparse.ArgumentParser()
options.add_argument("--preset", default="{PRESET}", help="journal width: " + ", ".join(sl.figures.style.PRESETS))
options.add_argument("--out", type=Path, default=here / "figures", help="folder to write to")
given = options.parse_args()

given.out.mkdir(parents=True, exist_ok=True)
for figure in sl.runs.figures_of(sl.runs.Run.from_bytes((here / "{NUMBERS}").read_bytes())):
    for kind in {FORMATS!r}:
        print(figure.save(given.out / f"{{figure.name}}.{{kind}}", given.preset))
'''

README = """One run of snnlab: {title} ({verb}, {created})

  recipe.yaml        {choices}
  environment.json   versions, device, checkpoint, notes
  reports/           the numbers, tidy (CSV) and with what belongs to them (JSON)
  tables/            LaTeX (needs booktabs)
  figures/           PDF, SVG, PNG, the plotted numbers (CSV), caption and description (TXT)
  numbers.run        all of it without loss, as redraw.py reads it
  redraw.py          draws the figures again

Run {id}, recipe {sha}.
"""


def export_run(run: Run, folder: str | Path) -> Path:
    """Write everything a run holds into a new folder: all of it, or nothing.

    Args:
        run: What to export.
        folder: Made here; may be there when it is empty.

    Returns:
        The folder.

    Raises:
        StoreError: There is something in the folder, or it cannot be written.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{folder} is not empty; name a new folder, nothing is overwritten.")
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=folder.absolute().parent, prefix=f".{folder.name}."))
    except OSError as error:
        raise StoreError(f"{folder} cannot be made: {error.strerror or error}.") from None
    try:
        for name, data in files_of(run).items():
            path = part / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
        umask = os.umask(0)  # mkdtemp makes private folders; give the mode any new folder would have
        os.umask(umask)
        part.chmod(0o777 & ~umask)
        part.replace(folder)
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror or error}.") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def files_of(run: Run) -> dict[str, bytes]:
    """The files of the exported folder, path in it -> content.

    Equal runs give equal bytes, but for ids inside of SVG files.
    """
    text = {
        "README.txt": README.format(
            title=run.title, verb=run.verb, choices=_choices(run), created=run.created, id=run.id, sha=run.recipe_sha
        ),
        "recipe.yaml": run.recipe.to_yaml(),
        "environment.json": _json(described(run)),
        "redraw.py": REDRAW,
    }
    for name, report in run.reports.items():
        frame = report.to_frame()
        values, _ = report.payload()
        rows = json.loads(frame.to_json(orient="records", double_precision=15))
        text[f"reports/{name}.csv"] = tables.to_csv(frame)
        text[f"reports/{name}.json"] = _json({"run": run.id, "recipe_sha": run.recipe_sha, **values, "rows": rows})
    for table in tables_of(run):
        text[f"tables/{table.name}.tex"] = table.to_latex()
    files = {name: content.encode() for name, content in text.items()}
    for figure in figures_of(run):
        stem = f"figures/{figure.name}"
        files |= {f"{stem}.{kind}": figure.render(kind, PRESET) for kind in FORMATS}
        files[f"{stem}.csv"] = tables.to_csv(figure.data).encode()
        files[f"{stem}.txt"] = f"{figure.caption}\n\n{figure.alt}\n".encode()
    return {**files, NUMBERS: run.to_bytes()}


def _json(value: Any) -> str:
    return json.dumps(as_json(value), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _choices(run: Run) -> str:
    """What the recipe in the folder is good for."""
    if run.verb == "final":
        return "every choice behind the first arm; the numbers of all arms are in reports/"
    return f"every choice behind the numbers; snnlab {command_of(run)} --recipe recipe.yaml"
