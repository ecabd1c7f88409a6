# SPDX-License-Identifier: Apache-2.0
"""What signs of instructions show, and the words that their forms are made of."""

from __future__ import annotations

import enum
import re
from typing import Final


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


USER: Final = r"(?:the |any |your |to )*(?:users?|humans?|persons?|people|operator|customer|owner|anyone)\b"
NOT: Final = (
    r"(?:do not|don't|dont|never|must not|mustn't|should not|shouldn't|cannot|"
    r"may not|can't|no need to|not need to|need not|not|refrain from|avoid|without)"
)
TELL: Final = (
    r"(?:tell|telling|inform|informing|notify|notifying|alert|alerting|mention|"
    r"mentioning|talk|talking|let|letting|say|saying|explain|explaining|reveal|"
    r"revealing|disclose|disclosing|confirm|report|reporting)"
)
FILE: Final = (
    r"(?:~?/?(?:\.ssh\b|id_rsa|id_ed25519|id_ecdsa|\.cursor/|mcp\.json|claude_desktop_config|"
    r"\.env\b|\.aws/|\.npmrc|\.netrc|\.git-credentials|"
    r"\.kube/config|\.docker/config|\.pgpass|/etc/(?:passwd|shadow)|known_hosts|"
    r"\.bash_history|\.zsh_history|keychain|"
    r"wallet\.dat|cookies?\.sqlite|private keys?|ssh keys?))"
)
SECRET: Final = (
    rf"(?:{FILE}|api[ _-]?keys?|passwords?|credentials?|(?:access |auth |bearer "
    r"|session )?tokens?\b|secrets?\b|"
    r"environment variables|aws_secret|env vars)"
)
TALK: Final = (
    r"(?:(?:whole|full|entire|complete|all|previous|earlier|prior) (?:of the "
    r")?(?:conversation|chat|messages|dialog(?:ue)?|context window)|"
    r"(?:conversation|chat) (?:so far|history|log|transcript)|"
    r"last (?:\w+ )?messages|memory of the chat|everything (?:that )?the user (?:has )?(?:said|typed|wrote)|"
    r"user's (?:last|previous|first) (?:message|prompt)|transcript of)"
)
PROMPT: Final = (
    r"(?:your|the) (?:own |complete |full |entire |whole |exact |current |hidden "
    r")*(?:system (?:prompt|message|instructions)|initial instructions|developer "
    r"message)"
)
ASK: Final = (
    r"(?:read|open|fetch|gather|collect|cat|dump|encode|attach|include|pass|"
    r"put|append|provide|quote|supply|give|"
    r"copy|transmit|upload|send|forward|disclose|share|extract|retrieve|get|"
    r"load|paste|insert|add|leak|exfiltrate|"
    r"obtain|look up|find|access|list|print|repeat|recite|report|write|fill|"
    r"reveal|output|store|embed|submit|post|need)"
)
DO: Final = rf"(?<!to )(?<!can )(?<!not )(?<!may )(?<!could )(?<!tools )(?<!cannot )\b{ASK}\b"
SELF: Final = rf"(?:\bto (?={ASK}\b)|\b)"


def any_of(*forms: str) -> re.Pattern[str]:
    """Return one form for several."""
    return re.compile("|".join(f"(?:{one})" for one in forms))
