"""Application services made and removed, and their users among the agents' logins."""

from __future__ import annotations

import json
import re
import secrets
import uuid

from django.conf import settings
from django.db import IntegrityError, transaction

from agentapp.appservices.makers import Service, maker_for
from agentapp.appservices.models import ApplicationService, Ghost
from agentapp.events import services as events
from agentapp.foundation.database import refuse_open_transaction, released_connection
from agentapp.foundation.errors import Conflict, Refused
from agentapp.foundation.secrets import marks, seal, unseal
from agentapp.identity import policy
from agentapp.identity.models import Account, Agent, User, Workspace
from agentapp.identity.platforms import WrongAnswer
from agentapp.identity.policy import Verb
from agentapp.identity.services.logins import add_login

TABLE, COLUMN = "agentapp_applicationservice", "sealed"
TOKEN_BYTES = 32

_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?(?::[0-9]{1,5})?")
_PREFIX = re.compile(r"[a-z0-9][a-z0-9._=-]{0,29}")
_LOCALPART = re.compile(r"[a-z0-9._=/-]{1,100}")


def create(
    *, workspace_id: int, platform: str, domain: str, address: str, prefix: str, by: User
) -> ApplicationService:
    """Make an application service for a homeserver that somebody runs.

    Calls: the homeserver, to see that it is one.
    Writes: ApplicationService. Announces: `appservice.added`.

    Raises:
        NotFound, Refused: The user does not own the workspace.
        WrongAnswer, Unavailable: Something entered does not fit, or nothing answers there.
        Conflict: The workspace has one for this homeserver.
    """
    refuse_open_transaction()
    workspace = policy.get(Workspace, by, pk=workspace_id)
    policy.require(by, Verb.MANAGE, workspace)
    maker = maker_for(platform)
    domain, prefix = domain.strip().lower(), prefix.strip().lower()
    if not _DOMAIN.fullmatch(domain):
        raise WrongAnswer("This is no server's name, such as example.org.", question="domain")
    if not _PREFIX.fullmatch(prefix):
        raise WrongAnswer(
            "Use small letters, digits, dots, dashes and underscores, 30 at most.",
            question="names",
        )
    with released_connection():
        found = maker.find(domain, address.strip())
    service = ApplicationService(
        workspace=workspace, platform=platform, domain=domain, address=found, prefix=prefix
    )
    own, theirs = secrets.token_urlsafe(TOKEN_BYTES), secrets.token_urlsafe(TOKEN_BYTES)
    service.sealed = seal(
        table=TABLE,
        pk=service.pk,
        column=COLUMN,
        text=json.dumps({"own": own, "theirs": theirs}),
    )
    service.token_mark = marks(theirs)[0]
    with transaction.atomic():
        _save_once(service)
        _record("appservice.added", service, by)
    return service


def _save_once(service: ApplicationService) -> None:
    try:
        with transaction.atomic():
            service.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict(f"There is an application service for {service.domain} already.") from error


def opened(service: ApplicationService) -> Service:
    """Return a service with its tokens.

    Raises:
        SecretUnreadable: Its key is missing.
    """
    text = unseal(table=TABLE, pk=service.pk, column=COLUMN, sealed=service.sealed)
    tokens = json.loads(text)
    return Service(
        id=service.pk,
        domain=service.domain,
        address=service.address,
        prefix=service.prefix,
        url=f"{settings.PUBLIC_URL}/appservice/{service.pk}",
        own_token=tokens["own"],
        their_token=tokens["theirs"],
    )


@transaction.atomic
def registration(*, service_id: uuid.UUID, by: User) -> str:
    """Return the file that makes a homeserver know a service; it holds both tokens.

    Announces: `appservice.shown`.

    Raises:
        NotFound, Refused: There is none, or it is not the user's.
    """
    service = managed(service_id, by)
    text = maker_for(service.platform).registration(opened(service))
    _record("appservice.shown", service, by)
    return text


def add_ghost(*, service_id: uuid.UUID, agent_id: int, localpart: str, by: User) -> Account:
    """Make an agent a user of a service's namespace.

    Calls: the homeserver. Writes: Account and its like, as `add_login`; Ghost.

    Raises:
        NotFound, Refused: No such service or agent, or not the user's.
        Conflict, LoginTaken, SecondLogin: The agent is elsewhere, or somebody else is that user.
        WrongAnswer, Unavailable: As the homeserver says. Nothing was saved.
    """
    refuse_open_transaction()
    service = managed(service_id, by)
    agent = policy.get(Agent, by, pk=agent_id)
    policy.require(by, Verb.MANAGE, agent)
    if agent.workspace_id != service.workspace_id:
        raise Refused("This agent lives in another workspace.")
    localpart = localpart.strip().lower().removeprefix("@").partition(":")[0]
    if not localpart.startswith(service.prefix):
        localpart = service.prefix + localpart
    if not _LOCALPART.fullmatch(localpart) or localpart == service.prefix:
        raise WrongAnswer(
            "Use small letters, digits, dots, dashes and underscores.", question="localpart"
        )
    with released_connection():
        proven = maker_for(service.platform).enroll(
            opened(service), localpart=localpart, name=agent.name
        )
    with transaction.atomic():
        account = add_login(
            agent_id=agent.pk,
            platform=service.platform,
            external_id=proven.external_id,
            name=agent.name,
            secret=proven.secret,
            token=proven.token,
            details=proven.details,
            by=by,
        )
        Ghost.objects.update_or_create(account=account, defaults={"service": service})
    return account


def managed(service_id: uuid.UUID, by: User) -> ApplicationService:
    """Return a service that a user may manage.

    Raises:
        NotFound, Refused: There is none, or the user may not.
    """
    service = policy.get(ApplicationService, by, pk=service_id)
    policy.require(by, Verb.MANAGE, service)
    return service


@transaction.atomic
def remove(*, service_id: uuid.UUID, by: User) -> ApplicationService:
    """Remove a service that nobody is a user of any more. Its homeserver is refused from then on.

    Writes: ApplicationService, Ghost, Parcel (gone). Announces: `appservice.removed`.

    Raises:
        NotFound, Refused: There is none, or it is not the user's.
        Conflict: Agents are its users still.
    """
    service = managed(service_id, by)
    service = ApplicationService.objects.select_for_update().get(pk=service.pk)
    left = service.ghosts.exclude(account__state=Account.State.ENDED)
    if left.exists():
        raise Conflict("Remove the logins of its agents first. They leave their rooms then.")
    _record("appservice.removed", service, by)
    service.delete()
    return service


def _record(type_: str, service: ApplicationService, by: User) -> None:
    events.record(
        type=type_,
        subject_kind="appservice",
        subject_id=service.pk,
        workspace_id=service.workspace_id,
        actor_id=by.pk,
        payload={"platform": service.platform, "domain": service.domain},
    )
