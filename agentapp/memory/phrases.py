"""The wordings by which people tell about themselves, in English and German.

They expect the straight apostrophe. Every pattern is linear: no repeated group may match the same
text in two ways.
"""

from __future__ import annotations

import re
from typing import Final


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


FOREIGN: Final = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
"""Code is not something a person says about themselves."""

QUOTED: Final = re.compile(r"[\"“„«][^\"”“»]*[\"”“»]")

# A full stop after an abbreviation or a day's number ("am 3. Mai") ends no sentence.
SENTENCE_END: Final = re.compile(
    r"(?<=[.!?…])(?<!\bdr\.)(?<!\bmr\.)(?<!\bms\.)(?<!\bmrs\.)(?<!\bst\.)(?<!\bca\.)(?<!\bnr\.)"
    r"(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bz\.B\.)(?<!\bprof\.)(?<![ ]\d\.)(?<![ ]\d\d\.)\s+",
    re.IGNORECASE,
)

_CALL = r"hey|hi|hello|hallo|moin|servus|ok|okay|yes|yeah|ja|no|nein|well|oh|so|also|btw|by the way"
GREETING: Final = re.compile(
    rf"^(?:@[\w.-]+[,:]?\s+)?(?:(?:{_CALL})\b[,!:]?\s+)?(?:@[\w.-]+[,:]?\s+)?(?:(?:and|und)\s+)?",
    re.IGNORECASE,
)

_ASKS = (
    r"what|who|whom|whose|where|when|why|which|how|do|does|did|can|could|would|will|shall|should|"
    r"is|are|was|were|am i|have you|has|any|anyone|know|"
    r"was|wer|wen|wem|wo|woher|wohin|wann|warum|wieso|weshalb|welche[rsnm]?|wie|kannst|könntest|"
    r"kann|könnte|magst|willst|weißt|weisst|hast|habt|hat|bist|ist|sind|soll|sollte|darf|gibt"
)
_COMMANDS = (
    r"please|tell|show|give|write|say|send|make|explain|help|translate|list|find|search|look|"
    r"repeat|stop|ignore|pretend|act|let'?s|let us|imagine|if|unless|suppose|"
    r"bitte|sag|sage|zeig|zeige|gib|schreib|schreibe|schick|mach|mache|erklär|erkläre|hilf|"
    r"übersetze|such|suche|wiederhole|hör|stell dir vor|tu so|lass|wenn|falls"
)
OPENS_QUESTION_OR_COMMAND: Final = re.compile(
    rf"^(?:[/!]|(?:{_ASKS}|{_COMMANDS})\b)", re.IGNORECASE
)
TRAILING_QUESTION: Final = re.compile(
    rf"^(?P<told>.{{1,300}}?)\s*[,;\u2013\u2014-]\s*(?:(?:and|but|so|und|aber)\s+)?(?:{_ASKS})\b.*\?$",
    re.IGNORECASE,
)

ASKED_TO_KEEP: Final = _any(
    r"^(?:please |can you )?remember(?: that\b|:| my\b| i\b|,)",
    r"^(?:please )?(?:do not|don'?t|never) forget(?: that\b|:| my\b| i\b|,)",
    r"^(?:please )?(?:keep in mind|note)(?: that\b|:| my\b| i\b|,)",
    r"^(?:bitte )?(?:merk|merke) dir\b",
    r"^(?:bitte )?(?:vergiss nicht|denk daran|denk dran|behalte im kopf)\b",
    r"^bitte (?:merken|nicht vergessen)\b",
)

NAMES: Final = _any(
    r"\bmy (?:\w+ )?name(?:'s)? ",
    r"\b(?:call|nenn|nennt) (?:me|mich)\b",
    r"\b(?:is|are) (?:called|named)\b",
    r"\bmein(?:e|er|em|en)? (?:\w+ )?name ",
    r"\bich hei(?:ß|ss)e\b",
    r"\b(?:heißt|heisst|heißen|heissen)\b",
)

_MONTHS = (
    r"january|february|march|april|june|july|august|september|october|november|december|"
    r"januar|februar|märz|juni|juli|oktober|dezember"
)
_DAYS = (
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)day|"
    r"montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag"
)
DATES: Final = _any(
    rf"\b(?:{_DAYS})s?\b",
    rf"\b(?:{_MONTHS})\b",
    r"\b(?:on|in|until|by|since) may\b|\bmay \d|\b\d{1,2}\.? mai\b|\bim mai\b",
    r"\b(?:today|tonight|tomorrow|yesterday|next (?:week|month|year)|this (?:week|weekend))\b",
    r"\b(?:heute|morgen|übermorgen|gestern|nächste[ns]? (?:woche|monat|jahr)|am wochenende)\b",
    r"\b\d{1,2}[./]\d{1,2}\b|\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}(?::\d{2})? ?(?:am|pm|uhr)\b",
)

THIS_DAY: Final = _any(
    r"\b(?:today|tonight|yesterday|right now|this (?:morning|afternoon|evening))\b",
    r"\b(?:heute|gestern|gerade jetzt|im moment)\b",
)

_AM = r"(?:'m| am| was)"
_HAVE = r"(?:'ve| have| had|'ll have)"
_PASSING = (
    r"(?:sorry|fine|ok|okay|good|sure|back|here|afraid|done|ready|glad|happy to|not sure|just "
    r"(?:asking|kidding|wondering|saying|curious)|wondering|curious|asking|thinking|talking|"
    r"saying|kidding|looking for|trying)\b"
)
_DOES = (
    r"live|work|study|studied|worked|lived|like|love|hate|dislike|prefer|enjoy|speak|play|own|"
    r"drive|drink|eat|cook|collect|teach|learn|grew up|was born|moved|got|bought|sold|lost|"
    r"started|stopped|quit|married|graduated|come from|came from|used to|always|usually|never|"
    r"sometimes|often|can'?t|cannot|suffer|want to|need to|plan|hope to|dream|miss|broke|passed|"
    r"failed|adopted|would love|fear|believe in|support|follow|read|wear|run"
)
_WILL = r"be|have|become|move|start|travel|fly|visit|marry|get married|study|work|live|turn"
_DENIED = (
    r"(?:like|eat|drink|have|own|drive|speak|work|live|want|smoke|play|enjoy|sleep|believe in)"
)
_TUT = (
    r"bin|war|habe|hab|hatte|heiße|heisse|wohne|wohnte|lebe|lebte|arbeite|arbeitete|mag|liebe|"
    r"hasse|studiere|lerne|spreche|spiele|komme aus|trinke|esse|koche|fahre|werde|möchte|brauche|"
    r"fürchte|vermisse|sammle|lese|ziehe|zog|kann nicht|darf nicht|vertrage"
)
_FLEETING = (
    r"(?:gut|gleich|wieder|da|hier|fertig|bereit|sicher|froh|mir (?:nicht )?sicher|"
    r"(?:ei)?ne frage|keine ahnung|verstanden|nur neugierig)\b"
)
_IST = r"ist|sind|war|waren|hei(?:ß|ss)t|hei(?:ß|ss)en|hat|haben|wird|wohnt|lebt|arbeitet|mag|kommt"
_IS = (
    r"is|are|was|were|has|have|had|will|can|likes?|loves?|hates?|lives?|works?|got|comes?|starts?|"
    r"died|broke|needs?|wants?|called|named|turns?|turned|moved|studies|passed|begins?|ends?"
)
ABOUT_AUTHOR: Final = _any(
    rf"\b(?:my|our) (?:[\w'-]+ ){{1,5}}(?:{_IS})\b",
    r"\b(?:my|our) [\w' -]{2,40}'s ",
    r"\b(?:is|are|was|were|'s) (?:my|our) \w",
    rf"\bI{_AM} (?!{_PASSING})\w",
    rf"\bI{_HAVE} (?!a question|an idea|no idea|to go|to ask|seen|read)\w",
    rf"\bI(?: really| also| still| just| only)? (?:{_DOES})\b",
    rf"\bI(?:'ll| will|'m going to| am going to) (?:{_WILL})\b|\bI'd love \w",
    rf"\bI (?:do not|don'?t|did not|didn'?t) (?:really )?{_DENIED}\b",
    r"\bwe (?:are|have|had|live|lived|moved|got|bought|married|adopted|own|expect) ",
    r"\bcall me \w",
    rf"\b(?:mein|meine|meiner|meinem|meinen|unser|unsere) (?:[\w-]+ ){{1,5}}(?:{_IST})\b",
    r"\b(?:ist|sind|war|waren|hei(?:ß|ss)t) (?:mein|meine|unser|unsere)\b",
    rf"\bich (?:{_TUT}) (?!{_FLEETING})\w",
    rf"\b(?:{_TUT}) ich (?!{_FLEETING})\w",
    r"\bwir (?:sind|haben|hatten|wohnen|leben|ziehen|zogen|heiraten|erwarten) \w",
    r"\bnenn(?:t)? mich \w",
)

# Words by which somebody speaks of themselves. Languages that leave the pronoun out name their
# commonest verbs instead.
SPEAKS_OF_SELF: Final = _any(
    r"\b(?:i|i'm|i've|i'll|i'd|me|my|mine|myself|we|our|ours|us)\b",
    r"\b(?:ich|mich|mir|mein(?:e[rnms]?)?|wir|uns|unser(?:e[rnms]?)?)\b",
    r"\b(?:je|j['\u2019]\w+|moi|mon|ma|mes|nous|notre|nos)\b",
    r"\b(?:yo|mi|mis|me|nosotros|nuestr[oa]s?|soy|estoy|tengo|vivo|trabajo|quiero|voy|fui)\b",
    r"\b(?:io|mio|mia|miei|mie|noi|nostr[oa]|sono|ho|abito|lavoro|voglio|vado)\b",
    r"\b(?:eu|meu|minha|meus|minhas|n\u00f3s|nosso|nossa|sou|estou|tenho|moro|trabalho|gosto)\b",
    r"\b(?:ik|mij|mijn|wij|ons|onze)\b",
    r"\b(?:ja|mnie|m\u00f3j|moja|moje|jestem|mam|mieszkam|lubi\u0119|pracuj\u0119)\b",
    r"\b(?:\u044f|\u043c\u0435\u043d\u044f|\u043c\u043d\u0435|\u043c\u043e\u0439|\u043c\u043e\u044f|\u043c\u043e\u0451|\u043c\u043e\u0438|\u043c\u044b|\u043d\u0430\u0448\w*)\b",
)

# Never kept, whoever asks: credentials; rights that only the host can grant; orders dressed up
# as something to remember, which would work on the agent for ever.
UNWANTED: Final = _any(
    r"https?:|www\.",
    r"\b(?:password|passwort|passphrase|passcode|pin|cvv|iban|api[ -]?key|secret key|private key|"
    r"access token|seed phrase|credit card|kreditkarte|kennwort|zugangsdaten|social security)\b",
    r"\bsk-[\w-]{12,}|\b\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{1,7}\b",
    r"\b(?:i am|i'm|ich bin|me as|mich als) (?:your|the|dein|deine|der|die|an?|ein|eine)? ?"
    r"(?:owner|admin|administrator|administratorin|moderator|moderatorin|operator|creator|"
    r"developer of you|besitzer|besitzerin|eigentümer|eigentümerin|betreiber|betreiberin)\b",
    r"\b(?:allowed|authori[sz]ed|permitted|entitled) to\b|\b(?:permission|erlaubnis|berechtigt)\b",
    r"\byou (?:must|should|shall|have to|need to|are|will|can|may|always|never)\b",
    r"\bdu (?:musst|sollst|solltest|bist|wirst|kannst|darfst|immer|nie)\b",
    r"\b(?:system prompt|your (?:instructions|rules|prompt)|deine (?:anweisungen|regeln))\b",
    r"\b(?:ignore|ignoriere|disregard) (?:all|any|previous|the|alle|vorherige)\b",
)

# In a summary nobody's rank is told: what the host grants it knows better than any talk.
RANKS: Final = _any(
    r"\b(?:owner|admin|administrator|moderator|operator|creator|developer|superuser|root)s?\b",
    r"\b(?:besitzer|eigentümer|betreiber|administrator|moderator|entwickler)(?:in|s)?\b",
)
