"""What drawings in SVG are made of, whoever draws: elements, shapes, scales and the box that they stand in. Pure.

How a drawing looks (classes of a page's style sheet, colours of a theme) is its drawer's.
"""

from puna.drawing.box import Box, Write
from puna.drawing.scale import Linear, Log, Scale, around, from_zero, spanning
from puna.drawing.svg import SERIES, SHAPES, element, lying, number

__all__ = [
    "SERIES", "SHAPES", "Box", "Linear", "Log", "Scale", "Write", "around", "element", "from_zero", "lying",
    "number", "spanning",
]  # fmt: skip
