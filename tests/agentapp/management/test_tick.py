from __future__ import annotations

from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from agentapp.demo import services
from tests.cast import Cast


@pytest.mark.parametrize("name", sorted(settings.CELERY_BEAT_SCHEDULE))
@pytest.mark.usefixtures("live_cast")
def test_every_row_of_the_beat_table_can_be_run_by_hand(name: str) -> None:
    said = StringIO()
    call_command("tick", name, stdout=said)
    assert said.getvalue().startswith(f"{name}: ")


def test_a_tick_does_its_work(live_cast: Cast) -> None:
    services.start(user=live_cast.root)
    said = StringIO()
    call_command("tick", "demo", stdout=said)
    assert said.getvalue() == "demo: 1\n"


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("tick", "nothing")
