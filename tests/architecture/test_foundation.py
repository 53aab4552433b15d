"""The bottom layer holds what its decision record lists, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "docs" / "adr" / "0008-foundation-is-a-closed-list.md"


def test_the_foundation_is_what_its_decision_record_lists() -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", RECORD.read_text(), flags=re.MULTILINE))
    paths = (ROOT / "agentapp" / "foundation").iterdir()
    present = {
        path.stem for path in paths if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert present - {"__init__"} == listed
