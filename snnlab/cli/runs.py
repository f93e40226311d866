"""``snnlab runs``: what is stored, and making room."""

from collections.abc import Callable
from typing import Annotated

import typer

from snnlab.cli import options as opt
from snnlab.cli.console import print_json
from snnlab.core.errors import StoreError

OlderThan = Annotated[float | None, typer.Option(metavar="DAYS", help="Remove what was not used for so many days.")]
Keep = Annotated[int | None, typer.Option(metavar="N", help="Remove all runs but the N used last.")]
MaxSize = Annotated[float | None, typer.Option(metavar="GB", help="Remove what was used longest ago, down to this.")]
Uploads = Annotated[bool, typer.Option("--uploads", help="Uploads and kept checkpoints too; alone: all of them.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")]


def commands(verb: Callable[[Callable[..., None]], Callable[..., None]]) -> typer.Typer:
    """The verbs of ``snnlab runs``, each wrapped as all verbs are."""
    group = typer.Typer(no_args_is_help=True, help="Stored runs.")
    group.command("list")(verb(list_runs))
    group.command("prune")(verb(prune_runs))
    return group


def list_runs(json: opt.Json = False) -> None:
    """List the runs of this store, newest first; the ones that come with snnlab last."""
    from snnlab.runs.store import Store

    rows = Store().list()
    if json:
        print_json(
            [
                {
                    "run": row.id,
                    "recipe_sha": row.recipe_sha,
                    "verb": row.verb,
                    "created": row.created,
                    "state": row.state,
                }
                for row in rows
            ]
        )
        return
    for row in rows:
        origin = "shipped" if row.shipped else f"{row.size / 1e6:.2f} MB"
        typer.echo(f"{row.id[:8]}  {row.created[:16]}  {row.verb:10} {row.state:8} {origin:>10}  {row.title}")


def prune_runs(
    older_than: OlderThan = None,
    keep: Keep = None,
    max_size: MaxSize = None,
    uploads: Uploads = False,
    dry_run: DryRun = False,
    json: opt.Json = False,
) -> None:
    """Remove stored runs, the ones used longest ago first. Shipped runs and counted looks stay.

    --older-than and --max-size hold for runs and, with --uploads, for uploads and kept checkpoints, each for itself.
    """
    from snnlab.runs import storage
    from snnlab.runs.store import Store

    limits = (("--older-than", older_than), ("--keep", keep), ("--max-size", max_size))
    if not uploads and all(value is None for _, value in limits):
        raise StoreError("Say what to remove: --older-than DAYS, --keep N, --max-size GB or --uploads.")
    for name, value in limits:
        if value is not None and not 0 <= value < 1e9:
            raise StoreError(f"{name} {value:g}: give 0 or more.")
    store = Store()
    most = None if max_size is None else int(max_size * 1e9)
    rows = store.prune(older_than=older_than, keep=keep, max_bytes=most, dry_run=dry_run)
    items = storage.stale(older_than=older_than, max_bytes=most, store=store) if uploads else ()
    if items and not dry_run:
        storage.remove(items, store)
    if json:
        print_json(
            {
                "runs": [row.id for row in rows],
                "run_bytes": sum(row.size for row in rows),
                "uploads": [item.name for item in items],
                "upload_bytes": sum(item.size for item in items),
                "dry_run": dry_run,
            }
        )
        return
    what = "would be removed" if dry_run else "removed"
    typer.echo(f"{len(rows)} runs {what}, {sum(row.size for row in rows) / 1e6:.2f} MB")
    if uploads:
        size = sum(item.size for item in items)
        typer.echo(f"{len(items)} uploads and kept checkpoints {what}, {size / 1e6:.2f} MB")
