"""What the terminal sees: one JSON value or text on stdout, progress and warnings on stderr, one line per error."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from snnlab.core.errors import Cancelled, SnnlabError
from snnlab.core.memory import SENTENCE, is_short_of_memory
from snnlab.core.progress import ProgressCallback, silent

errors = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON value on stdout, without NaN or Infinity."""
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")


def warn(sentence: str) -> None:
    """A remark on stderr."""
    errors.print(f"note: {sentence}", markup=False)


@contextmanager
def progress_bar() -> Iterator[ProgressCallback]:
    """A progress callback drawn on stderr; silent when stderr is not a terminal."""
    if not errors.is_terminal:
        yield silent
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def show(done: int, total: int, what: str) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield show


@contextmanager
def one_line_errors(debug: bool) -> Iterator[None]:
    """Turn every foreseen error into one line on stderr and exit status 1; ``debug`` shows the traceback.

    A message that holds a table keeps its lines.
    """
    try:
        yield
    except (KeyboardInterrupt, Cancelled):
        errors.print("cancelled; nothing was stored", markup=False)
        raise typer.Exit(130) from None
    except (SnnlabError, OSError) as error:
        if debug:
            raise
        text = str(error) if isinstance(error, SnnlabError) else f"{type(error).__name__}: {error}"
        errors.print(f"error: {text}", markup=False)
        raise typer.Exit(1) from None
    except typer.Exit:
        raise
    except Exception as error:
        if debug:
            raise
        if is_short_of_memory(error):
            errors.print(f"error: {SENTENCE}", markup=False)
            raise typer.Exit(1) from None
        # A defect of ours; the traceback is for its report.
        reason = (str(error).splitlines() or ["no message"])[0][:200]
        errors.print(
            f"error: snnlab failed in an unexpected way ({type(error).__name__}: {reason}); "
            "please report it with what `snnlab --debug ...` prints.",
            markup=False,
        )
        raise typer.Exit(1) from None
