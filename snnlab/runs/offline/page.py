"""The HTML of the offline report. Every text is data and is escaped; the page may load nothing and run one script."""

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from snnlab.core.errors import RecipeError
from snnlab.core.registry import card as method_card
from snnlab.figures import Figure
from snnlab.figures.style import plain
from snnlab.figures.tables import percent, percent_interval
from snnlab.runs.contents import Table, figures_of, nearest, tables_of, target_of
from snnlab.runs.offline.drawn import colours, inline_svg
from snnlab.runs.offline.packed import packed
from snnlab.runs.plain import line_of
from snnlab.runs.run import Run
from snnlab.runs.snippets import as_python

_HERE = Path(__file__).parent


def offline_report(run: Run, *, tags: Sequence[str] = (), note: str = "") -> str:
    """One HTML file with everything a run says, to be sent to somebody who has nothing but a browser.

    Light or dark as the reader's system is; on paper light. Residuals follow a time slider; without scripts the tables
    and the other charts remain.

    Args:
        run: What to show.
        tags: What its user calls it.
        note: What its user wrote about it.
    """
    data = ""
    if run.residuals is not None:
        step = nearest(target_of(run), run.residuals.steps)
        data = f'<script type="application/json" id="residuals">{packed(run.residuals, run.accuracy, step)}</script>'
    sections = _sections(run, tags, note, (*_charts(figures_of(run, residuals=False)), _residuals(run)))
    return _document(run.title, f"{_head(run)}<main>{sections}</main>", (run,), data)


def offline_reports(runs: Sequence[Run], *, marks: Sequence[tuple[Sequence[str], str]] = ()) -> str:
    """One HTML file with several runs, one below the other; otherwise as ``offline_report``, residuals at few t.

    Args:
        runs: What to show, of whatever kinds.
        marks: Tags and note of each; none without them.

    Raises:
        RecipeError: No runs.
    """
    if not runs:
        raise RecipeError("A report of several runs needs runs; none is given.")
    parts, place = [], 0
    for run, (tags, note) in zip(runs, marks or [((), "")] * len(runs), strict=True):
        drawn = figures_of(run)
        parts.append(f"<article>{_head(run)}{_sections(run, tags, note, _charts(drawn, place))}</article>")
        place += len(drawn)
    title = f"{len(runs)} runs"
    lines = "".join(f"<li>{_text(run.title)}: {_text(run.verb)}, run {run.id[:8]}</li>" for run in runs)
    return _document(title, f"<header><h1>{title}</h1><ul>{lines}</ul></header><main>{''.join(parts)}</main>", runs)


def _sections(run: Run, tags: Sequence[str], note: str, charts: Iterable[str]) -> str:
    """What is below the heading of a run."""
    return "".join([_marks(tags, note), *charts, *map(_table, tables_of(run)), *_facts(run)])


def _document(title: str, body: str, runs: Sequence[Run], data: str = "") -> str:
    """The page around it: what it may load, which is nothing, its style and script, and what it was made from."""
    script = (_HERE / "offline.js").read_text()
    style = f":root{{{colours()}}}@media screen and (prefers-color-scheme:dark){{:root{{{colours(dark=True)}}}}}"
    style += (_HERE / "offline.css").read_text()
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{allowed}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    made = "; ".join(f"run {run.id}, recipe {run.recipe_sha}" for run in runs)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">',
            f"<title>{_text(title)}</title><style>{style}</style></head><body>",
            body,
            f"<footer>Made with snnlab from {made}. This file loads nothing.</footer>",
            f"{data}<script>{script}</script></body></html>",
            "",
        ]
    )


def _text(value: Any) -> str:
    return html.escape(plain(str(value)))


def _block(text: str) -> str:
    """Text whose lines and indentation are kept."""
    lines = [line.expandtabs(4) for line in text.rstrip("\n").split("\n")]
    return "\n".join(" " * (len(line) - len(line.lstrip(" "))) + _text(line) for line in lines)


def _section(title: str, *parts: str, name: str = "") -> str:
    identity = f' id="{name}"' if name else ""
    return f"<section{identity}><h2>{_text(title)}</h2>{''.join(parts)}</section>"


def _head(run: Run) -> str:
    method = {"method": method_card(run.recipe.converter.method).display_name}
    facts = method | (_accuracies(run) if "accuracy" in run.reports else {"T": str(run.recipe.num_steps)})
    told = "".join(f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>" for name, value in facts.items())
    when = f"{run.verb} · {run.created[:16].replace('T', ' ')} UTC · run {run.id[:8]}"
    return f"<header><h1>{_text(run.title)}</h1><p>{_text(when)}</p><dl>{told}</dl></header>"


def _accuracies(run: Run) -> dict[str, str]:
    curve, step = run.accuracy, target_of(run)
    low, high = curve.snn_interval
    return {
        "images": f"{run.recipe.data.dataset}, {curve.split}, {curve.images:,}",
        "T": str(curve.num_steps),
        "ANN": percent_interval(curve.ann_accuracy, *curve.ann_interval),
        f"SNN at t = {step}": percent_interval(
            float(curve.snn_accuracy[step - 1]), float(low[step - 1]), float(high[step - 1])
        ),
        f"SNN at t = {curve.num_steps}": percent(float(curve.snn_accuracy[-1])),
    }


def _marks(tags: Sequence[str], note: str) -> str:
    words = "".join(f'<span class="tag">{_text(tag)}</span>' for tag in tags)
    said = f'<p class="said">{_block(note)}</p>' if note else ""
    return f'<section class="marks">{words}{said}</section>' if words or said else ""


def _charts(drawn: Sequence[Figure], first: int = 0) -> Iterable[str]:
    """Figures as sections; ``first`` is the number of the first one on the page."""
    for place, figure in enumerate(drawn, first):
        yield _section(
            figure.title,
            f'<p class="mute">{_text(figure.subtitle)}</p>',
            f'<figure role="img" tabindex="0" aria-label="{_text(figure.alt)}">{inline_svg(figure, place)}</figure>',
            f'<p class="mute">{_text(figure.foot)}</p>' if figure.foot else "",
        )


def _residuals(run: Run) -> str:
    if run.residuals is None:
        return ""
    return _section(
        "Where do residuals leave [0, threshold)?",
        '<p class="mute">The potential v(t) that is left in every neuron, in units of its threshold, by class of its '
        "spike count: fired too often (excess), too rarely (missing), or as often as its charge pays for.</p>",
        "<noscript><p>The time slider needs scripts; the tables below hold the numbers at one t.</p></noscript>",
        '<div class="time"><label for="t">t</label><input id="t" type="range" min="0" step="1">'
        '<output for="t"></output><label><input id="all" type="checkbox"> silent neurons too</label></div>',
        '<div class="legend"></div><div class="rows"></div><p class="mute foot"></p>',
        name="view",
    )


def _table(table: Table) -> str:
    shown = table.printed()
    heads = "".join(f"<th>{_text(column)}</th>" for column in shown.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{_text(value)}</td>" for value in row) + "</tr>"
        for row in shown.itertuples(index=False, name=None)
    )
    title = _text(table.title)
    return (
        f"<section><details><summary>{title}</summary>"
        f'<div class="wide" role="region" tabindex="0" aria-label="{title}">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div></details></section>"
    )


def _facts(run: Run) -> Iterable[str]:
    if run.notes:
        yield _section("What was assumed", "<ul>", *(f"<li>{_text(note)}</li>" for note in run.notes), "</ul>")
    yield _section(
        "Recipe",
        f"<pre>{_block(run.recipe.to_yaml())}</pre>",
        "<h3>On the command line</h3>",
        f"<pre>{_block(line_of(run))}</pre>",
        "<h3>In Python</h3>",
        f"<pre>{_block(as_python(run.recipe))}</pre>",
    )
    made = {**run.environment, **run.environment.get("versions", {})}
    made.pop("versions", None)
    card = {
        name: run.card.get(name)
        for name in ("name", "architecture_name", "activation", "levels", "parameters", "dataset", "licence", "sha256")
    }
    yield _section("Environment", _pairs(made))
    yield _section("Checkpoint", _pairs(card))


def _pairs(values: dict[str, Any]) -> str:
    told = "".join(
        f"<tr><th>{_text(name.replace('_', ' '))}</th><td>{_text(value)}</td></tr>"
        for name, value in values.items()
        if value is not None
    )
    return f'<table class="pairs">{told}</table>'
