"""The homeserver of the tests is a real one, and its absence is a failure that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import synapse as fixture
from tests.fakes.synapse import Synapse, SynapseProblem


def test_two_users_share_a_room(synapse: Synapse) -> None:
    ann, ben = synapse.user("ann"), synapse.user("ben")
    room = synapse.call(
        "POST", "/_matrix/client/v3/createRoom", {"invite": [ben.user_id]}, token=ann.token
    )["room_id"]
    synapse.call("POST", f"/_matrix/client/v3/join/{room}", {}, token=ben.token)
    joined = synapse.call("GET", f"/_matrix/client/v3/rooms/{room}/joined_members", token=ann.token)
    assert set(joined["joined"]) == {ann.user_id, ben.user_id}


def test_what_it_knows_survives_a_restart(synapse: Synapse) -> None:
    ann = synapse.user("ann")
    synapse.restart()
    who = synapse.call("GET", "/_matrix/client/v3/account/whoami", token=ann.token)
    assert who["user_id"] == ann.user_id


def test_without_synapse_the_tests_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fixture, "PYTHON", tmp_path / "nowhere")
    with pytest.raises(SynapseProblem, match="make setup"):
        Synapse(tmp_path).start()
