"""Collects every slice's tables for Django; imported by nobody else."""

# ruff: noqa: F403 - Django looks for the tables of an app in this one module

from __future__ import annotations

from agentapp.appservices.models import *
from agentapp.cards.models import *
from agentapp.commands.models import *
from agentapp.conversation.models import *
from agentapp.demo.models import *
from agentapp.drafts.models import *
from agentapp.events.models import *
from agentapp.feedback.models import *
from agentapp.files.models import *
from agentapp.identity.models import *
from agentapp.intake.models import *
from agentapp.keyring.models import *
from agentapp.llm.models import *
from agentapp.memory.models import *
from agentapp.moderation.models import *
from agentapp.notifications.models import *
from agentapp.presence.models import *
from agentapp.relations.models import *
from agentapp.safety.models import *
from agentapp.tools.models import *
from agentapp.turns.models import *
