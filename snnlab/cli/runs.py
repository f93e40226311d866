"""``snnlab runs``: what is stored, what it says, what tells runs apart, and making room."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnlab.cli import options as opt
from snnlab.cli.console import print_json
from snnlab.core.errors import SnnlabError, StoreError

if TYPE_CHECKING:
    from snnlab.analysis.reports import Comparison
    from snnlab.runs import Run, RunRow

RunId = Annotated[str, typer.Argument(metavar="RUN", help="Id of a stored run, or its first 6 or more digits.")]
RunIds = Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Two runs or more; the first is A.")]
Exported = Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of stored runs, or their first digits.")]
At = Annotated[int | None, typer.Option("--at", metavar="T", help="Snapshot of the sites; by default near the target.")]
Words = Annotated[list[str] | None, typer.Argument(metavar="[WORD]...", help="Tags; they replace those it has.")]
Text = Annotated[str, typer.Option(help="Only runs with these words in title, kind, split, tags, note or id.")]
Tag = Annotated[str | None, typer.Option(help="Only runs with this tag.")]
Verb = Annotated[str | None, typer.Option(help="Only runs of this kind: analyse, noise, train, final.")]
Note = Annotated[str | None, typer.Option(metavar="TEXT", help="Note; replaces the one it has, '' removes it.")]
NoTags = Annotated[bool, typer.Option("--clear", help="Remove all tags.")]
Out = Annotated[Path | None, typer.Option(metavar="FOLDER", help="New folder for numbers, figures and tables.")]
Html = Annotated[Path | None, typer.Option(metavar="FILE", help="One HTML file that needs nothing else.")]

OlderThan = Annotated[float | None, typer.Option(metavar="DAYS", help="Remove what was not used for so many days.")]
Keep = Annotated[
    int | None, typer.Option(metavar="N", help="Remove all runs but the N used last and those with a tag.")
]
MaxSize = Annotated[float | None, typer.Option(metavar="GB", help="Remove what was used longest ago, down to this.")]
Uploads = Annotated[bool, typer.Option("--uploads", help="Uploads and kept checkpoints too; alone: all of them.")]
Trainings = Annotated[bool, typer.Option("--trainings", help="Kept trainings too; alone: all of them.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")]


def commands(verb: Callable[[Callable[..., None]], Callable[..., None]]) -> typer.Typer:
    """The verbs of ``snnlab runs``, each wrapped as all verbs are."""
    group = typer.Typer(no_args_is_help=True, help="Stored runs.")
    group.command("list")(verb(list_runs))
    group.command("show")(verb(show_run))
    group.command("compare")(verb(compare_runs))
    group.command("export")(verb(export_runs))
    group.command("tag")(verb(tag_run))
    group.command("prune")(verb(prune_runs))
    return group


def list_runs(text: Text = "", tag: Tag = None, verb: Verb = None, json: opt.Json = False) -> None:
    """List the runs of this store, newest first; the ones that come with snnlab last."""
    from snnlab.runs.store import Store

    rows = Store().list(text=text, tag=tag, verb=verb)
    if json:
        print_json([_named(row) for row in rows])
        return
    for row in rows:
        origin = "shipped" if row.shipped else f"{row.size / 1e6:.2f} MB"
        marks = "".join(f"  #{each}" for each in row.tags)
        typer.echo(f"{row.id[:8]}  {row.created[:16]}  {row.verb:10} {row.state:8} {origin:>10}  {row.title}{marks}")


def _named(row: "RunRow") -> dict[str, str]:
    return {
        "run": row.id,
        "recipe_sha": row.recipe_sha,
        "verb": row.verb,
        "created": row.created,
        "state": row.state,
    }


def show_run(run: RunId, json: opt.Json = False) -> None:
    """What a stored run is: recipe, environment, notes, reports."""
    from snnlab.figures.tables import percent_interval
    from snnlab.runs.plain import as_json, described
    from snnlab.runs.store import Store

    store = Store()
    row, stored = store.row(run), store.get(run)
    if json:
        told = {"tags": list(row.tags), "note": row.note, "shipped": row.shipped, "recipe": stored.recipe.to_dict()}
        print_json(as_json({**described(stored), **told, **_accuracy(stored)}))
        return
    typer.echo(f"{stored.title}\nrun {stored.id}  {stored.verb}  {stored.created}")
    typer.echo(f"reports: {', '.join(stored.reports)}")
    if row.tags or row.note:
        typer.echo(f"tags: {' '.join(row.tags) or 'none'}\n{row.note}".rstrip())
    if "accuracy" in stored.reports:
        curve = stored.accuracy
        clean = percent_interval(curve.ann_accuracy, *curve.ann_interval)
        snn = percent_interval(float(curve.snn_accuracy[-1]), *(float(bound[-1]) for bound in curve.snn_interval))
        typer.echo(f"{curve.split}, {curve.images:,} images: ANN {clean}, SNN at t = {curve.num_steps} {snn}")
    for note in stored.notes:
        typer.echo(f"note: {note}")
    made = {name: value for name, value in stored.environment.items() if name != "versions"}
    versions = stored.environment.get("versions", {})
    typer.echo("made with " + ", ".join(f"{name} {value}" for name, value in {**versions, **made}.items()))
    typer.echo(f"\n{stored.recipe.to_yaml()}", nl=False)


def _accuracy(stored: "Run") -> dict[str, Any]:
    """The accuracies of a run with their intervals; nothing for one of a single image."""
    if "accuracy" not in stored.reports:
        return {}
    curve = stored.accuracy
    low, high = curve.snn_interval
    by_step = [
        {"step": t + 1, "accuracy": float(curve.snn_accuracy[t]), "low": float(low[t]), "high": float(high[t])}
        for t in range(curve.num_steps)
    ]
    ann = dict(zip(("accuracy", "low", "high"), (curve.ann_accuracy, *curve.ann_interval), strict=True))
    return {"accuracy": {"split": curve.split, "images": curve.images, "ann": ann, "snn": by_step}}


def compare_runs(runs: RunIds, at: At = None, json: opt.Json = False) -> None:
    """Runs side by side: accuracy at every t, paired where they saw the same images, and site by site."""
    from snnlab.runs.comparing import compare
    from snnlab.runs.contents import nearest, target_of

    opened = _opened(runs)
    found = compare(opened)
    if json:
        print_json(found.plain())
        return
    _echo_accuracy(found)
    if found.why_no_sites:
        typer.echo(f"\n{found.why_no_sites}")
    else:
        _echo_sites(found, nearest(target_of(opened[0]), found.steps) if at is None else at)


def _opened(ids: list[str]) -> "list[Run]":
    from snnlab.runs.store import Store

    store = Store()
    return [store.get(each) for each in ids]


def _echo_accuracy(found: "Comparison") -> None:
    """One line a step worth a line, one column a run."""
    from snnlab.figures.tables import number, percent, points
    from snnlab.runs.defaults import default_snapshots

    for letter, run in zip(_letters(found), found.runs, strict=True):
        why = f"  (no difference to A: {run['why']})" if run["why"] else ""
        typer.echo(f"{letter}  {run['run'][:8]}  {run['name']}  {run['split']}, {run['images']:,} images{why}")
    frame = found.to_frame()
    widths = [len(letter) + 42 for letter in _letters(found)]
    heads = [f"{letter}{' minus A, points' * bool(place)}" for place, letter in enumerate(_letters(found))]
    typer.echo("\n  t   " + "".join(f"{head:<{width}}" for head, width in zip(heads, widths, strict=True)).rstrip())
    for step in (0, *default_snapshots(max(run["num_steps"] for run in found.runs))):
        cells = []
        for run, width in zip(found.runs, widths, strict=True):
            row = frame[(frame["run"] == run["run"]) & (frame["step"] == step)]
            text = percent(float(row["accuracy"].iloc[0])) if len(row) else "–"
            if len(row) and row["difference"].notna().iloc[0]:
                difference, low, high = (
                    float(row[name].iloc[0]) for name in ("difference", "difference_low", "difference_high")
                )
                ends = f"[{number(100 * low, sign=True)}, {number(100 * high, sign=True)}]"
                text += f"  {points(difference)} {ends}"
            cells.append(f"{text:<{width}}")
        typer.echo(f"{step or 'ANN':>4}  {''.join(cells)}".rstrip())


def _echo_sites(found: "Comparison", step: int) -> None:
    """Threshold, rate and residual of every common site at a common snapshot, one column a run."""
    from snnlab.figures.tables import number

    frame = found.site_frame(step)
    typer.echo(f"\nt = {step}: threshold, spikes per step, mean |v| / threshold ({' | '.join(_letters(found))})")
    for site in dict.fromkeys(frame["site"]):
        rows = frame[frame["site"] == site]
        parts = [
            " | ".join(f"{number(float(value), 3):>7}" for value in rows[name])
            for name in ("threshold", "firing_rate", "mean_abs")
        ]
        typer.echo(f"{site:<24}  {'    '.join(parts)}")
    for letter, run in zip(_letters(found), found.runs, strict=True):
        if found.unshared[run["run"]]:
            typer.echo(f"{letter} alone has: {', '.join(found.unshared[run['run']])}")


def _letters(found: "Comparison") -> list[str]:
    return [chr(ord("A") + place) if place < 26 else str(place + 1) for place in range(len(found.runs))]


def export_runs(runs: Exported, out: Out = None, html: Html = None, json: opt.Json = False) -> None:
    """Write a run as a folder (numbers, figures, tables, recipe, a script that redraws) or as one HTML file.

    Of several runs the HTML file holds one below the other, and the folder has a folder for each.
    """
    from snnlab.core.files import write_atomically
    from snnlab.runs.export import export_run
    from snnlab.runs.offline import offline_report, offline_reports
    from snnlab.runs.store import Store

    if out is None and html is None:
        raise StoreError("Say where to: --out FOLDER for everything in files, or --html FILE for one page.")
    rows, stored = [Store().row(run) for run in runs], _opened(runs)
    written: dict[str, str] = {}
    if html is not None:
        if len(stored) == 1:
            page = offline_report(stored[0], tags=rows[0].tags, note=rows[0].note)
        else:
            page = offline_reports(stored, marks=[(row.tags, row.note) for row in rows])
        try:
            write_atomically(html, page.encode())
        except OSError as error:
            raise SnnlabError(f"{html} cannot be written: {error.strerror or error}.") from None
        written["html"] = str(html)
    if out is not None:
        for run in stored:
            export_run(run, out if len(stored) == 1 else out / run.id[:8])
        written["folder"] = str(out)
    if json:
        named = {"run": stored[0].id} if len(stored) == 1 else {"runs": [run.id for run in stored]}
        print_json({**named, **written})
        return
    for path in written.values():
        typer.echo(path)


def tag_run(run: RunId, words: Words = None, note: Note = None, clear: NoTags = False, json: opt.Json = False) -> None:
    """Give a run tags and a note, by which `runs list` and the app find it."""
    from snnlab.runs.store import Store

    if clear and words:
        raise StoreError("Give tags, or --clear, not both.")
    store = Store()
    found = store.row(run)
    if words or clear or note is not None:
        store.mark(found.id, tags=words or ([] if clear else None), note=note)
        found = store.row(found.id)
    if json:
        print_json({"run": found.id, "tags": list(found.tags), "note": found.note})
        return
    typer.echo(f"{found.id[:8]}  {' '.join(found.tags) or 'no tags'}" + (f"\n{found.note}" if found.note else ""))


def prune_runs(
    older_than: OlderThan = None,
    keep: Keep = None,
    max_size: MaxSize = None,
    uploads: Uploads = False,
    trainings: Trainings = False,
    dry_run: DryRun = False,
    json: opt.Json = False,
) -> None:
    """Remove stored runs, the ones used longest ago first. Shipped runs and counted looks stay.

    Runs with a tag stay too and do not count, with the uploads and trainings that they were made from; pinning a
    run as baseline in the app gives it the tag "baseline".

    --older-than and --max-size hold for runs, with --uploads for uploads and kept checkpoints, and with --trainings for
    the trainings of experiments, each for itself. What a job or a training uses now stays.
    """
    from snnlab.runs import storage
    from snnlab.runs.store import Store
    from snnlab.sweeps.places import tagged_trainings

    limits = (("--older-than", older_than), ("--keep", keep), ("--max-size", max_size))
    if not (uploads or trainings) and all(value is None for _, value in limits):
        raise StoreError("Say what to remove: --older-than DAYS, --keep N, --max-size GB, --uploads or --trainings.")
    for name, value in limits:
        if value is not None and not 0 <= value < 1e9:
            raise StoreError(f"{name} {value:g}: give 0 or more.")
    store = Store()
    most = None if max_size is None else int(max_size * 1e9)
    rows = store.prune(older_than=older_than, keep=keep, max_bytes=most, dry_run=dry_run)
    items = storage.stale(older_than=older_than, max_bytes=most, store=store) if uploads else ()
    spare = tagged_trainings(store) if trainings else frozenset()
    cells = (
        storage.stale(older_than=older_than, max_bytes=most, trainings=True, spare=spare, store=store)
        if trainings
        else ()
    )
    if (items or cells) and not dry_run:
        storage.remove((*items, *cells), store)
    if json:
        print_json(
            {
                "runs": [row.id for row in rows],
                "run_bytes": sum(row.size for row in rows),
                "uploads": [item.name for item in items],
                "upload_bytes": sum(item.size for item in items),
                "trainings": [item.name for item in cells],
                "training_bytes": sum(item.size for item in cells),
                "dry_run": dry_run,
            }
        )
        return
    what = "would be removed" if dry_run else "removed"
    typer.echo(f"{len(rows)} runs {what}, {sum(row.size for row in rows) / 1e6:.2f} MB")
    if uploads:
        size = sum(item.size for item in items)
        typer.echo(f"{len(items)} uploads and kept checkpoints {what}, {size / 1e6:.2f} MB")
    if trainings:
        size = sum(item.size for item in cells)
        typer.echo(f"{len(cells)} kept trainings {what}, {size / 1e6:.2f} MB")
