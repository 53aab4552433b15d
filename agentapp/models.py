"""Collects every slice's tables for Django; imported by nobody else."""

from __future__ import annotations

from agentapp.appservices.models import *  # noqa: F403
from agentapp.cards.models import *  # noqa: F403
from agentapp.commands.models import *  # noqa: F403
from agentapp.conversation.models import *  # noqa: F403
from agentapp.demo.models import *  # noqa: F403
from agentapp.drafts.models import *  # noqa: F403
from agentapp.events.models import *  # noqa: F403
from agentapp.feedback.models import *  # noqa: F403
from agentapp.files.models import *  # noqa: F403
from agentapp.identity.models import *  # noqa: F403
from agentapp.intake.models import *  # noqa: F403
from agentapp.keyring.models import *  # noqa: F403
from agentapp.llm.models import *  # noqa: F403
from agentapp.memory.models import *  # noqa: F403
from agentapp.moderation.models import *  # noqa: F403
from agentapp.notifications.models import *  # noqa: F403
from agentapp.presence.models import *  # noqa: F403
from agentapp.relations.models import *  # noqa: F403
from agentapp.safety.models import *  # noqa: F403
from agentapp.tools.models import *  # noqa: F403
from agentapp.turns.models import *  # noqa: F403
