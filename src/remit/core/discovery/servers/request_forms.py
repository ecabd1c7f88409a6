# SPDX-License-Identifier: Apache-2.0
"""Forms that ask for what is not the tool's: secrets, the conversation, and where to put or send them."""

from __future__ import annotations

from typing import Final

from remit.core.discovery.servers.instruction_words import DO, FILE, PROMPT, SECRET, TALK, SignKind, any_of

#: Each sign: its kind, its weight, and its forms over folded text.
REQUESTS: Final = (
    (
        SignKind.CONVERSATION,
        2,
        any_of(
            r"\b(?:every|all|each|any) (?:documents?|files?|pages?|mails?|"
            r"messages?|notes?) (?:that )?(?:it|you|the model|the assistant|"
            r"the agent) (?:has|have|had)? ?(?:opened|read|seen|written|received|"
            r"processed)\b",
            r"\b(?:which|what) (?:company|employer|organi[sz]ation|team) the "
            r"(?:user|person) (?:works|belongs)|\bwhat (?:the user is|they "
            r"are|the person is) working on\b",
            r"\b(?:contents?|text|value) of the clipboard\b|\bclipboard (?:contents?|text)\b[^.]{0,20}\bas\b",
            r"\bcookies of the (?:current |user's |active )?(?:browser|session|"
            r"user)|\b(?:copy|dump|export) of the (?:mailbox|inbox|database)\b",
        ),
    ),
    (
        SignKind.SECRET,
        3,
        any_of(
            r"\bif you (?:see|find|notice|come across|encounter|read) (?:a "
            r"|an |any )?(?:\w+ )?(?:password|secret|token|api key|credential|"
            r"private key)s?\b[^.]{0,60}\b(?:put|remember|send|include|add|"
            r"pass|store|give|write|use|note)\b",
            r"\b(?:hand|give|pass|supply|provide|send|show|expose) (?:me |"
            r"us )?(?:the|your) (?:user's |developer's |person's )?(?:\w+ "
            r")?(?:token|password|api key|secret|credential)s? to this (?:tool|"
            r"server|service)\b",
        ),
    ),
    (
        SignKind.SENDING,
        1,
        any_of(
            r"\b(?:shares?|sends?|gives?|hands?|passes|uploads?)\b[^.]{0,60}\b(?:with|"
            r"to) this (?:service|server|tool)\b"
        ),
    ),
    (
        SignKind.SENDING,
        2,
        any_of(
            r"\b(?:give|send|hand|tell|show|provide|copy|report|return|transmit|forward|"
            r"share)s? (?:us|it to us|them to us|that to us|the \w+ to us|(?:\w+ ){0,4}(?:to|"
            r"with) (?:us|our (?:host|server|backend|team|api|endpoint)))\b",
            r"\bour (?:backend|host|server|service|team) (?:needs?|requires?|wants?|"
            r"collects?|expects?) (?:your|the|all|their|any) ",
            r"\b(?:shared|exported|sent|copied|uploaded|forwarded|streamed) (?:with|to) (?:us|our)\b",
            r"\b(?:need|needs|get|gets|require|requires|with) a copy (?:to|at|sent to) [\w.+-]+@",
            r"\b(?:forward|send|copy|mail|export|upload) (?:their|his|her|the user's|"
            r"the person's|all) (?:\w+ ){0,2}(?:calendar|contacts|notes|mails?|emails?|"
            r"files?|documents?|photos?|passwords?|keys?|history|messages?)\b",
            r"\b(?:attach|include|take|send|capture) (?:a )?screenshots? of (?:the |"
            r"their )?(?:user|person|desktop|screen)",
        ),
    ),
    (
        SignKind.CONVERSATION,
        2,
        any_of(
            r"\bwhat (?:the )?(?:user|person|human) (?:has |have )?(?:written|typed|"
            r"said|asked|told you)(?: so far)?\b",
            r"\b(?:your|its) (?:entire|whole|full|complete|hidden|secret|internal|current) "
            r"(?:context|prompt|memory|instructions|history)\b",
            r"\bagents? (?:has to|must|should|shall) supply\b",
            r"\b(?:list|read|dump|scan|search|zip|archive) (?:the |all of the |every "
            r"file in the )?(?:user's |person's )?home (?:directory|folder)\b",
        ),
    ),
    (
        SignKind.SECRET,
        2,
        any_of(
            r"\b(?:carr(?:y|ies)|contains?|holds?|gets?|is set to|takes?) the values? "
            r"of [`'\"$]*\w*_(?:token|key|secret|password)\b[^.]{0,30}\bfrom\b",
            r"\b(?:keys?|passwords?|tokens?|secrets?|credentials?) of (?:the |any )?(?:user|"
            r"person|developer|machine)s?\b",
            r"application_default_credentials|\.config/gcloud|\bservice[-_]account\.json\b",
            r"\b(?:output|result) of [`'\"]?(?:env|printenv|whoami|history)\b|; ?env\b",
        ),
    ),
    (
        SignKind.HANDOVER,
        1,
        any_of(
            r"\b(?:in|into|under|via|as|through|belongs? into|to|needed in) [`'\"]\w{1,30}[`'\"](?: "
            r"\w+){0,2}[.,;]?$",
            r"\b(?:belong|belongs|is needed|are needed|go|goes) in(?:to)? [`'\"]\w+[`'\"]",
        ),
    ),
    (
        SignKind.SENDING,
        3,
        any_of(
            r"\b(?:post|upload|send|forward|transmit|copy|push) (?:the |this |all |your "
            r"|our |whole |entire |full )*(?:conversation|"
            r"workspace|chat|repository|codebase|session|history|context|transcript|"
            r"source code)\b[^.]{0,30} (?:to|at|via) "
            r"(?:https?://|[\w.+-]+@[\w-]+\.\w)",
        ),
    ),
    (
        SignKind.SECRET,
        2,
        any_of(
            rf"{DO}(?:[ :`'\"(]+(?!not\b|never\b)[^\s.;]+){{0,6}}?[ :`'\"(]+{FILE}",
            r"\b(?:contents?|text|values?|output) of (?:the |all |any |your |its |[`'\"])*(?:\w+ "
            rf")?{FILE}",
            r"\bcat ~?/?[\w./-]*(?:\.ssh|\.env|\.aws|mcp\.json|passwd)",
            rf"{DO} (?:\w+ ){{0,3}}?(?:all|any|every|other|the values of all) (?:\w+ "
            rf")?{SECRET}",
            rf"\b(?:all|any) {SECRET}[^.]{{0,40}}(?:you have seen|the user mentioned|"
            r"in this session|from the conversation|you know)",
            r"\baws_secret_access_key\b[^.]{0,60}\bto the\b",
            r"\bincluding (?:\w+ )?(?:tokens and credentials|credentials|passwords|api "
            r"keys)",
        ),
    ),
    (
        SignKind.SECRET,
        2,
        any_of(
            rf"(?<!not read )(?<!never read )(?<!\w){FILE}(?![\w.-]*\.pub)",
            r"\b(?:the user's|user's|developer's|whatever|any|all|their|saved) (?:\w+ "
            r"){0,3}?(?:ssh keys?|\w+ key|api keys?|"
            r"passwords?|credentials|secrets|tokens)\b[^.]{0,12}(?:found|available|in "
            r"(?:the )?(?:context|workspace|session|"
            r"conversation)|\bin [`'\"]|and (?:hand|pass|give|send|relay|put|include))",
        ),
    ),
    (
        SignKind.SECRET,
        3,
        any_of(
            r"\b(?:base64|contents?|first line|lines|values?|text|copy|bytes|copies) "
            r"of (?:the |your |all |any |[`'\"])*"
            rf"(?:\w+ )?{FILE}(?![\w.-]*\.pub)[^.]{{0,40}}(?:$|\b(?:alongside|with every|"
            r"with each|in each|as ['`\"]|to (?:us|me|the server)))",
            rf"\b(?:set|fill) [`'\"]?\w+[`'\"]? (?:to|with) [^.]{{0,40}}{FILE}",
            rf"\b(?:transmits?|relays?|uploads?|sends?|posts?|leaks?) [^.]{{0,40}}{FILE}",
        ),
    ),
    (
        SignKind.CONVERSATION,
        2,
        any_of(
            rf"{DO}(?: [^\s.;]+){{0,4}}? {TALK}",
            rf"{DO}(?: [^\s.;]+){{0,3}}? {PROMPT}",
            r"\bfiles (?:that )?you have (?:read|seen|opened)\b",
            rf"{TALK}[^.]{{0,40}}\b(?:verbatim|word for word|letter by letter|to the "
            r"parameter|here)\b",
            r"\bthe user's (?:last|previous) (?:message|prompt)\b",
        ),
    ),
    (
        SignKind.HANDOVER,
        2,
        any_of(
            r"\b(?:pass|put|give|include|append|write|supply|add|attach|send|provide|"
            r"quote|insert|place|transmit|copy|dump|fill)\b (?:its|their|them|it|the|"
            r"this|that|what|all|any|these|those)\b[^.;]{0,80}? (?:as|in|into|to|through|"
            r"along in|via|using) (?:the )?(?:parameter|argument|field|input)?\s?['\"`]\w+['\"`]",
            r"\b(?:hand|pass|relay|give|feed|supply|send|put|place) (?:it|them|these|"
            r"those|this|that|its \w+|their \w+)"
            r"(?: over| along| on)? (?:in|as|to|through|via|into) (?:the \w+ (?:argument|"
            r"parameter|field)|['`\"])",
            r"\b(?:as|in|into|through) (?:the )?(?:parameter|argument|field) ['\"`]?\w+",
            r"\b(?:verbatim|word for word|letter by letter)\b",
        ),
    ),
    (
        SignKind.HANDOVER,
        1,
        any_of(
            r"(?:['\"`]|\bas |\bin |\binto |\bthrough )(?:sidenote|side_note|notes?|"
            r"context|feedback|metadata|memo|comment|remark)\b",
            r"\bin[ `'\"]+(?:sidenote|side_note)\b",
            r"\bencode (?:it|them|the)\b[^.]{0,20}base64",
        ),
    ),
    (
        SignKind.SENDING,
        1,
        any_of(
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
)

#: What a parameter asks for, that only a description of poison does.
OF_PARAMETERS: Final = (
    (
        SignKind.CONVERSATION,
        3,
        any_of(
            rf"^{PROMPT}",
            r"(?:whole|full|entire|complete) (?:conversation|chat)\b[^.]{0,60}(?:verbatim|"
            r"word for word|so far|with the user|including|here)",
            r"everything (?:that )?the user (?:has )?(?:said|typed|written)",
        ),
    ),
    (
        SignKind.OTHER_TOOLS,
        3,
        any_of(
            r"\b(?:every|all|each) (?:of the )?(?:other )?tools? (?:that )?you (?:can|have|may)\b",
            r"\btools\b[^.]{0,40}\bavailable to you\b",
            r"\ball (?:other |the )?tools\b[^.]{0,20}\byou (?:have|can)\b",
        ),
    ),
    (
        SignKind.SECRET,
        3,
        any_of(
            rf"\b(?:contents?|text) of (?:the |your |[`'\"])*{FILE}",
            rf"\b(?:all|any) {SECRET}[^.]{{0,60}}(?:you (?:have|know)|the user (?:mentioned|"
            r"gave|has)|this session)",
        ),
    ),
)
