"""What is said on the fake arrives at discord.py, and what discord.py says stands on the fake."""

from __future__ import annotations

import io

import discord as library
import pytest

from tests.fakes.discord import Discord, Shown
from tests.fakes.discord.guest import Guest
from tests.fakes.discord.speech import NONCE_SECONDS

SEND = "POST /channels/{channel}/messages"


def test_a_reply_shows_and_rings_only_whom_it_may(discord: Discord) -> None:
    bot = discord.bot("reed")
    pond = discord.guild("Pond", bot)
    lobby, anna, bert = pond.channel("lobby"), pond.member("anna"), pond.member("bert")
    with Guest(bot.token) as guest:
        guest.ready()
        anna.says(lobby, "who is there?")
        heard = guest.hears("message")
        text = f"me, {bert.mention} and @everyone"
        nobody = library.AllowedMentions.none()
        guest.does(heard.reply(text, allowed_mentions=nobody))
        anna_alone = library.AllowedMentions(users=[heard.author], replied_user=False)
        guest.does(heard.reply(f"{anna.mention} {bert.mention}", allowed_mentions=anna_alone))
        guest.does(heard.reply("and you"))
        own = guest.hears("message", lambda said: said.content == text)
    assert lobby.shows()[:2] == [Shown("anna", "who is there?"), Shown("reed", text)]
    assert [one.mentions for one in lobby.messages()] == [set(), set(), {"anna"}, {"anna"}]
    assert lobby.said(text).answers == heard.id
    assert own.reference.message_id == heard.id
    assert own.reference.resolved.content == "who is there?"


def test_a_reply_to_what_is_gone_is_refused_unless_that_is_fine(discord: Discord) -> None:
    bot = discord.bot("reed")
    pond = discord.guild("Pond", bot)
    lobby, anna = pond.channel("lobby"), pond.member("anna")
    with Guest(bot.token) as guest:
        guest.ready()
        question = anna.says(lobby, "hm?")
        heard = guest.hears("message")
        anna.deletes(question)
        with pytest.raises(library.HTTPException) as refused:
            guest.does(heard.reply("yes?"))
        gone = heard.to_reference(fail_if_not_exists=False)
        guest.does(guest.channel(lobby.id).send("yes?", reference=gone))
    assert refused.value.code == 50035
    assert lobby.shows() == [Shown("reed", "yes?")]


def test_people_edit_delete_and_react(discord: Discord) -> None:
    bot = discord.bot("reed")
    pond = discord.guild("Pond", bot)
    lobby, anna = pond.channel("lobby"), pond.member("anna")
    with Guest(bot.token, max_messages=None) as guest:
        guest.ready()
        first, second = anna.says(lobby, "frist"), anna.says(lobby, "second")
        anna.edits(first, "first")
        anna.reacts(second, "👍")
        anna.unreacts(second, "👍")
        anna.deletes(second)
        anna.types(lobby)
        edit = guest.hears("raw_message_edit")
        assert edit.data["content"] == "first"
        assert guest.hears("raw_reaction_add").user_id == anna.id
        assert str(guest.hears("raw_reaction_remove").emoji) == "👍"
        assert guest.hears("raw_message_delete").message_id == second.id
        assert guest.hears("raw_typing").user_id == anna.id
    assert lobby.shows() == [Shown("anna", "first")]


def test_a_moderator_deletes_many_at_once(discord: Discord) -> None:
    bot = discord.bot("reed")
    pond = discord.guild("Pond", bot)
    lobby, anna, mona = pond.channel("lobby"), pond.member("anna"), pond.moderator("mona")
    with Guest(bot.token) as guest:
        guest.ready()
        said = [anna.says(lobby, text) for text in ("buy", "this", "now")]
        mona.deletes(*said)
        assert guest.hears("raw_bulk_message_delete").message_ids == {one.id for one in said}
    assert lobby.shows() == []


def test_a_bot_edits_deletes_and_reacts(discord: Discord) -> None:
    bot = discord.bot("reed")
    pond = discord.guild("Pond", bot)
    lobby, anna = pond.channel("lobby"), pond.member("anna")
    hello = anna.says(lobby, "hello")
    with Guest(bot.token) as guest:
        guest.ready()
        own = guest.does(guest.channel(lobby.id).send("helo"))
        slip = guest.does(guest.channel(lobby.id).send("oops"))
        guest.does(own.edit(content="hello!"))
        guest.does(slip.delete())
        theirs = guest.channel(lobby.id).get_partial_message(hello.id)
        guest.does(theirs.add_reaction("🌊"))
        guest.does(theirs.add_reaction("👍"))
        guest.does(theirs.remove_reaction("👍", library.Object(bot.id)))
        with pytest.raises(library.Forbidden):
            guest.does(theirs.edit(content="goodbye"))
        with pytest.raises(library.Forbidden):
            guest.does(theirs.delete())
    assert lobby.shows() == [Shown("anna", "hello"), Shown("reed", "hello!")]
    assert hello.reactions == {"🌊": {"reed"}}


def test_a_nonce_shows_once_for_some_minutes_and_is_not_kept(discord: Discord) -> None:
    bot = discord.bot("reed")
    lobby = discord.guild("Pond", bot).channel("lobby")
    with Guest(bot.token) as guest:
        guest.ready()
        place = guest.channel(lobby.id)
        first = guest.does(place.send("once", nonce="a" * 22))
        again = guest.does(place.send("once", nonce="a" * 22))
        assert first.id == again.id
        assert guest.hears("message").nonce == "a" * 22
        assert guest.does(place.fetch_message(first.id)).nonce is None
        discord.advance(NONCE_SECONDS + 1)
        assert guest.does(place.send("once", nonce="a" * 22)).id != first.id
        with pytest.raises(library.HTTPException) as refused:
            guest.does(place.send("never", nonce="a" * 26))
    assert refused.value.code == 50035
    assert lobby.shows() == [Shown("reed", "once")] * 2
    assert discord.messages_created == 2


def test_the_past_is_paged_in_both_directions(discord: Discord) -> None:
    bot = discord.bot("reed")
    pond = discord.guild("Pond", bot)
    lobby, anna = pond.channel("lobby"), pond.member("anna")
    said = [anna.says(lobby, f"line {n}") for n in range(230)]
    with Guest(bot.token) as guest:
        guest.ready()
        place = guest.channel(lobby.id)

        async def read(**asked: object) -> list[str]:
            return [one.content async for one in place.history(**asked)]

        after = library.Object(said[9].id)
        texts = [one.text for one in said]
        found = guest.does(read(after=after, oldest_first=True, limit=None))
        assert found == texts[10:]
        assert guest.does(read(limit=3)) == texts[:-4:-1]
        before = library.Object(said[100].id)
        assert guest.does(read(before=before, limit=2)) == [texts[99], texts[98]]
        around = library.Object(said[50].id)
        assert set(guest.does(read(around=around, limit=5))) == set(texts[48:53])
    assert discord.answers("GET /channels/{channel}/messages") == [200] * 6


def test_dms_go_both_ways_until_they_are_refused(discord: Discord) -> None:
    bot = discord.bot("reed")
    anna = discord.guild("Pond", bot).member("anna")
    dm = anna.dm(bot)
    with Guest(bot.token) as guest:
        guest.ready()
        anna.says(dm, "psst")
        heard = guest.hears("message")
        assert isinstance(heard.channel, library.DMChannel)
        guest.does(heard.channel.send("yes?"))
        guest.does(guest.does(guest.client.fetch_user(anna.id)).send("really?"))
        anna.refuses_dms()
        with pytest.raises(library.Forbidden) as refused:
            guest.does(heard.channel.send("hello?"))
    assert refused.value.code == 50007
    assert [one.text for one in dm.shows()] == ["psst", "yes?", "really?"]


def test_threads_and_forum_posts(discord: Discord) -> None:
    bot = discord.bot("reed")
    pond = discord.guild("Pond", bot)
    lobby, forum, anna = pond.channel("lobby"), pond.forum("ideas"), pond.member("anna")
    with Guest(bot.token) as guest:
        guest.ready()
        start = anna.says(lobby, "let us talk about this")
        thread = anna.opens_thread(lobby, "this", on=start)
        assert thread.id == start.id
        assert guest.hears("thread_create").parent_id == lobby.id
        anna.says(thread, "inside")
        heard = guest.hears("message", lambda said: said.content == "inside")
        assert isinstance(heard.channel, library.Thread)
        guest.does(heard.reply("here too"))

        own = guest.does(
            guest.client.get_channel(lobby.id).create_thread(name="mine", message=None)
        )  # type: ignore[union-attr]
        guest.does(own.send("first"))
        opened = guest.does(guest.place(forum.id).create_thread(name="idea", content="what if"))
        assert opened.message.id == opened.thread.id
        post = anna.posts(forum, "another", "or else")
        assert guest.hears("message", lambda said: said.content == "or else").channel.id == post.id
        active = guest.does(guest.client.guilds[0].active_threads())
        assert {one.name for one in active} == {"this", "idea", "another", "mine"}
        guest.does(opened.thread.edit(archived=True))
        guest.hears("thread_update")
        active = guest.does(guest.client.guilds[0].active_threads())
        assert "idea" not in {one.name for one in active}
    assert [one.text for one in thread.shows()] == ["", "inside", "here too"]
    assert [one.text for one in post.shows()] == ["or else"]


def test_files_go_up_and_down(discord: Discord) -> None:
    bot = discord.bot("reed")
    pond = discord.guild("Pond", bot)
    lobby, anna = pond.channel("lobby"), pond.member("anna")
    data = bytes(range(256)) * 40
    with Guest(bot.token) as guest:
        guest.ready()
        anna.says(lobby, "look", files={"duck.png": data})
        seen = guest.hears("message").attachments[0]
        assert (seen.filename, seen.size, seen.content_type) == ("duck.png", len(data), "image/png")
        assert guest.does(seen.read()) == data
        notes = library.File(io.BytesIO(b"notes"), "notes.txt", description="what I think")
        mine = guest.does(guest.channel(lobby.id).send("here", file=notes, nonce="n1"))
        assert guest.does(mine.attachments[0].read()) == b"notes"
        assert mine.attachments[0].description == "what I think"
        big = library.File(io.BytesIO(b"x" * (10 * 1024 * 1024 + 1)), "big.bin")
        with pytest.raises(library.HTTPException) as refused:
            guest.does(guest.channel(lobby.id).send(file=big))
    assert refused.value.code == 40005
    assert lobby.said("here").files == {"notes.txt": b"notes"}


def test_without_the_content_intent_only_what_is_meant_for_one_is_readable(
    discord: Discord,
) -> None:
    bot = discord.bot("reed", privileged=0)
    pond = discord.guild("Pond", bot)
    lobby, anna = pond.channel("lobby"), pond.member("anna")
    plain = library.Intents(guilds=True, messages=True)
    with Guest(bot.token, intents=plain) as guest:
        guest.ready()
        anna.says(lobby, "among us")
        anna.says(lobby, f"{bot.mention} for you")
        anna.says(anna.dm(bot), "for you alone")
        guest.hears("message", lambda said: said.content == "for you alone")
        assert guest.texts() == ["", f"{bot.mention} for you", "for you alone"]

        async def read() -> list[str]:
            return [one.content async for one in guest.channel(lobby.id).history()]

        assert guest.does(read()) == [f"{bot.mention} for you", ""]


def test_nobody_hears_what_they_did_not_ask_for_or_may_not_see(discord: Discord) -> None:
    bot = discord.bot("reed")
    pond = discord.guild("Pond", bot)
    lobby, cellar, anna = pond.channel("lobby"), pond.channel("cellar"), pond.member("anna")
    cellar.denies(bot, "view_channel")
    only_messages = library.Intents(guilds=True, guild_messages=True, message_content=True)
    with Guest(bot.token, intents=only_messages) as guest:
        guest.ready()
        anna.says(cellar, "secret")
        anna.reacts(anna.says(lobby, "open"), "👍")
        anna.says(anna.dm(bot), "psst")
        anna.says(lobby, "end")
        guest.hears("message", lambda said: said.content == "end")
        assert guest.texts() == ["open", "end"]
        assert "raw_reaction_add" not in {name for name, _ in guest.heard}
        with pytest.raises(library.Forbidden) as refused:
            guest.does(guest.channel(cellar.id).send("hello?"))
    assert refused.value.code == 50001


def test_refusals_have_discords_own_codes(discord: Discord) -> None:
    bot = discord.bot("reed")
    pond = discord.guild("Pond", bot)
    lobby, stage = pond.channel("lobby"), pond.channel("stage")
    stage.denies(bot, "send_messages")
    with Guest(bot.token) as guest:
        guest.ready()

        def refusal(channel_id: int, text: str) -> int:
            with pytest.raises(library.HTTPException) as refused:
                guest.does(guest.channel(channel_id).send(text))
            return refused.value.code

        assert refusal(stage.id, "hello") == 50013
        assert refusal(lobby.id, "x" * 2001) == 50035
        assert refusal(lobby.id, "   ") == 50006
        assert refusal(1, "hello") == 10003
        with pytest.raises(library.NotFound) as refused:
            guest.does(guest.channel(lobby.id).fetch_message(1))
        assert refused.value.code == 10008
        guest.does(guest.channel(lobby.id).send("😀" * 2000))
    assert discord.answers(SEND) == [403, 400, 400, 404, 200]


def test_a_bot_that_is_kicked_hears_of_it(discord: Discord) -> None:
    bot = discord.bot("reed")
    pond = discord.guild("Pond", bot)
    lobby = pond.channel("lobby")
    with Guest(bot.token) as guest:
        guest.ready()
        lobby.vanishes()
        assert guest.hears("guild_channel_delete").name == "lobby"
        pond.removes(bot)
        assert guest.hears("guild_remove").id == pond.id
        pond.welcomes(bot)
        assert guest.hears("guild_join").id == pond.id
