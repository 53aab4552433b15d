"""What every table shares."""

from __future__ import annotations

from typing import Final, TypedDict

from django.db import models

from agentapp.foundation.clock import GreenroomNow


class _Keys(TypedDict):
    db_index: bool
    db_constraint: bool


# For relations of tables with a same-workspace key and a wider index on the same column. Each row
# that is written is checked against every foreign key and entered into every index; Django would
# make one of both for each relation once more.
COVERED: Final[_Keys] = {"db_index": False, "db_constraint": False}


class Record(models.Model):
    """A row with the database time at which it was made."""

    created_at = models.DateTimeField(db_default=GreenroomNow(), editable=False)

    class Meta:
        abstract = True
