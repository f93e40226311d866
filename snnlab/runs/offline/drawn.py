"""Figures of paper as parts of an HTML page, in the page's colours: light and dark from one drawing."""

import re
from xml.etree import ElementTree

from snnlab.figures import Figure
from snnlab.figures.style import DARK, LIGHT

_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_NAMED = {colour.lower(): role for role, colour in reversed(LIGHT.items())}  # of roles that share one, the first
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_LEFT_OUT = ("metadata", "title", "style")  # what names the file that this is not, and rules for the whole page


def colours(dark: bool = False) -> str:
    """The palette as custom properties of CSS."""
    return "".join(f"--{role.replace('_', '-')}:{colour};" for role, colour in (DARK if dark else LIGHT).items())


def inline_svg(figure: Figure, place: int) -> str:
    """A figure as an SVG element whose colours are the page's.

    Args:
        figure: What to draw.
        place: Its number on the page, so that no two drawings share an id.
    """
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)
    root = ElementTree.fromstring(figure.render("svg", "double", heading=False))
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.rpartition("}")[2] in _LEFT_OUT:
                parent.remove(child)
    for element in root.iter():
        for name, value in element.attrib.items():
            element.set(name, _own(name.rpartition("}")[2], value, f"f{place}-"))
    for name in ("width", "height"):
        del root.attrib[name]
    root.set("class", "chart")
    root.set("aria-hidden", "true")  # the figure around it says in words what it shows
    return ElementTree.tostring(root, encoding="unicode")


def _own(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return prefix + value
    if name == "href" and value.startswith("#"):
        return f"#{prefix}{value[1:]}"
    if name == "style":
        return _COLOUR.sub(lambda found: _role(found.group()), value)
    return value.replace("url(#", f"url(#{prefix}")


def _role(colour: str) -> str:
    return f"var(--{_NAMED[colour].replace('_', '-')})" if colour in _NAMED else colour
