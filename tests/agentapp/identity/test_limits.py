"""Which number holds, and who decided it."""

from __future__ import annotations

import pytest

from agentapp.identity.limits import HOST_DEFAULTS, Limit, effective


def test_the_narrowest_layer_decides() -> None:
    layers = {
        "workspace": {"agent_chain": 4},
        "agent": {"agent_chain": 3},
        "room": {"agent_chain": 2},
    }
    assert effective("agent_chain") == Limit(5, "host")
    for count, layer in enumerate(layers, start=1):
        given = dict(list(layers.items())[:count])
        assert effective("agent_chain", **given) == Limit(layers[layer]["agent_chain"], layer)


@pytest.mark.parametrize("value", ["3", True, None, -1, [1], {}])
def test_what_is_no_number_is_passed_over(value: object) -> None:
    assert effective("agent_chain", room={"agent_chain": value}).layer == "host"


def test_zero_is_a_number() -> None:
    assert effective("agent_chain", room={"agent_chain": 0}) == Limit(0, "room")


def test_a_limit_nobody_knows_is_an_error() -> None:
    with pytest.raises(KeyError):
        effective("nonsense")


def test_the_defaults_are_those_of_the_product() -> None:
    assert HOST_DEFAULTS["person_turns_10min"] == 10
    assert HOST_DEFAULTS["person_turns_day"] == 60
    assert HOST_DEFAULTS["room_turns_10min"] == 30
    assert HOST_DEFAULTS["unaddressed_turns_hour"] == 3
    assert HOST_DEFAULTS["unaddressed_share"] == 0.10
    assert HOST_DEFAULTS["agent_chain"] == 5
    assert HOST_DEFAULTS["agent_turns_without_human"] == 20
