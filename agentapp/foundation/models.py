"""What every table shares."""

from __future__ import annotations

from django.db import models

from agentapp.foundation.clock import GreenroomNow


class Record(models.Model):
    """A row with the database time at which it was made."""

    created_at = models.DateTimeField(db_default=GreenroomNow(), editable=False)

    class Meta:
        abstract = True
