"""Approval cards in an owner's direct chat: what they show, and the presses on them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import discord

from agentapp.cards.deciding import SEND, SKIP, Press, decide
from agentapp.cards.showing import CardFace
from bots.bridge import Bridge
from bots.discord.parse import PLATFORM

MOST = 1_900  # characters of a card; Discord allows 2,000
MOST_TEXT = 1_200
_PRESS = re.compile(rf"card:({SEND}|{SKIP}):(\d{{1,18}}):(\d{{1,9}})")
NOTHING = discord.AllowedMentions.none()


def text_of(face: CardFace) -> str:
    """Return a card's words. Those of a direct chat appear after a tap."""
    lines = [f"**{_plain(face.agent)}** in {_plain(face.room)}"]
    if face.answered and not face.is_private:
        lines.append(f"-# {_plain(face.answered_by)}: {_plain(face.answered[:160])}")
    lines.append(_words(face))
    if face.files:
        lines.append(f"-# with {face.files} file{'s' if face.files > 1 else ''}")
    if face.is_tainted:
        lines.append("-# contains strangers' text")
    if face.why and not face.outcome:
        lines.append(f"-# {_plain(face.why)}")
    if face.outcome:
        lines.append(f"**{face.outcome}**")
    return "\n".join(lines)[:MOST]


def view_of(face: CardFace) -> discord.ui.View | None:
    """Return a card's buttons; they stand for the version that it shows, and for no other."""
    if face.outcome:
        return None
    view = discord.ui.View(timeout=None)
    for act, label, style in (
        (SEND, "Send", discord.ButtonStyle.success),
        (SKIP, "Skip", discord.ButtonStyle.secondary),
    ):
        name = f"card:{act}:{face.draft_id}:{face.version}"
        view.add_item(discord.ui.Button(label=label, style=style, custom_id=name))
    return view


def _words(face: CardFace) -> str:
    if face.emoji and not face.text:
        return f"reacts with {face.emoji}"
    words = face.text if len(face.text) <= MOST_TEXT else face.text[:MOST_TEXT] + " …"
    if face.is_private:
        return "||" + words.replace("||", "| |") + "||"
    return "> " + words.replace("\n", "\n> ")


def _plain(text: str) -> str:
    return discord.utils.escape_markdown(" ".join(text.split()))


async def show(client: discord.Client, face: CardFace) -> tuple[str, str]:
    """Put a card into the person's direct chat, or change the one that stands."""
    view, text = view_of(face), text_of(face)
    if face.message:
        place = client.get_partial_messageable(int(face.place))
        message = place.get_partial_message(int(face.message))
        await message.edit(content=text, view=view, allowed_mentions=NOTHING)
        return face.place, face.message
    chat = await client.create_dm(discord.Object(int(face.external_id)))
    send = partial(chat.send, text, nonce=face.key, silent=face.is_silent, allowed_mentions=NOTHING)
    sent = await (send(view=view) if view is not None else send())
    return str(chat.id), str(sent.id)


async def press(interaction: discord.Interaction, *, bridge: Bridge) -> None:
    """Do what was pressed. The card changes when its draft has; what went wrong is said at once."""
    data: Mapping[str, Any] = interaction.data or {}
    found = _PRESS.fullmatch(str(data.get("custom_id", "")))
    await interaction.response.defer()
    if found is None:
        return
    pressed = Press(
        platform=PLATFORM,
        external_id=str(interaction.user.id),
        act=found[1],
        draft_id=int(found[2]),
        version=int(found[3]),
    )
    words = await bridge.call(partial(decide, pressed))
    if words:
        await interaction.followup.send(words, ephemeral=True)
