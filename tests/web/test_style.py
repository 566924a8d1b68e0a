"""The stylesheet of the gateway's own pages: readable in light and in dark."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from gateway.web.pages import shell as page_shell


def palettes() -> dict[str, dict[str, str]]:
    """The custom properties of the stylesheet, in light and in dark."""
    light, dark = page_shell.asset("style.css").split("@media (prefers-color-scheme: dark)")
    find: Callable[[str], dict[str, str]] = lambda css: dict(re.findall(r"(--[a-z-]+): (#[0-9a-f]{6});", css))  # noqa: E731
    return {"light": find(light), "dark": find(dark)}


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2 §relativeluminancedef."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


TEXT_ON = [
    ("ink", "card"), ("ink", "paper"), ("soft", "card"), ("soft", "paper"), ("soft", "calm-bg"), ("ink", "warn-bg"),
    ("on-accent", "accent"), ("accent", "card"), ("good", "good-bg"), ("warn", "warn-bg"), ("bad", "bad-bg"),
]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT_ON)
def test_text_has_aa_contrast(scheme: str, text: str, ground: str) -> None:
    """Every pair of text and ground in the stylesheet reaches 4.5:1 (WCAG 2.2, 1.4.3)."""
    palette = palettes()[scheme]
    first, second = luminance(palette[f"--{text}"]), luminance(palette[f"--{ground}"])
    assert (max(first, second) + 0.05) / (min(first, second) + 0.05) >= 4.5


def test_both_schemes_define_the_same_colours() -> None:
    """Dark mode leaves no colour of light mode in place, and no other colour is written anywhere else."""
    found = palettes()
    assert found["light"].keys() == found["dark"].keys()
    assert {f"--{name}" for pair in TEXT_ON for name in pair} <= found["light"].keys()
