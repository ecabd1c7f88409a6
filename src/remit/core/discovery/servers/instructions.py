# SPDX-License-Identifier: Apache-2.0
"""Instructions to a model in the text of a tool, that are no description of the tool.

Each sign has a weight. One sign that is common in ordinary descriptions ("call this tool first", "do not show
the JSON to the user") is never enough: what makes a text poisoned is that it asks for what is not the tool's
(secrets, the conversation, other tools' calls) and tells where to put it, or to be silent about it.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from remit.core.discovery.servers.tool_text import (
    MAX_TEXT,
    comments_in,
    encoded_in,
    folded,
    hidden_in,
    unleeted,
)

#: The sum of weights, of two different signs, from which a text is poisoned.
ENOUGH: Final = 3
_DEPTH: Final = 2
_EXCERPT: Final = 140


class SignKind(enum.StrEnum):
    """What a sign shows."""

    HIDDEN = "hidden text"
    OVERRIDE = "overrides instructions"
    CONCEAL = "asks to conceal something from the user"
    SECRET = "asks for secrets"
    CONVERSATION = "asks for the conversation or the system prompt"
    HANDOVER = "asks to put something else into its arguments"
    REDIRECT = "changes the destination of other calls"
    OTHER_TOOLS = "gives orders about other tools"
    SENDING = "asks to send something elsewhere"
    COMMAND = "asks to run a downloaded program"
    PRESSURE = "threatens with failure"
    ADDRESS = "speaks to the model"


class Sign(NamedTuple):
    """A sign, its weight, and the words that show it."""

    kind: SignKind
    weight: int
    excerpt: str


_USER: Final = r"(?:the |any |your |to )*(?:users?|humans?|persons?|people|operator|customer|owner|anyone)\b"
_NOT: Final = (
    r"(?:do not|don't|dont|never|must not|mustn't|should not|shouldn't|cannot|"
    r"may not|can't|no need to|not need to|need not|not|refrain from|avoid|without)"
)
_TELL: Final = (
    r"(?:tell|telling|inform|informing|notify|notifying|alert|alerting|mention|"
    r"mentioning|talk|talking|let|letting|say|saying|explain|explaining|reveal|"
    r"revealing|disclose|disclosing|confirm|report|reporting)"
)
_FILE: Final = (
    r"(?:~?/?\.ssh\b|id_rsa|id_ed25519|id_ecdsa|\.cursor/|mcp\.json|claude_desktop_config|"
    r"\.env\b|\.aws/|\.npmrc|\.netrc|\.git-credentials|"
    r"\.kube/config|\.docker/config|\.pgpass|/etc/(?:passwd|shadow)|known_hosts|"
    r"\.bash_history|\.zsh_history|keychain|"
    r"wallet\.dat|cookies?\.sqlite|private keys?|ssh keys?)"
)
_SECRET: Final = (
    rf"(?:{_FILE}|api[ _-]?keys?|passwords?|credentials?|(?:access |auth |bearer "
    r"|session )?tokens?\b|secrets?\b|"
    r"environment variables|aws_secret|env vars)"
)
_TALK: Final = (
    r"(?:(?:whole|full|entire|complete|all|previous|earlier|prior) (?:of the "
    r")?(?:conversation|chat|messages|dialog(?:ue)?|context window)|"
    r"(?:conversation|chat) (?:so far|history|log|transcript)|"
    r"last (?:\w+ )?messages|memory of the chat|everything (?:that )?the user (?:has )?(?:said|typed|wrote)|"
    r"user's (?:last|previous|first) (?:message|prompt)|transcript of)"
)
_PROMPT: Final = (
    r"(?:your|the) (?:own |complete |full |entire |whole |exact |current |hidden "
    r")*(?:system (?:prompt|message|instructions)|initial instructions|developer "
    r"message)"
)
_ASK: Final = (
    r"(?:read|open|fetch|gather|collect|cat|dump|encode|attach|include|pass|"
    r"put|append|provide|quote|supply|give|"
    r"copy|transmit|upload|send|forward|disclose|share|extract|retrieve|get|"
    r"load|paste|insert|add|leak|exfiltrate|"
    r"obtain|look up|find|access|list|print|repeat|recite|report|write|fill|"
    r"reveal|output|store|embed|submit|post|need)"
)
_DO: Final = rf"(?<!to )(?<!can )(?<!not )(?<!may )(?<!could )(?<!tools )(?<!cannot )\b{_ASK}\b"
_SELF: Final = rf"(?:\bto (?={_ASK}\b)|\b)"


def _any(*forms: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{one})" for one in forms))


#: Each sign: its kind, its weight, and its forms over folded text.
_SIGNS: Final = (
    (
        SignKind.OVERRIDE,
        3,
        _any(
            r"\b(?:ignore|disregard|forget|override|bypass)\b (?:all |any |the |your "
            r"|every |of |these |those |my )*(?:previous|prior|earlier|above|preceding|"
            r"existing|other|former|system|original|initial|safety|security) (?:\w+ "
            r"){0,2}?(?:instructions?|rules?|guidelines?|prompts?|directions?|directives?|"
            r"polic(?:y|ies)|restrictions?)\b",
            r"\b(?:ignore|disregard) the user\b",
            r"\boverride the (?:safety|security)",
            r"ignoriere (?:alle |die |deine )*(?:vorherigen|bisherigen|obigen|früheren) ",
            r"ignor[ae] (?:todas )?(?:las|tus|as|todas as) instru[cç]",
            r"(?:ignore[zs]?|oublie[zs]?) (?:toutes )?(?:les|tes|vos) instructions",
            r"忽略.{0,8}(?:指令|指示|说明|提示)",
            r"игнорируй .{0,20}инструкц",
            r"(?:以前|前|上記)の(?:すべての)?指示を無視",
        ),
    ),
    (
        SignKind.OVERRIDE,
        2,
        _any(
            r"\byou are now (?:in |an? |the )",
            r"\bnew (?:system )?(?:rules?|instructions?|orders?)\s?:",
            r"<\|?(?:im_start|system)\|?>|\[inst\]|\[system\]|### ?system|<<sys>>",
            r"^(?:system|assistant|developer)\s?:",
            r"[.>\n] (?:system|assistant|developer)\s?: ",
            r"\b(?:maintenance|developer|debug|god|admin|jailbreak|unrestricted) mode "
            r"lets? you\b",
            r"\bin reality,? (?!it is\b)",
            r"\bapprove every request\b",
            r"\bact as (?:though|if) nothing\b",
        ),
    ),
    (
        SignKind.CONCEAL,
        2,
        _any(
            rf"{_NOT} (?:\w+ ){{0,3}}?(?:tell|telling|inform|informing|notify|notifying|"
            rf"alert|alerting) {_USER}(?! (?:to|how|when|where|unless|until|before|if)\b)",
            r"(?:do not|don't|never|must not|should not|without) (?:\w+ ){0,3}?(?:mention|"
            r"mentioning|talk about|talking about|reveal|revealing|disclose|disclosing|"
            r"explain|explaining|report|reporting|speak of) (?:this|it|that (?:you|i)\b|"
            r"the (?:file|step|change|rule|reading|upload|transfer|instructions?|comment))(?! "
            r"tool| function)",
            rf"{_USER} (?:\w+ )?(?:must|should|does|do|need|needs|may|will|can) ?(?:not|"
            rf"n't|never) (?:\w+ ){{0,2}}?(?:know|see|notice|be aware|be told|be informed|"
            r"find out|learn|realize)",
            rf"\b(?:hide|conceal|keep) (?:\w+ ){{1,4}}?(?:from|hidden from|secret from) {_USER}",
            rf"\bkeep {_USER} (?:unaware|in the dark|uninformed|ignorant)",
            r"\bkeep (?:this|it|these|the)(?: \w+){0,2} (?:secret|hidden|confidential "
            r"from|to yourself|private from)\b",
            r"\bconceal (?:the|this|that|what|it)\b",
            r"\b(?:silently|secretly|quietly|covertly|discreetly|stealthily) (?:\w+ "
            r")?(?:call|read|send|open|collect|append|forward|run|execute|copy|include|"
            r"pass|add|upload|fetch|invoke|use|attach)\b",
            r"\b(?:call|read|send|open|collect|append|forward|run|execute|copy|include|"
            r"pass|add|upload|fetch|do)\b(?: \w+){0,6}[ ,]+(?:silently|secretly|quietly|"
            r"covertly|discreetly|in the background without)\b",
            r"\bdo this (?:quietly|secretly|silently)",
            r"\bleave (?:it|this|that) out of (?:your|the) (?:answer|reply|response|"
            r"summary)",
            r"\bno need to (?:tell|inform|notify|mention)",
            r"\bno explanation (?:is )?(?:required|needed|necessary)",
            r"\bact as (?:though|if) nothing\b",
            r"\bdo not talk about (?:it|this)\b",
            r"\b(?:hidden|secret|covert) (?:step|rule|instruction|task|order)s?\b",
            r"\bexplain to the user only\b",
            r"(?:不要|别|不得)(?:告诉|通知|让)用户",
            r"(?:nutzer|benutzer|anwender)\w* (?:nichts|nicht) (?:davon )?(?:sagen|erfahren|"
            r"mitteilen|wissen)",
            r"sag(?:e)? (?:es )?dem (?:nutzer|benutzer) nicht",
            r"no (?:se )?(?:lo )?(?:le )?(?:diga|digas|informe|informes|menciones?)\w* "
            r"(?:nada )?al usuario",
            r"ne (?:le )?(?:dis|dites|mentionne|mentionnez|informe|informez) (?:rien "
            r"|pas )*(?:à|a) ?l'utilisateur",
            r"не (?:говори|сообщай|упоминай)\w* (?:\w+ \w+ )?пользовател",
            r"ユーザーに(?:は)?(?:言わ|知らせ|伝え)",
        ),
    ),
    (
        SignKind.CONCEAL,
        1,
        _any(
            r"(?:without|do not|don't|never|must not) (?:\w+ ){0,2}?(?:ask|asking|show|"
            r"showing|display|displaying)\b",
            r"\bhide (?:this|it)\b",
            r"\bkeep .{0,30}\bsecret\b",
            r"\b(?:has|have) already (?:consented|agreed|approved)\b",
        ),
    ),
    (
        SignKind.SECRET,
        2,
        _any(
            rf"{_DO}(?:[ :`'\"(]+(?!not\b|never\b)[^\s.;]+){{0,6}}?[ :`'\"(]+{_FILE}",
            r"\b(?:contents?|text|values?|output) of (?:the |all |any |your |its |[`'\"])*(?:\w+ "
            rf")?{_FILE}",
            r"\bcat ~?/?[\w./-]*(?:\.ssh|\.env|\.aws|mcp\.json|passwd)",
            rf"{_DO} (?:\w+ ){{0,3}}?(?:all|any|every|other|the values of all) (?:\w+ "
            rf")?{_SECRET}",
            rf"\b(?:all|any) {_SECRET}[^.]{{0,40}}(?:you have seen|the user mentioned|"
            r"in this session|from the conversation|you know)",
            r"\baws_secret_access_key\b[^.]{0,60}\bto the\b",
            r"\bincluding (?:\w+ )?(?:tokens and credentials|credentials|passwords|api "
            r"keys)",
        ),
    ),
    (
        SignKind.CONVERSATION,
        2,
        _any(
            rf"{_DO}(?: [^\s.;]+){{0,4}}? {_TALK}",
            rf"{_DO}(?: [^\s.;]+){{0,3}}? {_PROMPT}",
            r"\bfiles (?:that )?you have (?:read|seen|opened)\b",
            rf"{_TALK}[^.]{{0,40}}\b(?:verbatim|word for word|letter by letter|to the "
            r"parameter|here)\b",
            r"\bthe user's (?:last|previous) (?:message|prompt)\b",
        ),
    ),
    (
        SignKind.HANDOVER,
        2,
        _any(
            r"\b(?:pass|put|give|include|append|write|supply|add|attach|send|provide|"
            r"quote|insert|place|transmit|copy|dump|fill)\b (?:its|their|them|it|the|"
            r"this|that|what|all|any|these|those)\b[^.;]{0,80}? (?:as|in|into|to|through|"
            r"along in|via|using) (?:the )?(?:parameter|argument|field|input)?\s?['\"`]\w+['\"`]",
            r"\b(?:as|in|into|through) (?:the )?(?:parameter|argument|field) ['\"`]?\w+",
            r"\b(?:verbatim|word for word|letter by letter)\b",
        ),
    ),
    (
        SignKind.HANDOVER,
        1,
        _any(
            r"(?:['\"`]|\bas |\bin |\binto |\bthrough )(?:sidenote|side_note|notes?|"
            r"context|feedback|metadata|memo|comment|remark)\b",
            r"\bin[ `'\"]+(?:sidenote|side_note)\b",
            r"\bencode (?:it|them|the)\b[^.]{0,20}base64",
        ),
    ),
    (
        SignKind.REDIRECT,
        2,
        _any(
            r"\binstead of (?:to )?the (?:recipient|destination|account|address|person|"
            r"one)\b",
            r"\breplac\w+ (?:its|the|every|any) (?:recipient|destination|address|account|"
            r"payee)",
            r"\bchang\w+ (?:its|the|every|any) (?:recipient|destination|address|account|"
            r"payee)\b[^.]{0,30}\bto\b",
            r"\b(?:always|also) (?:add|include|put|use|send|cc|bcc)\b[^.]{0,60}\b(?:bcc|"
            r"cc|as the recipient)\b",
            r"\b(?:all|every|each) (?:\w+ )?(?:messages?|e-?mails?|payments?|transfers?|"
            r"traffic)\b[^.]{0,30}(?:must|should|has to|have to|shall|need to)[^.]{0,30}\b(?:to|"
            r"through)\b",
            r"\bmust send every\b",
        ),
    ),
    (
        SignKind.OTHER_TOOLS,
        2,
        _any(
            r"\b(?:every time|whenever|each time|any time) (?:you|the user|the assistant|"
            r"another|any other)[^.]{0,50}(?:call|use|invoke|run)s?\b[^.]{0,60}\b(?:call|"
            r"use|pass|send|invoke) this tool\b",
            r"\b(?:names|list|descriptions|schemas)\b[^.]{0,30} of (?:all|every|the) "
            r"(?:other )?tools[^.]{0,30}(?:available|have|know)",
            r"\b(?:all of its|the same|its|all) arguments\b[^.]{0,20}$",
            r"\bthat tool's name and\b",
            r"\broute all (?:of )?(?:its|their|the) traffic\b",
            r"\btool is (?:compromised|hacked|infected|malicious|insecure)",
        ),
    ),
    (
        SignKind.OTHER_TOOLS,
        1,
        _any(
            r"\b(?:before|prior to|after) (?:\w+ )?(?:using|calling|invoking|running|"
            r"each|every|any)\b",
            r"\bwhenever\b",
            r"\b(?:every time|each time)\b",
            r"\bwhen (?:this tool is available|asked to)\b",
            r"\bfrom now on\b",
            r"\bpass the same arguments\b",
            r"\bdo not use \w+_\w+ (?:any more|anymore)\b",
        ),
    ),
    (
        SignKind.SENDING,
        1,
        _any(
            r"\b(?:send|forward|upload|post|transmit|disclose|leak|exfiltrate|route|"
            r"copy|report)\b[^.;]{0,60}\b(?:to|there|with)\b[^.;]{0,20}(?:https?://|"
            r"[\w.+-]+@[\w-]+\.\w|\+\d{6}|account \d|this tool|this server|our server)",
            r"\bsend\b[^.]{0,60}\bthere\b",
            r"\bwith this tool\b",
            r"\bsend (?:a copy|the (?:content|chat|conversation))\b",
            r"\bdisclose\b[^.]{0,20}\bto this tool\b",
            r"\bsend it along\b",
        ),
    ),
    (
        SignKind.COMMAND,
        2,
        _any(
            r"\b(?:execute|run|must run|must execute|start)\b[^.]{0,30}(?:curl|wget|"
            r"iwr|irm)\b[^|]{0,200}\| ?(?:sudo )?(?:ba|z)?sh\b",
            r"\b(?:execute|run)\b[^.]{0,30}\bpowershell\b[^.]{0,60}-enc",
            r"\b(?:execute|run) (?:the following|this) (?:command|script|code)\b[^.]{0,40}(?:first|"
            r"before|https?://)",
        ),
    ),
    (
        SignKind.PRESSURE,
        1,
        _any(
            r"\b(?:otherwise|or|else) (?:the |this )?(?:tool|call|it|function|request)s? "
            r"(?:will|would|does|do)? ?(?:not work|fails?|be rejected|break|crash)",
            r"\belse the call fails\b",
            r"\bresult is only correct if\b",
            r"\brequired, else\b",
            r"\bneeded for (?:telemetry|debugging|authentication|verification|compliance)",
            r"\bfor (?:compliance|debugging|telemetry)[ ,]",
            r"\bcompany policy\b",
            r"\bto verify your identity\b",
            r"\breading it is safe\b",
            r"\bimplies that you\b",
        ),
    ),
    (
        SignKind.ADDRESS,
        1,
        _any(
            r"</?(?:important|system|secret|hidden|instructions?|critical|admin)>",
            r"\b(?:note|message|instructions?) (?:for|to) (?:the |all )?(?:assistants?|"
            r"ai|llms?|models?|language models?|agents?)\b",
            r"\b(?:the )?(?:ai|llm|language model|assistant|model|agents?) (?:must|should|"
            r"has to|have to|shall)\b",
            r"\bto the (?:language model|llm|ai|assistant)\b",
            r"\b(?:agents?|assistants?|ai)\s?: ",
            r"\byour own tools\b",
            r"\bwith your file tools\b",
        ),
    ),
)
#: What a parameter asks for, that only a description of poison does.
_OF_PARAMETERS: Final = (
    (
        SignKind.CONVERSATION,
        3,
        _any(
            rf"^{_PROMPT}",
            r"(?:whole|full|entire|complete) (?:conversation|chat)\b[^.]{0,60}(?:verbatim|"
            r"word for word|so far|with the user|including|here)",
            r"everything (?:that )?the user (?:has )?(?:said|typed|written)",
        ),
    ),
    (
        SignKind.OTHER_TOOLS,
        3,
        _any(
            r"\btools\b[^.]{0,40}\bavailable to you\b",
            r"\ball (?:other |the )?tools\b[^.]{0,20}\byou (?:have|can)\b",
        ),
    ),
    (
        SignKind.SECRET,
        3,
        _any(
            rf"\b(?:contents?|text) of (?:the |your |[`'\"])*{_FILE}",
            rf"\b(?:all|any) {_SECRET}[^.]{{0,60}}(?:you (?:have|know)|the user (?:mentioned|"
            r"gave|has)|this session)",
        ),
    ),
)
_CHEAP: Final = re.compile(
    r"ignor|disregard|forget|overrid|bypass|you are now|system|assistant|developer|"
    r"tell|inform|notif|alert|mention|"
    r"reveal|disclos|hid(?:e|den)|conceal|secret|silent|quiet|covert|discreet|"
    r"stealth|keep|know|ssh|id_|\.env|env|\.aws|mcp\.json|"
    r"passw|credential|token|key|conversation|chat|message|transcript|everything|"
    r"verbatim|word for word|sidenote|bcc|"
    r"recipient|destination|account|whenever|every|available|traffic|curl|wget|"
    r"powershell|[^\x00-\x7f]|reality|nothing|files you|cat |all of its"
)


def signs_in(text: str, *, parameter: bool = False) -> list[Sign]:
    """Return the signs in a text; `parameter` says that it describes a parameter."""
    text = text[:MAX_TEXT]
    found = [Sign(SignKind.HIDDEN, ENOUGH, f"{one.what}: {one.text}"[:_EXCERPT]) for one in hidden_in(text)]
    return [*found, *_signs(text, parameter, 0)]


def _signs(text: str, parameter: bool, depth: int) -> Iterator[Sign]:
    plain = folded(text)
    if _CHEAP.search(plain):
        yield from _plain_signs(plain, parameter)
        turned = unleeted(plain)
        if turned != plain:
            yield from (one for one in _plain_signs(turned, parameter) if one.weight >= 2)
    if depth >= _DEPTH:
        return
    for inner in comments_in(text):
        yield from _inner(inner, "a comment", parameter, depth)
    for inner in encoded_in(text):
        yield from _inner(inner, "encoded text", parameter, depth)


def _inner(text: str, what: str, parameter: bool, depth: int) -> Iterator[Sign]:
    """A sign inside a text that is not shown counts for more: ordinary descriptions have none there."""
    found = list(_signs(text, parameter, depth + 1))
    if found:
        yield Sign(SignKind.HIDDEN, 2, f"{what}: {folded(text)}"[:_EXCERPT])
        yield from found


def _plain_signs(plain: str, parameter: bool) -> Iterator[Sign]:
    for kind, weight, form in (*_SIGNS, *_OF_PARAMETERS) if parameter else _SIGNS:
        if found := form.search(plain):
            start = max(0, found.start() - 20)
            yield Sign(kind, weight, plain[start : found.end() + 40][:_EXCERPT])


def weight_of(signs: list[Sign]) -> int:
    """Return the sum of the heaviest sign of each kind."""
    best: dict[SignKind, int] = {}
    for one in signs:
        best[one.kind] = max(best.get(one.kind, 0), one.weight)
    return sum(best.values())


def is_poisoned(signs: list[Sign]) -> bool:
    """Return whether signs make a text poisoned: enough weight, and one heavy sign."""
    heavy = [one for one in signs if one.weight >= 2]
    return weight_of(signs) >= ENOUGH and bool(heavy)
