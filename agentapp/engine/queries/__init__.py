"""What the engine reads, as frozen views."""

from __future__ import annotations
