"""Statements whose SQL is worked out once per process.

Building and compiling a queryset costs Django several times the processor time that Postgres
needs to answer it. A prepared statement pays that once; afterwards only its parameters are sent,
under the same text, so that the server keeps its plan as well.
"""

from __future__ import annotations

from agentapp.foundation.prepared.arrays import array
from agentapp.foundation.prepared.reads import Prepared, prepared, prepared_by
from agentapp.foundation.prepared.texts import planned
from agentapp.foundation.prepared.writes import (
    Change,
    PreparedUpdate,
    insert,
    insert_many,
    prepared_update,
)

__all__ = [
    "Change",
    "Prepared",
    "PreparedUpdate",
    "array",
    "insert",
    "insert_many",
    "planned",
    "prepared",
    "prepared_by",
    "prepared_update",
]
