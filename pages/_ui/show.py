"""Figures, tables and their export."""

import html
import io
import re
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

import snnlab as sl
from pages._ui import label

_PLOTLY = Path(__file__).resolve().parents[2] / "static" / "plotly.min.js"
_LIVE = Path(__file__).with_name("live_plotly.js")
_MIME = {"pdf": "application/pdf", "svg": "image/svg+xml", "png": "image/png", "zip": "application/zip"}
_PRESET_NAMES = {"single": "single column, 85 mm", "double": "double column, 178 mm"}

_live = st.components.v2.component(
    "snnlab_figure",
    html="<div class='snnlab-figure' role='figure'></div>",
    js=_LIVE.read_text(),
    isolate_styles=False,
)


def figure(drawn: "sl.figures.Figure", key: str) -> None:
    """Draw a figure; zoom and legend survive new data, which ``st.plotly_chart`` would lose (streamlit#16052)."""
    if _PLOTLY.exists():
        _live(data=_packed(drawn), key=key)
    else:
        chart = drawn.plotly(dark=st.context.theme.type == "dark", heading=False)
        st.plotly_chart(chart, key=key, theme=None, config={"displaylogo": False}, alt=drawn.alt)
    if drawn.foot:
        st.caption(label.md(drawn.foot, 600))


_PACKED: "weakref.WeakKeyDictionary[sl.figures.Figure, dict[str, Any]]" = weakref.WeakKeyDictionary()


def _packed(drawn: "sl.figures.Figure") -> dict[str, Any]:
    """What the browser draws; a figure that its page keeps is packed once, as packing takes longer than all else."""
    packed = _PACKED.get(drawn)
    if packed is None:
        # Both themes: a browser may change its own without asking the server.
        light, dim = (drawn.plotly(dark=is_dark, heading=False) for is_dark in (False, True))
        charts = {"light": light.to_json(), "dark": dim.to_json()}
        packed = {**charts, "height": light.layout.height, "alt": drawn.alt}
        _PACKED[drawn] = packed
    return packed


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        title: Heading.
        cell: Row -> text; it is escaped.
        help: Tooltip of the heading.
        numeric: Right-aligned, even digits.
        bar: Row -> share in 0..1, drawn as a bar before the number.
        bar_role: Role of its colour.
        optional: Left out where the page is narrow.
        strong: Semibold.
        soft: In grey, as a remark is.
        staged: Site names: what stands before the first dot is grey, and each stage is set apart.
        swatch: Row -> role of the colour shown before the text.
    """

    title: str
    cell: Callable[[Any], str]
    help: str = ""
    numeric: bool = False
    bar: Callable[[Any], float] | None = None
    bar_role: str = "snn"
    optional: bool = False
    strong: bool = False
    soft: bool = False
    staged: bool = False
    swatch: Callable[[Any], str] | None = None


def table(
    rows: Sequence[Any],
    columns: Sequence[Column],
    caption: str,
    *,
    fit: bool = False,
    on: Callable[[Any], bool] | None = None,
    heads: Callable[[Any], str] | None = None,
) -> None:
    """A plain table in the house style; it scrolls within itself where it is too wide or long.

    Args:
        rows: One object a line.
        columns: What to show of it.
        caption: What the table holds, for screen readers.
        fit: As narrow as its content, instead of as wide as the page.
        on: Row -> whether it is marked.
        heads: Row -> role of the colour that leads its group; other rows of the group, "", are remarks.
    """
    head = "".join(
        f'<th scope="col" class="{_classes(c)}"{_title(c.help)}>{html.escape(c.title)}</th>' for c in columns
    )
    head = f"<thead><tr>{head}</tr></thead>" if any(column.title for column in columns) else ""
    staged = next((column for column in columns if column.staged), None)
    lines: list[str] = []
    before = None
    for row in rows:
        stage = staged.cell(row).partition(".")[0] if staged else None
        leads = heads is not None and bool(heads(row))
        marks = {
            "gap": bool(lines) and (stage != before or leads),
            "on": on is not None and on(row),
            "remark": heads is not None and not leads,
        }
        before = stage
        shown = [replace(columns[0], swatch=heads), *columns[1:]] if leads else columns
        lines.append(f'<tr class="{_joined(marks)}">{"".join(_cell(row, column) for column in shown)}</tr>')
    kind = " fit" if fit else ""
    st.html(
        f'<div class="sl-scroll{kind}" role="region" tabindex="0" aria-label="{html.escape(caption)}">'
        f'<table class="sl-table{kind}">{head}<tbody>{"".join(lines)}</tbody></table></div>'
    )


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Names and values; both are escaped."""
    cells = "".join(f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>" for name, value in pairs)
    st.html(f'<dl class="sl-facts">{cells}</dl>')


def export(
    figures: Mapping[str, "sl.figures.Figure"],
    tables: "Mapping[str, pd.DataFrame | sl.figures.PaperTable]",
    recipe: sl.Recipe,
    key: str,
) -> None:
    """The Export popover: figures for paper, tables, the recipe.

    Args:
        figures: Title -> figure.
        tables: Title -> table; CSV in full, LaTeX with booktabs. Files and labels are called by what stands before
            the first colon.
        recipe: What gave the numbers.
        key: Unique on the page; also the stem of file names.
    """
    with st.popover("Export", type="tertiary", key=f"{key}-export"):
        if figures:
            _figure_export(figures, recipe, key)
        for title, frame in tables.items():
            _table_export(title, frame, _stem(f"{key}-{title.partition(':')[0]}-table"))
        with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
            st.markdown("Recipe of these numbers", width="stretch")
            _button("YAML", lambda: recipe.to_yaml().encode(), f"{_stem(key)}-recipe.yaml", "application/yaml")


def _table_export(title: str, frame: "pd.DataFrame | sl.figures.PaperTable", stem: str) -> None:
    tables = sl.figures.tables

    def csv() -> str:
        return tables.to_csv(frame) if isinstance(frame, pd.DataFrame) else frame.to_csv()

    def latex() -> str:
        if isinstance(frame, pd.DataFrame):
            return tables.to_latex(frame, title, f"tab:{stem}")
        return frame.to_latex(label=f"tab:{stem}")

    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        st.markdown(title, width="stretch")
        _button("CSV", lambda: csv().encode(), f"{stem}.csv", "text/csv")
        _button("LaTeX", lambda: latex().encode(), f"{stem}.tex", "text/x-tex")


def _figure_export(figures: Mapping[str, "sl.figures.Figure"], recipe: sl.Recipe, key: str) -> None:
    names = list(figures)
    name = names[0]
    if len(names) > 1:
        name = st.selectbox("Figure", names, key=f"{key}-export-figure") or names[0]
    preset = st.selectbox(
        "Width",
        list(sl.figures.style.PRESETS),
        key=f"{key}-export-preset",
        format_func=lambda p: _PRESET_NAMES.get(p, f"{p}, {sl.figures.style.PRESETS[p].width:g} mm"),
    )
    drawn = figures[name].stamped(recipe_sha=recipe.sha)
    stem = _stem(f"{key}-{drawn.name}" if drawn.name != key else key)

    def rendered(kind: str) -> Callable[[], bytes]:
        return lambda: drawn.render(kind, preset)

    with st.container(horizontal=True, gap="xsmall"):
        for kind in ("pdf", "svg", "png"):
            _button(kind.upper(), rendered(kind), f"{stem}.{kind}", _MIME[kind])
        _button("CSV", lambda: sl.figures.tables.to_csv(drawn.data).encode(), f"{stem}.csv", "text/csv")
        _button(
            "All (zip)",
            lambda: sl.figures.bundle(drawn, recipe.to_yaml(), preset=preset, recipe_sha=recipe.sha),
            f"{stem}.zip",
            _MIME["zip"],
        )


def _button(title: str, make: Callable[[], bytes], file_name: str, mime: str) -> None:
    # Made when it is asked for; "ignore": a download changes nothing on the page.
    st.download_button(
        title,
        lambda: io.BytesIO(make()),
        file_name,
        mime,
        key=f"download-{file_name}-{title}",
        on_click="ignore",
    )


def _stem(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower()


def _classes(column: Column) -> str:
    marks = {
        "n": column.numeric,
        "opt": column.optional,
        "b": column.strong,
        "soft": column.soft,
        "bar": column.bar is not None,
        "led": column.swatch is not None,
        "staged": column.staged,
    }
    return _joined(marks)


def _joined(marks: Mapping[str, bool]) -> str:
    return " ".join(name for name, on in marks.items() if on)


def _title(text: str) -> str:
    return f' title="{html.escape(text)}"' if text else ""


def _colour(role: str) -> str:
    light, dark = (sl.figures.style.palette(is_dark)[role] for is_dark in (False, True))
    return f"light-dark({light}, {dark})"


def _cell(row: Any, column: Column) -> str:
    plain = column.cell(row)
    text, swatch = html.escape(plain), ""
    if column.staged:
        stage, dot, rest = plain.partition(".")
        text = f"<em>{html.escape(stage)}</em>{html.escape(dot + rest)}" if dot else text
    if column.swatch is not None:
        swatch = f'<span class="sw" style="background:{_colour(column.swatch(row))}"></span>'
    if column.bar is not None:
        share = min(max(column.bar(row), 0.0), 1.0)
        bar = f'<i style="width:{100 * share:.1f}%;background:{_colour(column.bar_role)}"></i>'
        text = f"<div>{bar}<span>{text}</span></div>"
    return f'<td class="{_classes(column)}">{swatch}{text}</td>'
