"""A summary is read as one, with its day, and not as something that was said."""

from __future__ import annotations

import json

from agentapp.memory.models import Memory
from tests.agentapp.engine.stage import Stage


def test_a_model_is_told_what_is_a_summary_and_when_the_talk_was(live: Stage) -> None:
    person = live.cast.identity(live.cast.sam).person
    for kind, text in (("summary", "Sam told of exams."), ("episode", "I teach chemistry.")):
        Memory.objects.create(
            workspace=live.cast.workspace,
            agent=live.cast.bo,
            person=person,
            room=live.cast.lounge,
            audience="public",
            kind=kind,
            text=text,
            text_hash=kind,
        )

    live.say("@Bo what did I say of exams and chemistry?")
    live.run()

    words = live.server.completions()[-1].body["messages"][-1]["content"]
    block = words.partition('<untrusted kind="memories">')[2].partition("</untrusted>")[0]
    summary, said = sorted(map(json.loads, block.split("\n")[1:-1]), key=lambda row: "said" in row)
    day = Memory.objects.all()[0].created_at.date().isoformat()
    assert summary == {"kind": "summary of a talk", "talk_on": day, "text": "Sam told of exams."}
    assert said == {"said": day, "text": "I teach chemistry."}
