"""Colours by what they are for. A mark names a role; the theme says what that is on its paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_DEEPEST = 0.42  # share of colour in the strongest cell: text on it stays readable


@dataclass(frozen=True, slots=True)
class Theme:
    roles: Mapping[str, str]

    def colour(self, role: str) -> str:
        """`heat:0.4` is a mixture for -1 to 1: paper at 0, `accent` above, `warm` below. Others pass: `none`."""
        if role.startswith("heat:"):
            value = float(role.removeprefix("heat:"))
            return _mixed(self.roles["paper"], self.roles["accent" if value > 0 else "warm"], _DEEPEST * abs(value))
        return self.roles.get(role, role)


def _mixed(one: str, other: str, share: float) -> str:
    pairs = ((int(one[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


LIGHT = Theme(
    {
        "paper": "#ffffff", "ink": "#14202a", "soft": "#566571", "hair": "#dde4e9", "accent": "#00667f",
        "warm": "#b35900", "s0": "#00667f", "s1": "#b35900", "s2": "#6b4fa0", "s3": "#2e7d32", "s4": "#b3266b",
        "s5": "#5d6b00",
    }
)  # fmt: skip
DARK = Theme(
    {
        "paper": "#10171c", "ink": "#e6edf1", "soft": "#9db0bd", "hair": "#2a3842", "accent": "#5fc9e3",
        "warm": "#f2ab62", "s0": "#5fc9e3", "s1": "#f2ab62", "s2": "#b9a3ec", "s3": "#82c986", "s4": "#f08bb9",
        "s5": "#c8d35e",
    }
)  # fmt: skip
THEMES: Mapping[str, Theme] = {"light": LIGHT, "dark": DARK}
