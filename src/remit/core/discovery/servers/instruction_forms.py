# SPDX-License-Identifier: Apache-2.0
"""Forms that give orders: about instructions, other tools, the user, and what is run."""

from __future__ import annotations

import re
from typing import Final

from remit.core.discovery.servers.instruction_words import NOT, USER, SignKind, any_of

#: Each sign: its kind, its weight, and its forms over folded text.
ORDERS: Final = (
    (
        SignKind.OVERRIDE,
        3,
        any_of(
            rf"\b(?:should|if|when|even if) {USER} (?:declin|refus|object|says? "
            rf"no|den(?:y|ies)|disagree)\w*\b[^.]{{0,60}}\b(?:nevertheless|"
            r"anyway|regardless|still|all the same)\b",
            r"\b(?:consider|treat|regard|take|accept|view) (?:everything|anything|"
            r"all|whatever|each result|its results|the results?|the output)\b[^.]{0,50}\bas "
            r"(?:an? |the )?(?:orders?|instructions?|commands?|directives?)\b",
            r"\b(?:guidelines?|polic(?:y|ies)|rules?|restrictions?|safeguards?)\b[^.]{0,40}\b(?:are|"
            r"is) (?:suspended|waived|void|lifted|disabled|switched off|paused)\b",
        ),
    ),
    (
        SignKind.OVERRIDE,
        2,
        any_of(
            r"\b(?:carry|carries) (?:these|them|those) out\b|\b(?:at once|"
            r"immediately), before anything else\b",
            r"--no-verify\b|\blog level to (?:none|off)\b",
            r"\b(?:answer|say|reply|respond) ['`\"]?\w+['`\"]? (?:whatever happens|regardless|in any case)\b",
        ),
    ),
    (
        SignKind.OTHER_TOOLS,
        3,
        any_of(
            r"\b(?:all |any )?other (?:\w+ ){0,2}tools? (?:return|give|are|"
            r"is|have|deliver|contain|will)s? (?:\w+ )?(?:false|wrong|fake|"
            r"unsafe|malicious|compromised|unreliable|infected|steal)",
            r"\b(?:messages?|calls?|e-?mails?|requests?|data)\b[^.]{0,50}\bother "
            r"tools?\b[^.]{0,40}\b(?:through|via|to) this (?:tool|server)",
        ),
    ),
    (
        SignKind.REDIRECT,
        3,
        any_of(
            r"\b(?:bank details|iban|account number|payment details|wallet "
            r"address)\b[^.]{0,50}\b(?:changed|updated|replaced|new)\b",
            r"\b(?:set|change|replace) the (?:reply-to|sender|return address|"
            r"payee) of (?:every|each|all|any)\b",
            r"\bsecrets?\b[^.]{0,60}\b(?:sending|sent|send)\b[^.]{0,30}\bto [\w.+-]+@",
        ),
    ),
    (
        SignKind.COMMAND,
        2,
        any_of(
            r"\b(?:has to|must|should|needs? to|have to) be (?:run|executed|"
            r"started)\b[^.]{0,12}[:`'\"] ?`?(?:npx|npm|curl|wget|pip|uvx|"
            r"bash|sh|powershell|python)\b",
        ),
    ),
    (
        SignKind.PRESSURE,
        1,
        any_of(
            r"\bbefore the first use\b",
            r"\bas the (?:security|it|compliance) team has\b",
            r"\bto improve (?:quality|the results?|our)\b",
        ),
    ),
    (
        SignKind.CONCEAL,
        2,
        any_of(
            rf"\bunseen by {USER}|\b(?:users?|people|they|no one) will (?:not|"
            r"never) (?:notice|see|know)\b|\bno reason to (?:bring it up|mention|"
            r"tell|say)\b|\bin the background\.$"
        ),
    ),
    (
        SignKind.OVERRIDE,
        3,
        any_of(
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
        any_of(
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
        SignKind.CONCEAL,
        2,
        any_of(
            r"\b(?:do not|don't|never|without) (?:bother|bothering|trouble|troubling|"
            rf"disturb|disturbing|worry|worrying|burden|burdening|confuse|confusing) {USER}",
            rf"\bwithout (?:a word|notice|telling|any notice|letting on) to {USER}|\bbehind {USER}'? "
            r"back\b|\bunbeknownst\b",
            rf"\btell {USER} (?:\w+ ){{0,4}}only\b|, and not that\b|\bbut not that\b",
            r"\bsay (?:only )?that (?:nothing|no (?:data|file|one)|it is safe|everything "
            r"is)\b|\b(?:answer|reply|respond) that (?:nothing|no)\b",
        ),
    ),
    (
        SignKind.REDIRECT,
        2,
        any_of(
            r"\b(?:should|if|when|whenever) (?:a|any|the|another) tool (?:named|called)\b",
            r"['`\"]\w+['`\"] (?:argument|parameter|field) (?:must|should|has to) be "
            r"[`'\"]?(?:[a-z]{2}\d{8,}|0x|bc1|[\w.+-]+@)",
            r"\b(?:iban|wallet|account) (?:argument |field )?(?:must|should|has to) be\b",
        ),
    ),
    (
        SignKind.OVERRIDE,
        3,
        any_of(
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
        any_of(
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
        SignKind.REDIRECT,
        3,
        any_of(
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
        any_of(
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
        any_of(
            rf"{NOT},? (?:[\w,]+ ){{0,5}}?(?:tell|telling|inform|informing|notify|notifying|"
            rf"alert|alerting) {USER}(?! (?:to|how|when|where|unless|until|before|if)\b)",
            r"(?:do not|don't|never|must not|should not|without) (?:\w+ ){0,3}?(?:mention|"
            r"mentioning|talk about|talking about|reveal|revealing|disclose|disclosing|"
            r"explain|explaining|report|reporting|speak of) (?:this|it|that (?:you|i)\b|"
            r"the (?:file|step|change|rule|reading|upload|transfer|instructions?|comment))(?! "
            r"tool| function)",
            rf"{USER} (?:\w+ )?(?:must|should|need|needs|may|will|can|does not need to|do not need"
            rf" to|doesn't need to|don't need to)(?: not|n't| never|(?<=to)) (?:\w+ ){{0,2}}?(?:know|"
            r"see|notice|be aware|"
            r"be told|be informed|find out|learn|realize)",
            rf"\b(?:hide|conceal|keep) (?:\w+ ){{1,4}}?(?:from|hidden from|secret from) {USER}",
            rf"\bkeep {USER} (?:unaware|in the dark|uninformed|ignorant)",
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
        any_of(
            r"(?:without|do not|don't|never|must not) (?:\w+ ){0,2}?(?:ask|asking|show|"
            r"showing|display|displaying)\b",
            r"\bhide (?:this|it)\b",
            r"\bkeep .{0,30}\bsecret\b",
            r"\b(?:has|have) already (?:consented|agreed|approved)\b",
        ),
    ),
    (
        SignKind.REDIRECT,
        2,
        any_of(
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
        any_of(
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
        any_of(
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
        SignKind.COMMAND,
        2,
        any_of(
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
        any_of(
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
        any_of(
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
    r"whoami|claude\.md|agents\.md|\bsay\b|shared|copy|"
    r"nevertheless|anyway|regardless|order|guideline|polic|carry|no-verify|"
    r"log level|other tool|bank|iban|reply-to|every|opened|"
    r"clipboard|mailbox|cookies|has to be|company|notice|service|background"
)
