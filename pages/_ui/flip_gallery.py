"""The gallery of flips: one card an image, with its true class and what both networks say."""

from collections.abc import Sequence

import streamlit as st

import snnlab as sl
from pages._ui import label, pictures, selection

A_PAGE = 12
_SIDE = 84  # px

SORTS = {
    "ann": "ANN margin, largest first",
    "snn": "SNN margin, largest first",
    "later": "agree latest first",
    "site": "part earliest first",
}


def ordered(report: "sl.analysis.FlipReport", flips: "Sequence[sl.analysis.Flip]", by: str) -> "list[sl.analysis.Flip]":
    """The flips in one of the orders of ``SORTS``; equal ones as they come, by the ANN's margin."""
    sites = {name: place for place, name in enumerate(report.names)}
    keys = {
        "ann": lambda flip: -flip.ann_margin,
        "snn": lambda flip: -flip.snn_margin,
        "later": lambda flip: -(flip.agrees_from or report.num_steps + 1),
        "site": lambda flip: sites.get(flip.first_site or "", len(sites)),
    }
    return sorted(flips, key=keys[by])


def draw(
    run: "sl.runs.Run",
    report: "sl.analysis.FlipReport",
    flips: "Sequence[sl.analysis.Flip]",
    chosen: selection.Selection | None,
) -> None:
    """One page of cards, with the way to the others.

    Args:
        run: The run of the flips; a card's button selects its image there.
        report: Its flips.
        flips: What to show, in order.
        chosen: What is selected; its card is marked.
    """
    pages = -(-len(flips) // A_PAGE)
    kept = st.session_state.get("flips-at", 0)
    at = min(kept, pages - 1)
    with st.container(horizontal=True, gap="small", key="flips-gallery"):
        for flip in flips[at * A_PAGE : (at + 1) * A_PAGE]:
            _card(run, report, flip, on=chosen is not None and chosen.image == flip.image)
    if pages > 1:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button("Previous", disabled=at == 0, on_click=_turn, args=(at - 1,), key="flips-previous")
            first, last = at * A_PAGE + 1, min((at + 1) * A_PAGE, len(flips))
            st.caption(f"{first} to {last} of {len(flips)}", width="content")
            st.button("Next", disabled=at == pages - 1, on_click=_turn, args=(at + 1,), key="flips-next")


def _card(run: "sl.runs.Run", report: "sl.analysis.FlipReport", flip: "sl.analysis.Flip", *, on: bool) -> None:
    picture = report.picture(flip.image)
    shown = '<div class="none">no picture kept</div>'
    if picture is not None:
        shown = f'<img alt="image {flip.image}" width="{_SIDE}" height="{_SIDE}" src="{pictures.data_uri(picture)}">'
    names = [label.tag(report.classes[place], 16) for place in (flip.label, flip.ann, flip.snn)]
    rows = "".join(
        f'<tr><th scope="row">{who}</th><td class="{mark}">{name}{tick}</td><td class="n">{margin}</td></tr>'
        for who, name, mark, tick, margin in (
            ("true", names[0], "", "", ""),
            ("ANN", names[1], *_mark(flip.ann == flip.label), f"{flip.ann_margin:.2f}"),
            ("SNN", names[2], *_mark(flip.snn == flip.label), f"{flip.snn_margin:.2f}"),
        )
    )
    agree = f"agree from t = {flip.agrees_from}" if flip.agrees_from else f"apart up to t = {report.num_steps}"
    part = f"part at {label.tag(flip.first_site, 22)}" if flip.first_site else "no unusual site"
    with st.container(border=True, gap="xxsmall", key=f"flip-{flip.image}"):
        st.html(
            f'<div class="sl-flip">{shown}<table><tbody>{rows}</tbody></table><div>{agree}</div><div>{part}</div></div>'
        )
        st.button(
            f"Image {flip.image}",
            key=f"flips-choose-{flip.image}",
            icon=":material/push_pin:" if on else None,
            type="primary" if on else "secondary",
            on_click=selection.choose_image,
            args=(run, flip.image),
            help="Select this image: Residuals and Attribution follow",
        )


def _mark(right: bool) -> tuple[str, str]:
    """Class and mark of a prediction; never by colour alone."""
    return ("right", " ✓") if right else ("wrong", " ✗")


def _turn(page: int) -> None:
    st.session_state["flips-at"] = page
