"""Drawings of tables: every box and arrow is there, to the right of what it is made from, and nothing is cut."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.inspection.catalog.drawing import Box, bars, graph

SVG = "{http://www.w3.org/2000/svg}"


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Box], list[tuple[str, str]]]:
    """Boxes, and arrows from earlier ones to later ones, so that there is no circle."""
    names = [f"t{number}" for number in range(draw(st.integers(1, 12)))]
    pairs = [(one, other) for place, one in enumerate(names) for other in names[place + 1 :]]
    arrows = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=20)) if pairs else []
    return [Box(name, f"{name}.html", "trips") for name in names], arrows


@given(graphs())
def test_boxes_stand_within_the_drawing_and_right_of_what_they_are_made_from(
    given_graph: tuple[list[Box], list[tuple[str, str]]],
) -> None:
    boxes, arrows = given_graph
    text = graph(boxes, arrows, "a & b")
    root = ElementTree.fromstring(text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    places = {}
    for link in root.iter(f"{SVG}a"):
        rectangle = link.find(f"{SVG}rect")
        assert rectangle is not None
        x, y, wide, tall = (float(rectangle.attrib[name]) for name in ("x", "y", "width", "height"))
        assert x >= 0
        assert y >= 0
        assert x + wide <= width
        assert y + tall <= height
        places[link.attrib["data-name"]] = (x, y)
    assert places.keys() == {box.name for box in boxes}
    assert len(set(places.values())) == len(places)
    drawn = [(path.attrib["data-from"], path.attrib["data-to"]) for path in root.iter(f"{SVG}path")]
    assert sorted(drawn) == sorted(arrows)
    assert all(places[start][0] < places[end][0] for start, end in arrows)


def test_a_bar_for_each_month() -> None:
    heights = [float(height) for height in re.findall(r'width="8" height="([\d.]+)"', bars([("a", 10), ("b", 5)]))]
    assert heights == [60, 30]
    assert bars([("a", 0)]) == bars([]) == ""
