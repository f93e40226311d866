"""Everything a paper needs of one figure, in one archive."""

import io
import re
import zipfile

from snnlab.figures import tables
from snnlab.figures.figure import FORMATS, Figure

_NEVER = (1980, 1, 1, 0, 0, 0)  # a zip stores dates; a fixed one keeps equal contents equal in bytes


def bundle(
    figure: Figure,
    recipe_yaml: str,
    *,
    preset: str = "single",
    name: str = "",
    recipe_sha: str = "",
    run_id: str = "",
    heading: bool = True,
) -> bytes:
    """A zip with the figure as PDF, SVG and PNG, its numbers as CSV, its caption, and the recipe.

    Args:
        figure: What to export.
        recipe_yaml: Recipe behind the numbers, stored as ``recipe.yaml``.
        preset: Journal width.
        name: Stem of the file names; the figure's own name by default.
        recipe_sha: Hash of the recipe, written into the files' metadata.
        run_id: Run that holds the numbers, written into the files' metadata.
        heading: Draw title, subtitle and foot into the figure.

    Raises:
        SnnlabError: Unknown preset.
    """
    figure = figure.stamped(recipe_sha=recipe_sha or figure.recipe_sha, run_id=run_id or figure.run_id)
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name or figure.name).strip("-.") or "figure"
    files = {f"{stem}.{kind}": figure.render(kind, preset, heading=heading) for kind in FORMATS}
    files[f"{stem}.csv"] = tables.to_csv(figure.data).encode()
    files[f"{stem}.txt"] = f"{figure.caption}\n\n{figure.alt}\n".encode()
    files["recipe.yaml"] = recipe_yaml.encode()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as part:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path, _NEVER)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            part.writestr(entry, data)
    return archive.getvalue()
