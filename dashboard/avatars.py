"""Draws faces: an agent's from its seed, the same everywhere; a person's from an initial."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

HUES = 12


class Palette(NamedTuple):
    """The three fixed tones of one hue; avatars do not change with the theme."""

    deep: str
    mid: str
    light: str


_PALETTES = (
    Palette("#853867", "#bc6398", "#fad0e6"),
    Palette("#8e3649", "#c76174", "#fed1d6"),
    Palette("#8c3d12", "#c56a3e", "#fed3c0"),
    Palette("#605a04", "#928a07", "#e3e1b7"),
    Palette("#416407", "#6c9539", "#d2e6c0"),
    Palette("#0a6755", "#119c82", "#b9ebdc"),
    Palette("#086569", "#14989e", "#b4eaec"),
    Palette("#0b607f", "#0993c1", "#bae6fc"),
    Palette("#225899", "#4c88d3", "#cae0fd"),
    Palette("#4c4d99", "#787bd2", "#d7dbfe"),
    Palette("#68448d", "#9970c4", "#e6d5fc"),
    Palette("#783d7c", "#ad69b1", "#f1d2f3"),
)

# What stands behind the head, in the middle tone. The canvas is 40 by 40.
_BACKDROPS = (
    '<circle cx="34" cy="5" r="17" fill="{mid}"/>',
    '<path d="M0 28 40 10v30H0z" fill="{mid}"/>',
    '<path d="M0 0h9q-2 22-9 30zM40 0h-9q2 22 9 30z" fill="{mid}"/>',
    '<path d="M20 0 40 40H0z" fill="{mid}"/>',
    '<circle cx="20" cy="42" r="25" fill="{mid}"/>',
    '<path d="M0 0h40v13H0z" fill="{mid}"/>',
)
_HEADS = (
    '<circle cx="20" cy="22" r="13" fill="{light}"/>',
    '<rect x="7.5" y="10" width="25" height="25" rx="9" fill="{light}"/>',
    '<path d="M7 24a13 14 0 0 1 26 0v16H7z" fill="{light}"/>',
    '<path d="M20 8c8 0 14 6 14 14s-5 12-14 12S6 30 6 22 12 8 20 8z" fill="{light}"/>',
    '<rect x="6" y="12" width="28" height="22" rx="11" fill="{light}"/>',
)
_EYES = (
    '<circle cx="15" cy="21" r="1.8"/><circle cx="25" cy="21" r="1.8"/>',
    '<ellipse cx="15" cy="21" rx="1.6" ry="2.6"/><ellipse cx="25" cy="21" rx="1.6" ry="2.6"/>',
    '<path d="M12.5 21.5q2.5-3 5 0M22.5 21.5q2.5-3 5 0" {line}/>',
    '<path d="M12.5 20.5h5M22.5 20.5h5" {line}/>',
    '<circle cx="15" cy="21" r="1.8"/><path d="M22.5 21.3q2.5-2.6 5 0" {line}/>',
)
_MOUTHS = (
    '<path d="M16.5 27q3.5 3.2 7 0" {line}/>',
    '<path d="M17 28h6" {line}/>',
    '<path d="M16.5 26.5a3.5 3.5 0 0 0 7 0z"/>',
    '<circle cx="20" cy="28" r="1.6"/>',
    '<path d="M17 28.3q4 .8 6-1.8" {line}/>',
)
_TOPS = (
    "",
    '<path d="M20 10V5" {stem}/><circle cx="20" cy="4.5" r="2" fill="{light}"/>',
    '<path d="M9 14 6 6l8 4zM31 14l3-8-8 4z" fill="{light}"/>',
    '<path d="M8 17q12-9 24 0v-3q-12-13-24 0z" fill="{deep}"/>',
    "",
)


def hue_of(seed: str) -> int:
    """Return the colour bucket, 0 to 11, that a seed always has."""
    return hashlib.sha256(seed.encode("utf-8", "replace")).digest()[0] % HUES


def agent_face(*, seed: str, hue: int, size: int) -> str:
    """Return an agent's face as inline SVG; presentation attributes only, no style.

    Args:
        seed: Anything stable about the agent; only its hash is used.
        hue: Colour bucket, taken modulo `HUES`.
        size: Edge in CSS pixels.
    """
    digest = hashlib.sha256(seed.encode("utf-8", "replace")).digest()
    palette = _PALETTES[hue % HUES]
    parts = [
        choices[digest[index] % len(choices)]
        for index, choices in enumerate((_BACKDROPS, _TOPS, _HEADS, _EYES, _MOUTHS), start=1)
    ]
    backdrop, top, head, eyes, mouth = (
        part.format(
            deep=palette.deep,
            mid=palette.mid,
            light=palette.light,
            line=f'fill="none" stroke="{palette.deep}" stroke-width="1.8" stroke-linecap="round"',
            stem=f'stroke="{palette.light}" stroke-width="1.6"',
        )
        for part in parts
    )
    lean = digest[6] % 13 - 6
    shift = digest[7] % 5 - 2
    return (
        f'<svg class="avatar" viewBox="0 0 40 40" width="{size}" height="{size}" '
        f'aria-hidden="true"><rect width="40" height="40" fill="{palette.deep}"/>{backdrop}'
        f'<g transform="rotate({lean} 20 24)">{top}{head}'
        f'<g fill="{palette.deep}" transform="translate({shift} 0)">{eyes}{mouth}</g></g></svg>'
    )


def person_disc(*, initial: str, size: int) -> str:
    """Return a person's disc with one letter; `initial` must already be escaped."""
    return (
        f'<svg class="avatar avatar-person" viewBox="0 0 40 40" width="{size}" height="{size}" '
        'aria-hidden="true"><circle cx="20" cy="20" r="20"/>'
        '<text x="20" y="20" text-anchor="middle" dominant-baseline="central">'
        f"{initial}</text></svg>"
    )
