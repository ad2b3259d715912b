"""Drawings of a measurement as inline SVG, small and without scripts: a scale, axes, some marks, and charts of them.

Libraries that draw charts bring a browser's script or tens of megabytes of wheels, and none of them styles a drawing by
the page's own light and dark colours. Four kinds of marks are all that is needed here. Every length is in pixels of the
drawing's own box; colours and fonts are classes that the page's style sheet knows.
"""
