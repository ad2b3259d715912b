"""Drawings of the boards as inline SVG: no script, no style, a title, a description and a table each (contract §2.10).

view      what a plot is drawn from
plot      a finished plot: its marks, its words, its table
theme     light and dark: marks name roles, such as `ink`, which a theme turns into colours
svg       elements and texts; scale: from values to places
"""

from collections.abc import Callable, Mapping

from puna.arena.plots.category import category
from puna.arena.plots.heat import games, winrate
from puna.arena.plots.history import history
from puna.arena.plots.plot import Plot, Table
from puna.arena.plots.ratings import ratings
from puna.arena.plots.shares import length, position
from puna.arena.plots.speed import speed
from puna.arena.plots.theme import DARK, LIGHT, THEMES, Theme
from puna.arena.plots.view import View

PLOTS: Mapping[str, Callable[[View], Plot]] = {
    plot.__name__: plot for plot in (ratings, winrate, games, history, speed, length, position, category)
}

__all__ = ["DARK", "LIGHT", "PLOTS", "THEMES", "Plot", "Table", "Theme", "View"]
