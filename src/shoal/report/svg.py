"""Making a chart's SVG fit to stand inside a page: small, without a font or a size of its own, its ids unique.

Vega writes SVG for a page of its own: fonts by name, roles and labels for every mark, coordinates to fifteen
digits, ids that repeat from chart to chart. `inline_svg` keeps what is seen.

Example:
    >>> inline_svg('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" viewBox="0 0 9 9">'
    ...            '<g class="mark"><path d="M0.123456,1Z" fill="red" aria-label="a"/></g></svg>', "fig1")
    '<svg width="9" height="9" viewBox="0 0 9 9" aria-hidden="true"><path d="M0.1,1Z" fill="red" /></svg>'
"""

import re
from xml.etree import ElementTree

_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_GEOMETRY = {"d", "transform", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "points"}
_UNSEEN = {"class", "role", "pointer-events", "font-family", "stroke-miterlimit"}
_INITIAL = {"opacity": "1", "transform": "translate(0,0)", "stroke-width": "1", "stroke-dasharray": "1,0"}
_PAINT = ("fill", "stroke")
_SHAPES = {"defs", "clipPath"}


def inline_svg(svg: str, prefix: str) -> str:
    """Rewrite an SVG document as markup for inside of an HTML page, hidden from assistive technology.

    Args:
        svg: a whole SVG document, as vl-convert writes it.
        prefix: put before every id, so that two pictures of one page cannot share one.

    Returns:
        One `<svg>` element without namespaces; its text is escaped.
    """
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        element.tag = element.tag.partition("}")[2] or element.tag
        element.attrib = {
            name: _attribute(name, value, prefix) for name, value in element.attrib.items() if _seen(name, value)
        }
    _prune(root)
    root.attrib = {name: root.attrib[name] for name in ("width", "height", "viewBox")} | {"aria-hidden": "true"}
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _seen(name: str, value: str) -> bool:
    return not (name in _UNSEEN or name.startswith(("aria-", "{")) or name == "version" or _INITIAL.get(name) == value)


def _attribute(name: str, value: str, prefix: str) -> str:
    if name in _GEOMETRY:
        return _NUMBER.sub(lambda match: _rounded(float(match[0])), value)
    if name == "id":
        return f"{prefix}-{value}"
    return value.replace("url(#", f"url(#{prefix}-")


def _rounded(value: float) -> str:
    """A tenth of a pixel is finer than a screen."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _prune(element: ElementTree.Element) -> None:
    """Drop paths that paint nothing and groups that say nothing, from the leaves up."""
    kept: list[ElementTree.Element] = []
    for child in element:
        if child.tag in _SHAPES:  # what a clip path holds is never painted, and needed
            kept.append(child)
            continue
        _prune(child)
        if child.tag == "g" and not child.attrib:
            kept.extend(child)
        elif not (child.tag == "g" and not len(child)) and not _invisible(child):
            kept.append(child)
    element[:] = kept


def _invisible(element: ElementTree.Element) -> bool:
    """Whether an element is transparent, or a path or rectangle without outline or paint (groups lend none)."""
    if element.get("opacity") == "0":  # a label that Vega hides as another is in its way
        return True
    if element.tag not in {"path", "rect"}:
        return False
    painted = any(element.get(paint, "none") not in {"none", "transparent"} for paint in _PAINT)
    return not painted or (element.tag == "path" and not element.get("d"))
