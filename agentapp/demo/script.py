"""The demo room's cast and what its scripted members say."""

from __future__ import annotations

from dataclasses import dataclass

from agentapp.identity import templates
from agentapp.identity.templates import Template

ROOM_NAME = "The kitchen table"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing a scripted member says; `to` is the code of the agent it addresses, if any."""

    who: str
    text: str
    to: str = ""


@dataclass(frozen=True, slots=True)
class Resident:
    """One of the demo's agents: what it is made from, and whether its words wait for the owner."""

    code: str
    template: Template
    waits: bool = False


MEMBERS: dict[str, str] = {
    "ana": "Ana",
    "ben": "Ben",
    "chloe": "Chloe",
    "deniz": "Deniz",
    "hal": "Hal",
}

AGENTS = (
    Resident("mira", template=templates.COMPANION),
    Resident("otto", template=templates.STORYTELLER),
    Resident("juno", template=templates.LIBRARIAN, waits=True),
)

LINES: tuple[Line, ...] = (
    # The first lines put a draft into the approvals and an answer into the room within seconds.
    Line("ana", "Morning, everybody. Who put the kettle in the fridge?"),
    Line("ben", "Juno, kettle first or toast first?", to="juno"),
    Line("hal", "It was warm. The kettle, I mean. I was being kind to it."),
    Line("ana", "Mira, my exam is on Thursday and I have read half of one page.", to="mira"),
    Line("chloe", "Half a page is a start. I have read half a seed packet."),
    Line("deniz", "I have just come off nights, so please explain everything slowly."),
    Line("deniz", "Mira, what did I miss?", to="mira"),
    Line("ben", "You missed the cat on the roof. Again."),
    Line("ben", "Otto, my cat is called Miso and he believes he is a pigeon.", to="otto"),
    Line("hal", "I believed I was a pigeon once. It passes."),
    Line("chloe", "My tomatoes are out on the balcony, by the way. Kindly do not water them. Hal."),
    Line("hal", "I only sang to them. Nobody said anything about singing."),
    Line("chloe", "Otto, tell us a story about a tomato with ambitions?", to="otto"),
    Line("ana", "This is exactly the kind of thing that will not be in my exam."),
    Line("ben", "It might be. You have read half of one page."),
    Line("deniz", "Should I sleep now or eat first? I can no longer tell."),
    Line("hal", "Eat. Sleep keeps. Soup does not."),
    Line("deniz", "Is there soup?"),
    Line("hal", "There will be, on Sunday. It is Thursday's vegetables with a little optimism."),
    Line("chloe", "Mira, my sister is coming to stay on Sunday. She eats for three.", to="mira"),
    Line("hal", "Then I shall need the large optimism."),
    Line("ana", "All right. Page one, second half. Wish me luck."),
    Line("ben", "Luck. Also: the cat is now inside the piano."),
    Line("ben", "Otto, what is my cat called?", to="otto"),
    Line("chloe", "You had to ask?"),
    Line("ben", "I wanted to see whether anybody listens in this house."),
    Line("deniz", "I have decided. Toast. Thank you for coming to this announcement."),
    Line("hal", "Juno, any advice about a piano that purrs?", to="juno"),
    Line("ana", "I found a spoon in my textbook. At page two. Whose is it?"),
    Line("chloe", "What kind of spoon?"),
    Line("ana", "A sad one."),
    Line("ana", "Otto, tell us a story about a sad spoon?", to="otto"),
    Line("hal", "That spoon was a wedding present. I shall say no more."),
    Line("ben", "He will say more."),
    Line("hal", "It was raining, and my aunt had brought the wrong box."),
    Line("deniz", "I am going to bed before the aunt gets going. Good night, all."),
    Line("chloe", "It is nine in the morning."),
    Line("deniz", "For you."),
    Line("ana", "Mira, when is my exam?", to="mira"),
    Line("ben", "It has not moved, then."),
    Line("ana", "I was hoping."),
    Line("chloe", "Juno, basil or parsley for the soup on Sunday?", to="juno"),
    Line("hal", "Both, in that order, and then nobody mentions it again."),
    Line("chloe", "My sister does not eat parsley, I have just remembered."),
    Line("hal", "Then we shall mention it to her beforehand."),
    Line("chloe", "Mira, what is Ben's cat called?", to="mira"),
    Line("ben", "Discreet. I like that."),
    Line("ben", "He has come out of the piano, for those who follow the story."),
    Line("hal", "Otto, a riddle for the table, please.", to="otto"),
    Line("ana", "I have a guess, but I am supposed to be at page three."),
    Line("chloe", "Say it. Page three will wait. It has been printed."),
    Line("ana", "A hole?"),
    Line("hal", "I had a sock like that."),
    Line("ben", "Everybody has had a sock like that."),
    Line("chloe", "Mira, when is my sister coming?", to="mira"),
    Line("hal", "Then I start chopping on Saturday. Who is with me?"),
    Line("ana", "Me, if I am still a person after the exam."),
    Line("ben", "Me, if the cat lets me out."),
    Line("chloe", "Me, and I bring the tomatoes. The ones nobody sang to."),
    Line("hal", "There are no such tomatoes."),
    Line("ana", "Thank you, Mira. I feel almost prepared.", to="mira"),
    Line("hal", "I have put the kettle back, by the way. It misses the fridge."),
)

# From here the talk can go round: nothing after it needs to be heard only once.
LOOP_FROM = 21
