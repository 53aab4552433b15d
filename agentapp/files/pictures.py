"""Draws pictures anew: what people and models look at is never the stranger's own file."""

from __future__ import annotations

import io
import logging
import threading
from dataclasses import dataclass

from PIL import Image, ImageOps

from agentapp.files.rules import MAX_PIXELS

logger = logging.getLogger(__name__)

LONGEST_SIDE = 1_600  # pixels of what is looked at
QUALITY = 85
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
# One at a time: a picture at the limit takes 100 MB while it is open.
_opening = threading.Lock()


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture drawn anew: JPEG, or PNG where it lets something shine through."""

    content: bytes
    width: int
    height: int


def drawn(content: bytes) -> Drawn | None:
    """Return the picture in bytes, or None when they are none or it has too many pixels.

    Only its first image is drawn, upright, and nothing else that was in the file: no place where
    it was taken, no comments, no second content behind the first.
    """
    with _opening:
        try:
            return _drawn(content)
        except Exception as error:  # noqa: BLE001  (a stranger's bytes make decoders raise anything)
            logger.info("a picture cannot be drawn: %s", type(error).__name__)
            return None


def media_type(picture: bytes) -> str:
    """Return the type of a picture that was drawn here."""
    return "image/png" if picture.startswith(b"\x89PNG") else "image/jpeg"


def _drawn(content: bytes) -> Drawn | None:
    with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
        # Known from the file's head; nothing is unpacked before this.
        if image.width * image.height > MAX_PIXELS:
            return None
        image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        upright = ImageOps.exif_transpose(image)
        is_clear = upright.mode in {"RGBA", "LA", "PA"} or "transparency" in upright.info
        flat = upright.convert("RGBA" if is_clear else "RGB")
        flat.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        out = io.BytesIO()
        bare = Image.new(flat.mode, flat.size)
        bare.paste(flat)
        if is_clear:
            bare.save(out, "PNG", optimize=False)
        else:
            bare.save(out, "JPEG", quality=QUALITY)
        return Drawn(out.getvalue(), bare.width, bare.height)
