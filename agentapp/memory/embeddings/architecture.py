"""The fixed shape of all-MiniLM-L6-v2, shared by both ways to run it."""

from __future__ import annotations

LAYERS = 6
HEADS = 12
HEAD_WIDTH = 32
WIDTH = HEADS * HEAD_WIDTH
LAYER_NORM_EPSILON = 1e-12
MASKED_SCORE = -1e9
"""Added to the attention score of a padded token, so that its share becomes 0."""

MAX_TOKENS = 256
"""The model was trained on no longer texts; what follows is cut."""
