"""Making a chart's SVG fit to stand inside a page: small, without a font or a size of its own, its ids unique.

Vega writes SVG for a page of its own: fonts by name, roles and labels for every mark, coordinates to fifteen
digits, ids that repeat from chart to chart. `inline_svg` keeps what is seen, and what is shown of a mark when a pointer
rests on it: a description that starts with `HOVER` becomes a title.

Example:
    >>> inline_svg('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" viewBox="0 0 9 9">'
    ...            '<g class="mark"><path d="M0.123456,1Z" fill="red" aria-label="a"/></g></svg>', "fig1")
    '<svg width="9" height="9" viewBox="0 0 9 9" aria-hidden="true"><path d="M0.1,1Z" fill="red" /></svg>'
"""

import itertools
import re
from xml.etree import ElementTree

HOVER = "hover:"
_ALIKE = 3  # neighbours, from which on it is shorter to say once what they share
_MARKS = {"text", "line", "circle", "path"}
_INHERITED = {"fill", "font-size", "stroke", "stroke-linecap", "stroke-linejoin", "stroke-width", "text-anchor"}
_MANY = 40  # shapes of a group, from which on those of one colour are drawn together
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
    for element in list(root.iter()):
        element.tag = element.tag.partition("}")[2] or element.tag
        label = element.get("aria-label", "")
        element.attrib = {
            name: _attribute(name, value, prefix) for name, value in element.attrib.items() if _seen(name, value)
        }
        if label.startswith(HOVER):
            _entitle(element, label.removeprefix(HOVER))
    _prune(root)
    for group in list(root.iter()):
        _merge(group)
    for group in list(root.iter()):
        _hoist(group)
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


def _entitle(element: ElementTree.Element, text: str) -> None:
    """Say something of a mark; one without paint is there for that alone, and a circle will do."""
    at = re.fullmatch(r"translate\((.+),(.+)\)", element.get("transform", ""))
    if at and not any(element.get(paint) for paint in _PAINT):
        element.tag = "circle"
        element.attrib = {"cx": at[1], "cy": at[2], "r": "6", "fill": "transparent"}
    ElementTree.SubElement(element, "title").text = text


def _merge(group: ElementTree.Element) -> None:
    """Draw many shapes of one colour as one path: cells of a heatmap do not overlap, so their order is free."""
    merged: list[ElementTree.Element] = []
    for plain, run in itertools.groupby(group, _plain):
        shapes = list(run)
        merged += _by_color(shapes) if plain and len(shapes) >= _MANY else shapes
    group[:] = merged


def _by_color(shapes: list[ElementTree.Element]) -> list[ElementTree.Element]:
    paths: dict[str, list[str]] = {}
    for shape in shapes:
        paths.setdefault(shape.attrib["fill"], []).append(shape.attrib["d"])
    return [ElementTree.Element("path", {"d": "".join(d), "fill": fill}) for fill, d in paths.items()]


def _plain(element: ElementTree.Element) -> bool:
    return element.tag == "path" and set(element.attrib) == {"d", "fill"} and not len(element)


def _hoist(group: ElementTree.Element) -> None:
    """Say once what neighbours of one kind have in common: labels of an axis share their size, colour and side."""
    hoisted: list[ElementTree.Element] = []
    for tag, run in itertools.groupby(group, lambda child: child.tag):
        alike = list(run)
        if tag == "text":
            for text in alike:
                _place(text)
        hoisted += [_grouped(alike)] if len(alike) >= _ALIKE and tag in _MARKS else alike
    group[:] = hoisted


def _grouped(alike: list[ElementTree.Element]) -> ElementTree.Element:
    shared = {
        name: value
        for name, value in alike[0].attrib.items()
        if name in _INHERITED and all(other.get(name) == value for other in alike)
    }
    group = ElementTree.Element("g", shared)
    for element in alike:
        element.attrib = {name: value for name, value in element.attrib.items() if name not in shared}
    group[:] = alike
    return group


def _place(text: ElementTree.Element) -> None:
    """Coordinates are shorter than a translation that is all there is."""
    at = re.fullmatch(r"translate\(([^,()]+),([^,()]+)\)", text.get("transform", ""))
    if at and not {"x", "y"} & set(text.attrib) and not len(text):
        del text.attrib["transform"]
        text.attrib |= {"x": at[1], "y": at[2]}


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
