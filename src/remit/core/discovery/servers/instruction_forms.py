# SPDX-License-Identifier: Apache-2.0
"""The forms of instructions to a model in the text of a tool, each with what it shows and its weight."""

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
    r"(?:~?/?(?:\.ssh\b|id_rsa|id_ed25519|id_ecdsa|\.cursor/|mcp\.json|claude_desktop_config|"
    r"\.env\b|\.aws/|\.npmrc|\.netrc|\.git-credentials|"
    r"\.kube/config|\.docker/config|\.pgpass|/etc/(?:passwd|shadow)|known_hosts|"
    r"\.bash_history|\.zsh_history|keychain|"
    r"wallet\.dat|cookies?\.sqlite|private keys?|ssh keys?))"
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
SIGNS: Final = (
    (
        SignKind.OVERRIDE,
        3,
        _any(
            r"\b(?:skip|suppress|disable|bypass|auto-?accept) (?:the |any |all )?(?:approval|"
            r"confirmation|consent|permission)s?"
            r"(?: dialog| prompt| step| request| check)*s? for (?:this|its|our)\b",
            r"\bapprove (?:its|all|every|any|our|the) (?:calls?|requests?|actions?)[^.]{0,20}(?:without "
            r"asking|automatically|of it)",
            r"\btrust (?:every|all|any) (?:instruction|command|message|result)s?\b",
            r"\bignor\w+ (?:the rest|everything else|all else|what follows|anything else)\b",
            r"\b(?:disable|turn off|uninstall|stop) (?:any |all |other |the )*(?:security|"
            r"safety|monitoring|logging|audit|antivirus|guard)",
        ),
    ),
    (
        SignKind.COMMAND,
        3,
        _any(
            r"\b(?:add|append|write|put|insert|save|store|copy)\b[^.;]{0,60} (?:to|into|"
            r"in) (?:the |your |their |~?/?)*(?:\.bashrc|\.zshrc|\.profile|\.bash_profile|"
            r"\.git/hooks|crontab|authorized_keys|claude\.md|agents\.md|\.cursorrules|"
            r"launchagents|sudoers)",
            r"\b(?:add|append|save|store|write|put)(?: \w+){0,5} (?:to|in|into) (?:your "
            r"|the |its )?(?:long-term |agent |own )?memory\b[^.]{0,6}: ?(?:always|never|"
            r"trust|use|ignore)",
            r"\b(?:add|set) the remote\b[^.]{0,60}\bpush\b",
            r"\bfirst (?:run|execute|call) [`'\"]?(?:whoami|env|printenv|id|uname|cat|"
            r"ls|curl|wget|history)\b",
        ),
    ),
    (
        SignKind.SENDING,
        2,
        _any(
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
        SignKind.CONCEAL,
        2,
        _any(
            r"\b(?:do not|don't|never|without) (?:bother|bothering|trouble|troubling|"
            rf"disturb|disturbing|worry|worrying|burden|burdening|confuse|confusing) {_USER}",
            rf"\bwithout (?:a word|notice|telling|any notice|letting on) to {_USER}|\bbehind {_USER}'? "
            r"back\b|\bunbeknownst\b",
            rf"\btell {_USER} (?:\w+ ){{0,4}}only\b|, and not that\b|\bbut not that\b",
            r"\bsay (?:only )?that (?:nothing|no (?:data|file|one)|it is safe|everything "
            r"is)\b|\b(?:answer|reply|respond) that (?:nothing|no)\b",
        ),
    ),
    (
        SignKind.REDIRECT,
        2,
        _any(
            r"\b(?:should|if|when|whenever) (?:a|any|the|another) tool (?:named|called)\b",
            r"['`\"]\w+['`\"] (?:argument|parameter|field) (?:must|should|has to) be "
            r"[`'\"]?(?:[a-z]{2}\d{8,}|0x|bc1|[\w.+-]+@)",
            r"\b(?:iban|wallet|account) (?:argument |field )?(?:must|should|has to) be\b",
        ),
    ),
    (
        SignKind.CONVERSATION,
        2,
        _any(
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
        _any(
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
        _any(
            r"\b(?:in|into|under|via|as|through|belongs? into|to|needed in) [`'\"]\w{1,30}[`'\"](?: "
            r"\w+){0,2}[.,;]?$",
            r"\b(?:belong|belongs|is needed|are needed|go|goes) in(?:to)? [`'\"]\w+[`'\"]",
        ),
    ),
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
        3,
        _any(
            r"\b(?:earlier|previous|prior|existing|other|all) (?:constraints?|instructions?|"
            r"rules?|restrictions?|guidelines?|"
            r"directives?)\b[^.]{0,20}(?:\bvoid\b|no longer (?:apply|applies|valid)|"
            r"(?:are|is) (?:cancel|supersed|lifted|revok|"
            r"suspend|replaced)|do not apply)",
            r"\b(?:instructions?|directives?|commands?) (?:\w+ ){0,3}(?:results?|outputs?|"
            r"responses?|replies)\b[^.]{0,20}"
            r"(?:as coming from|as if|as though|are from) (?:\w+ ){0,3}(?:user|operator|developer|system)",
            r"\b(?:follow|obey|execute) (?:them|these|those|any|all)(?: \w+){0,4} (?:with|"
            r"as|at) (?:the )?(?:highest|top|"
            r"maximum|absolute) priority",
        ),
    ),
    (
        SignKind.SENDING,
        3,
        _any(
            r"\b(?:post|upload|send|forward|transmit|copy|push) (?:the |this |all |your "
            r"|our |whole |entire |full )*(?:conversation|"
            r"workspace|chat|repository|codebase|session|history|context|transcript|"
            r"source code)\b[^.]{0,30} (?:to|at|via) "
            r"(?:https?://|[\w.+-]+@[\w-]+\.\w)",
        ),
    ),
    (
        SignKind.REDIRECT,
        3,
        _any(
            r"\brather than (?:to )?(?:their|the|its) (?:\w+ )?(?:addressees?|recipients?|"
            r"payees?|accounts?|destinations?)",
            r"\b(?:payments?|transfers?|invoices?|refunds?)\b[^.]{0,60}(?:settled|paid|"
            r"sent|transferred|credited|made) to "
            r"(?:\w+ )?(?:iban|account \w*\d|wallet|0x[0-9a-f]{6}|bc1)",
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
            rf"{_NOT},? (?:[\w,]+ ){{0,5}}?(?:tell|telling|inform|informing|notify|notifying|"
            rf"alert|alerting) {_USER}(?! (?:to|how|when|where|unless|until|before|if)\b)",
            r"(?:do not|don't|never|must not|should not|without) (?:\w+ ){0,3}?(?:mention|"
            r"mentioning|talk about|talking about|reveal|revealing|disclose|disclosing|"
            r"explain|explaining|report|reporting|speak of) (?:this|it|that (?:you|i)\b|"
            r"the (?:file|step|change|rule|reading|upload|transfer|instructions?|comment))(?! "
            r"tool| function)",
            rf"{_USER} (?:\w+ )?(?:must|should|need|needs|may|will|can|does not need to|do not need"
            rf" to|doesn't need to|don't need to)(?: not|n't| never|(?<=to)) (?:\w+ ){{0,2}}?(?:know|"
            r"see|notice|be aware|"
            r"be told|be informed|find out|learn|realize)",
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
            r"\b(?:omit|leave out|skip|exclude|drop) (?:this|that|it|these)(?: \w+){0,2}(?: "
            r"from| in) (?:your|the|any)"
            r"|\bskip that (?:detail|part|step)\b|\b(?:omit|skip) (?:that|this)\.",
            r"\bclaim (?:that )?(?:no|nothing|you did not|it was not)\b",
            r"\bthis (?:\w+ )?(?:protocol|step|rule|process|procedure|instruction|policy) "
            r"is (?:confidential|secret|hidden)",
            r"\b(?:users?|people|they) (?:\w+ ){1,5}when you (?:mention|report|explain|tell)",
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
        SignKind.SECRET,
        2,
        _any(
            rf"(?<!not read )(?<!never read )(?<!\w){_FILE}(?![\w.-]*\.pub)",
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
        _any(
            r"\b(?:base64|contents?|first line|lines|values?|text|copy|bytes|copies) "
            r"of (?:the |your |all |any |[`'\"])*"
            rf"(?:\w+ )?{_FILE}(?![\w.-]*\.pub)[^.]{{0,40}}(?:$|\b(?:alongside|with every|"
            r"with each|in each|as ['`\"]|to (?:us|me|the server)))",
            rf"\b(?:set|fill) [`'\"]?\w+[`'\"]? (?:to|with) [^.]{{0,40}}{_FILE}",
            rf"\b(?:transmits?|relays?|uploads?|sends?|posts?|leaks?) [^.]{{0,40}}{_FILE}",
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
OF_PARAMETERS: Final = (
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
            r"\b(?:every|all|each) (?:of the )?(?:other )?tools? (?:that )?you (?:can|have|may)\b",
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
#: A text without any of these words has no sign.
CHEAP: Final = re.compile(
    r"ignor|disregard|forget|overrid|bypass|you are now|system|assistant|developer|"
    r"tell|inform|notif|alert|mention|"
    r"reveal|disclos|hid(?:e|den)|conceal|secret|silent|quiet|covert|discreet|"
    r"stealth|keep|know|ssh|id_|\.env|env|\.aws|mcp\.json|"
    r"passw|credential|token|key|conversation|chat|message|transcript|everything|"
    r"verbatim|word for word|sidenote|bcc|"
    r"recipient|destination|account|whenever|every|available|traffic|curl|wget|"
    r"powershell|[^\x00-\x7f]|reality|nothing|files you|cat |all of its|"
    r"constraint|directive|instruction|payment|upload|omit|skip|claim|passwd|"
    r"workspace|rather|history|private|keychain|wallet|cookie|approv|skip|trust|"
    r"disable|memory|bashrc|hooks|remote|"
    r"\bus\b|\bour\b|bother|without a word|screenshot|calendar|tool (?:named|"
    r"called)|home (?:directory|folder)|prompt|context|"
    r"whoami|claude\.md|agents\.md|\bsay\b|shared|copy"
)
