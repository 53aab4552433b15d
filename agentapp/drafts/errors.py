"""What can stand in the way of a draft."""

from __future__ import annotations

from agentapp.foundation.errors import Conflict, Invalid, Refused


class DraftNotPending(Conflict):
    """Draft not found or not pending."""

    code = "draft_not_pending"


class DraftChanged(Conflict):
    """The draft was changed after you opened it. Look at the new text, then decide."""

    code = "draft_changed"


class DraftStale(Conflict):
    """The conversation moved on, so this reply was withdrawn."""

    code = "draft_stale"


class TooLateToUndo(Conflict):
    """It is already on its way. Use Retract instead."""

    code = "too_late_to_undo"


class PendingLimitReached(Refused):
    """Maximum pending drafts reached."""

    code = "pending_limit"


class Unspeakable(Invalid):
    """There is nothing to say in this draft."""

    code = "empty_draft"
