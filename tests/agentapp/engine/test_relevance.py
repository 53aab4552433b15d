"""How near a message is to what an agent likes, with the real model."""

from __future__ import annotations

from agentapp.engine.relevance import relevance
from agentapp.identity.limits import HOST_DEFAULTS
from tests.agentapp.engine.stage import Stage

GARDENER = ("gardening and growing vegetables",)
PLAYER = ("chess openings",)


def test_what_an_agent_likes_is_nearer_than_what_it_does_not(stage: Stage) -> None:
    near, far, nothing = relevance(
        text="My tomato plants are getting too big for their pots.",
        interests=[GARDENER, PLAYER, ()],
    )
    assert near.similarity > HOST_DEFAULTS["notice_similarity"] > far.similarity
    assert nothing.similarity == 0


def test_a_message_close_to_an_agents_heart_makes_it_join_in(stage: Stage) -> None:
    stage.another_agent("Flora", interests=["growing tomato plants in pots"])
    stage.set_room(dial="joins")
    stage.say("My tomato plant is getting too big for its pot.")
    (begun,) = stage.decide()
    assert begun.turn.agent.name == "Flora"
    assert begun.turn.reasons[0]["code"] == "joins"


def test_small_talk_makes_nobody_join_in(stage: Stage) -> None:
    stage.set_room(dial="joins")
    stage.say("The bus was late again.")
    assert stage.decide() == []
    assert stage.turn(stage.cast.bo).outcome == "not_relevant"
