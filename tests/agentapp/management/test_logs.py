from __future__ import annotations

import os
from pathlib import Path

from agentapp.management.stack.logs import cap_log


def test_a_grown_log_is_moved_and_its_writer_goes_on_at_the_start(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    writer = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(writer, b"old line\n" * 20)
    assert cap_log(log, limit_bytes=100)
    os.write(writer, b"new line\n")
    os.close(writer)
    assert log.read_text() == "new line\n"
    assert (tmp_path / "web.log.1").read_text() == "old line\n" * 20


def test_only_one_older_log_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    for text in ("first" * 50, "second" * 50):
        log.write_text(text)
        assert cap_log(log, limit_bytes=100)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["web.log", "web.log.1"]
    assert (tmp_path / "web.log.1").read_text() == "second" * 50


def test_a_short_or_missing_log_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("short")
    assert not cap_log(log, limit_bytes=100)
    assert log.read_text() == "short"
    assert not cap_log(tmp_path / "none.log", limit_bytes=100)
