# SPDX-License-Identifier: Apache-2.0
"""The person's words verbatim: whether they state a value, as a whole, and for what purpose.

A value is stated where the words contain it unchanged, with white space or punctuation around it. Nothing is
decoded or removed from the value. A part of a name of several words is not stated: `Bob` could select any
person of that name, although the person wrote `Bob Stone`.

The word that leads to a value shows whether something goes there (`addressed`): `to`, `in`, a verb with a
person as its object. Where the words do not decide this, the code does not guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from remit.core.flow.language.gloss import glossed
from remit.core.flow.language.quotation import divided
from remit.core.flow.language.word_forms import some
from remit.core.flow.values.strict_reading import BLANKS, MARKS, composed, small, worded_forms

MAX_HEARD = 160_000
"""Characters of a person's words that are read; later words state nothing."""
MAX_VALUE = 400
"""Most characters of a text that the words can state."""
MAX_KNOWN = 1_000
"""Most answers that are cached until more words are added."""
MAX_PLACES = 50
"""Most places in the words that are found for a value."""
_LINE_END = re.compile(r"(?<![:,.;!?])\n+(?=(?:(?:[-*\u2022]|\d+[.)]) )?[A-Z])")
_AROUND = frozenset(MARKS + BLANKS + "\u2013\u2014")
_OPENING = frozenset("#@") | _AROUND
_QUOTES = {"`": "`", '"': '"', "'": "'", "\u201c": "\u201d", "\u00ab": "\u00bb", "\u2018": "\u2019"}
_ENDS = re.compile(
    r"[.,;:!?)]*(?: (?:and|then|but|or|after|before|when|if|in|on|for|with|once|please|now|today|again)\b"
    r"| \. |$)"
)
_BEGINS = re.compile(
    r"\b(?:run|execute|exec|start|launch|call|command|script|query|code|program)(?: \w+)?[: ]+$"
)
_DIGITS_BEFORE = re.compile(r"(?:^| )\(?\+?\d[\d()/.-]* $")
_DIGITS_AFTER = re.compile(r" \(?\d[\d()/.-]*(?=[ ,.;:!?])")
_NAMES_SECRET = re.compile(
    r"\b(?:code|password|passcode|passphrase|pin|secret|token|key|otp)(?: is| to| as|:| =)?[ '\"`\u201c]*$"
)
_WORD = re.compile(r"\S+")


#: Capitalised words that can precede a name without being part of it.
_TITLES = some("mr mrs ms miss mx dr prof professor sir customer client user employee account order contact")
_DAYS = some(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june july "
    "august september october november december i i'm i'd i'll i've"
)
#: Words that lead to a recipient or target.
_LEADING = some(
    "to at in into on onto with for via through cc bcc towards toward over under between among tell ask "
    "inform notify email mail e-mail message text dm ping call invite pay reply answer remind contact book "
    "reserve send give show wire hand offer visit add enter named called channel channels group folder list "
    "team room inbox calendar project board repo repository branch account address street city recipient "
    "recipients user users handle iban attendee attendees participant participants guests moved moving "
    "refund reimburse"
)
#: Words that lead to a topic, a source, or an earlier action.
_ELSEWHERE = some(
    "of about from a an regarding concerning read open summarise summarize fetch download load find search "
    "look check review see get list browse parse analyse analyze translate write draft delete remove drop "
    "run execute as like than"
)
#: Words that begin a clause that tells about a person and addresses none.
_SUBORDINATE = some(
    "that what who whom whose which whether if because since unless although though why how when where than"
)
#: Verbs after their subject (`answer Ann, Bob has time`).
_AFTER_SUBJECT = some(
    "is are was were has had will would can could may might must says said wants asked asks"
)
_TOPICS = some("about regarding concerning as like") | _SUBORDINATE
_ORIGINS = some("of from")
_READING = some(
    "read open summarise summarize fetch download load visit see check browse search look review get at in "
    "on from"
)
#: Verbs that directly precede their recipient, unless a later word names the target.
_DITRANSITIVE = some("send give show wire hand offer pay book reserve add text mail email forward call")
_PLACES = some(
    "channel group folder list team room inbox calendar project board repo repository branch account"
)
#: Words that define an address (`her e-mail address is ...`), independent of what the words ask for.
_DEFINED = re.compile(
    r"\b(?:address|e-?mail|mail|account|iban|number|phone|mobile|handle|username|channel|contact|recipient|"
    r"payee|endpoint|webhook)(?: \w+){0,2}(?: is| are| will be| would be| changed to|:| =)(?: now)?"
    r"[ '\"`<(\u201c\u2018]*$"
)
_IS_CODE = re.compile(r"\b(?:commands?|script|query|code|program|this)(?: is| are|:| =)[ '\"`\u201c]*$")
_RECEIVING = re.compile(r"\b(?:to|cc|bcc|recipients?|copy|copies)[ :(<'\"`]*$")
#: Words that refer back to a person named before (`Ann wrote to me. Please answer her`).
_BACK = re.compile(
    r"\b(?:to|with|for|cc|send|pay|give|tell|refund|e?mail|message|ask|inform|notify|invite|reply|answer|call|text|"
    r"reimburse|remind|show|contact) (?:them|him|her|it)\b"
)
_MAX_BACK = 14
#: Replaces the value whose place is examined: a private-use character.
_HERE = "\U000f0001"
_SENTENCE_END = re.compile(r"[.!?;]\s")
#: Words after the people to be notified (`let Ann know`, `Bob should get it, too`).
_TOLD = re.compile(
    r"[)>\]\"'`]* (?:in b?cc|in copy|know|informed|notified|posted|"
    r"(?:should|must) (?:also )?(?:get|receive|be))\b"
)


class Wording:
    """All words of a person so far, verbatim."""

    def __init__(self) -> None:
        """Begin without any words."""
        self._written = " "
        self._said = " "
        #: Long texts in quotation marks: words of others, or a name as a whole.
        self._quoted: set[str] = set()
        self._addressed: dict[tuple[str, frozenset[str]], bool] = {}

    def hear(self, text: str) -> str:
        """Add further words; return them without their quotations."""
        text, quoted = divided(composed(text[: max(0, MAX_HEARD - len(self._said))]))
        self._quoted.update(" ".join(one.split()) for one in quoted if len(one) <= MAX_VALUE)
        # A line break ends a name where the next line begins with a capital.
        written = " ".join(_LINE_END.sub(" . ", text).split())
        # A full stop between two user messages: no value is stated across it.
        self._written += f"{written} . "
        self._said += f"{small(written)} . "
        self._addressed.clear()
        return text

    def states(self, value: str) -> bool:
        """Return whether the words state a whole value; a part of a longer name is not stated."""
        wanted = small(value.strip(BLANKS))
        return any(small(one) == wanted for one in self._quoted) or any(
            not self._is_part(start, end) for start, end in self._places(value)
        )

    def addressed(self, value: str, nouns: frozenset[str] = frozenset(), *, reads: bool = False) -> bool:
        """Return whether the words state a value as a recipient or target.

        `nouns` are the tool's words for it. Where a tool only `reads` there, verbs of reading lead to it,
        too.
        """
        key = (value, nouns | _READING if reads else nouns)
        if key not in self._addressed:
            if len(self._addressed) >= MAX_KNOWN:
                self._addressed.clear()
            places = list(self._places(value))
            # A value that is stated in another form (an address without its slash) occurs nowhere verbatim.
            led = not places or any(self._leads_to(start, end, key[1]) for start, end in places)
            self._addressed[key] = led
        return self._addressed[key]

    def count(self, value: str) -> int:
        """Count the occurrences of a value in the words."""
        return sum(1 for _ in self._places(value))

    def spells(self, value: str) -> bool:
        """Return whether the words state a value that has no digits."""
        return not any(map(str.isdigit, value)) and self.states(value)

    def is_name(self, value: str) -> bool:
        """Return whether the words write a value as a name.

        A name has a capital inside a sentence, a capital for each of several words, letters and digits, or a
        quotation mark before it.
        """
        written = self._written
        return any(
            (written[start].isupper() and written[:start].rstrip()[-1:] not in (*".!?", ""))
            or (not written[start:end].isdecimal() and any(map(str.isdigit, written[start:end])))
            or written[start - 1] in _QUOTES
            or (" " in written[start:end] and all(one[0].isupper() for one in written[start:end].split()))
            for start, end in self._places(value)
        )

    def addresses(self, name: str) -> bool:
        """Return whether the words state a name as a recipient."""
        return any(self._leads_to(start, end, frozenset()) for start, end in self._places(name))

    def defined(self, value: str) -> bool:
        """Return whether the words define a value as an address, account or the like."""
        return self._stands_after(_DEFINED, value, 80)

    def tells_about(self, value: str) -> bool:
        """Return whether the words only speak about a value: it follows `about`, `that` or the like."""
        return self._only_after(value, _TOPICS)

    def is_origin(self, value: str) -> bool:
        """Return whether a value is only the origin of something else (`the number of Bob`)."""
        return self._only_after(value, _ORIGINS)

    def _only_after(self, value: str, words: frozenset[str]) -> bool:
        found = list(self._places(value))
        return bool(found) and all(self._nearest(start, words | _LEADING) in words for start, _ in found)

    def _nearest(self, start: int, words: frozenset[str]) -> str:
        """Return the last of some words before a place in the same sentence; empty where there is none."""
        sentence = _SENTENCE_END.split(self._said[max(0, start - 400) : start])[-1]
        read = glossed((*sentence.split(), _HERE))
        before = [one.strip(MARKS) for one in read[: read.index(_HERE)]][-_MAX_BACK:]
        return next((one for one in reversed(before) if one in words), "")

    def is_code(self, value: str) -> bool:
        """Return whether the words identify a value as code to be run."""
        return self._stands_after(_IS_CODE, value)

    def received(self, value: str) -> bool:
        """Return whether the word before a value marks it as a recipient."""
        return self._stands_after(_RECEIVING, value)

    def _stands_after(self, before: re.Pattern[str], value: str, reach: int = 40) -> bool:
        """Return whether a match of a pattern directly precedes a value."""
        said = self._said
        return any(before.search(said[max(0, start - reach) : start]) for start, _ in self._places(value))

    def quotes(self, value: str) -> bool:
        """Return whether the words contain a value letter by letter, complete and for literal use.

        The value is between quotes, or it follows a word such as `run` and reaches to the end of the clause.
        """
        wanted, written = value.strip(BLANKS), self._written
        if wanted[:1] in _QUOTES:
            # In a sentence, quotes delimit a value; inside the value, a shell interprets them differently.
            return False
        if wanted in self._quoted:
            return True
        for start, end in self._places(value):
            if written[start:end] != wanted:
                continue
            before, after = written[start - 1], written[end]
            if before in _QUOTES or after in _QUOTES:
                if _QUOTES.get(before) == after:
                    return True
            elif _ENDS.match(written, end) and _BEGINS.search(self._said[max(0, start - 40) : start]):
                return True
        return False

    def writes(self, value: str) -> bool:
        """Return whether the words contain a whole secret, letter by letter."""
        wanted = value.strip(BLANKS)
        return (
            wanted in self._quoted
            or any(
                self._written[start:end] == wanted
                and not self._is_part(start, end)
                # A plain word or an address is a secret only where the words call it a secret.
                and (not _is_plain(wanted) or _NAMES_SECRET.search(self._said[max(0, start - 40) : start]))
                for start, end in self._places(value)
            )
        )

    def _places(self, value: str) -> Iterator[tuple[int, int]]:
        """Yield the places of a value in the words, between white space and punctuation."""
        wanted = small(value.strip(BLANKS))
        if not wanted or len(wanted) > MAX_VALUE or not _is_even(wanted):
            return
        for form in worded_forms(wanted):
            at = self._said.find(form)
            for _ in range(MAX_PLACES):
                if at < 0:
                    break
                if self._apart(at, at + len(form)):
                    yield at, at + len(form)
                at = self._said.find(form, at + 1)

    def _apart(self, start: int, end: int) -> bool:
        said = self._said
        while said[start - 1] in _OPENING:
            if said[start - 1] == " ":
                break
            start -= 1
        else:
            return False
        if said[end : end + 2] in ("'s", "\u2019s"):
            end += 2
        while said[end] in _AROUND:
            if said[end] == " ":
                return True
            end += 1
        return False

    def _is_part(self, start: int, end: int) -> bool:
        """Return whether the text at this place is a part of a name of several words."""
        written = self._written
        if written[start:end].isdecimal() and (
            _DIGITS_BEFORE.search(written[max(0, start - 30) : start]) or _DIGITS_AFTER.match(written, end)
        ):
            # A group of a longer number.
            return True
        if not (written[start].isupper() and written[start:end].replace(" ", "").isalpha()):
            return False
        before, after = written[:start].rstrip("\"'([{\u201c\u2018"), written[end:]
        if after[:1] == " " and (word := _WORD.match(after[1:])):
            bare = word[0].rstrip(MARKS).removesuffix("'s").removesuffix("\u2019s")
            if bare[:1].isupper() and bare.isalpha() and not bare.isupper() and small(bare) not in _DAYS:
                return True
        if not before.endswith(" "):
            return False
        words = before[-80:].split()
        last = words[-1] if words else "."
        begins = len(words) < 2 or words[-2][-1:] in ".!?:;"
        return (
            last.isalpha()
            and last[:1].isupper()
            and not last.isupper()
            and small(last) not in _TITLES | _DAYS
            and not begins
        )

    def _leads_to(self, start: int, end: int, nouns: frozenset[str]) -> bool:
        said = self._said
        if said[start] in "#@" or said[start - 1] in "#@":
            return True
        if _TOLD.match(said, end):
            return True
        rest = _SENTENCE_END.split(said[end : end + 200])[0]
        sentence = _SENTENCE_END.split(said[max(0, start - 400) : start])[-1]
        read = glossed((*sentence.split(), _HERE, *rest.split()))
        here = read.index(_HERE)
        after = [one.strip(MARKS) for one in read[here + 1 :]]
        if after and after[0] in _PLACES and said[end] == " ":
            return True
        if not sentence.strip(MARKS + BLANKS):
            # A name at the beginning of a sentence: a later sentence may ask to address that person.
            name = "@" in said[start:end] or (
                self._written[start].isupper() and said[start:end] not in _ELSEWHERE | _LEADING
            )
            return name and _BACK.search(said[end : end + 400]) is not None
        sentence = f"{' '.join(read[:here])} ".replace(" as well as ", " and ")
        before = [one.strip(MARKS) for one in sentence.split()][-_MAX_BACK:]
        before = [one for one in before if one]
        if after[:1] and (after[0] in _AFTER_SUBJECT or after[0].endswith("ed")):
            return False
        owns = said[end : end + 2] in ("'s", "\u2019s")
        near = [one for one in before if one not in ("the", "my", "our", "page", "site", "website", "at")]
        if near and near[-1] in nouns:
            return True
        for back, word in enumerate(reversed(before)):
            if word in _ELSEWHERE or word in _SUBORDINATE:
                return False
            if word in _LEADING:
                if owns and word == "with":
                    # `Answer Ann with Bob's number`.
                    return False
                # `send Bob the summary`, but `send the summary to Bob`.
                return word not in _DITRANSITIVE or (back == 0 and "to" not in after[:8])
        return False


def _is_even(text: str) -> bool:
    """Return whether the quotes and brackets at the ends of a text match.

    An unmatched one belongs to something else.
    """
    for opening, closing in ("``", '""', "()", "[]", "{}", "<>", "\u201c\u201d", "\u00ab\u00bb"):
        if (text[0] == opening) is not (text[-1] == closing) and (text[0] == opening or text[-1] == closing):
            inner = text.count(opening) if opening == closing else text.count(opening) - text.count(closing)
            if inner % 2 if opening == closing else inner:
                return False
    return True


def _is_plain(text: str) -> bool:
    return text.isalpha() or "@" in text or "://" in text
