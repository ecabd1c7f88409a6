# SPDX-License-Identifier: Apache-2.0
"""The usual meanings of words in names of tools, arguments and fields.

These lists only draft descriptions that a person reviews. A word outside them has no meaning here.
"""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


READS: Final = _set(
    "get list read search find show view fetch lookup describe check inspect preview browse resolve "
    "validate explain whoami query select retrieve load peek"
)
READ_NOUNS: Final = _set("status diff log history head stat tree count info schema version metadata")
"""Nouns that denote reading where no verb decides: `git_status`."""
CHANGES: Final = _set(
    "create add update edit set write comment move rename tag label archive draft save schedule assign "
    "mark checkout commit branch stage unstage init enable disable append insert upsert patch star follow "
    "pin put open close reopen upload import copy make new start stop pause resume subscribe modify "
    "change replace store record reschedule register link attach react like complete"
)
CANNOT_BE_UNDONE: Final = _set(
    "send pay transfer delete remove purge drop destroy publish post deploy execute exec run submit buy "
    "order book refund charge approve release merge push share invite reply forward email notify tweet "
    "wipe reset revoke terminate kill cancel sign eval call invoke trigger dispatch broadcast export "
    "erase clear truncate force rollback restore withdraw purchase donate unsubscribe grant reserve"
)
VERBS_ONLY: Final = _set(
    "delete remove purge send pay destroy execute exec run deploy publish submit drop wipe reset create "
    "update set write add edit insert upsert replace append approve cancel trigger invoke eval share"
)
"""Verbs that denote an action even beside a verb of reading, but where they are nouns: `list_run_steps`."""
NOUNS_TOO: Final = _set("run deploy trigger")
"""Of these verbs, those that are nouns after a verb of reading."""
OPENS_READING: Final = _set("get list show view describe read")
"""Verbs of reading that are followed by what is read."""
JOINS: Final = _set("and or then")
EDITS: Final = _set("edit replace patch")
REPLACED_TEXT: Final = _set("text string str content value body code line")
"""Words, after `old` and `new`, for the text that an edit replaces and the one in its place."""
MOVES_MONEY: Final = _set(
    "pay payment transfer refund charge withdraw purchase buy donate wire remittance payout deposit"
)
PRODUCTION: Final = _set("deploy deployment production rollout rollback")
OUTWARD: Final = _set(
    "web http https url internet website webpage browse crawl scrape webhook tweet google bing email mail sms"
)
REPEATS: Final = _set(
    "echo translate summarize format convert render encode decode transform rewrite template parse"
)
HANDS_OVER: Final = _set(
    "share attach push publish forward export upload transfer grant invite send email mail post release"
)

# Words for a destination, whatever the tool does.
ADDRESS: Final = _set(
    "to cc bcc recipient addressee payee beneficiary attendee participant invitee webhook callback "
    "endpoint url uri href link host hostname domain destination dest server site website remote"
)
# Words for the party that a change reaches; for tools that change nothing, the subject of a lookup.
PARTY: Final = _set(
    "target "
    "email mail address iban bic swift phone telephone mobile sms account channel chat room member "
    "assignee reviewer collaborator user username contact team group environment stage owner customer "
    "person"
)
OUTWARD_ADDRESS: Final = _set(
    "to cc bcc recipient addressee payee beneficiary webhook callback endpoint url uri href link host "
    "hostname domain email mail iban bic swift phone telephone mobile sms attendee participant invitee "
    "website site"
)
MAIL: Final = _set("to cc bcc recipient addressee email mail attendee participant invitee")
SELECTS: Final = _set(
    "source src charge payment transaction subscription namespace head base "
    "id uid uuid guid key path file filename filepath folder directory dir query search filter ref branch "
    "slug sha commit hash revision number no identifier handle cursor page project repo repository ticket "
    "issue document doc message thread event record row table database collection bucket index pattern "
    "where q term keyword title order invoice booking reservation case claim contract tag label sheet "
    "cell range"
)
LOOSE: Final = _set(
    "query search filter cursor page pattern where q term keyword title range cell tag label index"
)
"""Selectors that do not identify a single record."""
AMOUNTS: Final = _set(
    "amount price total sum quantity qty fee cost budget limit count max min size top offset depth lines"
)
CODE: Final = _set(
    "code sql command cmd script expression eval shell program javascript python statement cypher graphql "
    "formula macro snippet argv"
)
SCHEDULE: Final = _set(
    "date time start end day month year timestamp duration timezone since until deadline due format language "
    "locale type status state priority color colour mode method order_by sort direction size width height"
)
"""Words for times and manners, which denote no target."""
MONEY: Final = _set("amount price total fee cost sum")
DIRECTS: Final = _set(
    "send post invite assign share add notify message transfer pay grant forward email mail dm "
    "reply route wire"
)
"""Verbs whose object is a recipient: a person or a place."""
QUERIES: Final = _set("sql graphql cypher sparql database db execute exec run eval")
SECRETS: Final = _set(
    "password passwd passphrase passcode otp secret apikey credential credentials totp mfa cvv cvc "
    "pincode pin"
)
PERSONAL: Final = _set(
    "patient customer client user username employee person member contact student guest tenant applicant "
    "candidate citizen subscriber ssn passport email mail phone telephone mobile iban account order "
    "invoice booking reservation claim payee participant attendee"
)
IDENTIFYING: Final = _set(
    "email mail phone telephone mobile address birthday birthdate ssn passport iban dob"
)
PROSE: Final = _set(
    "body content text description subject title comment message snippet summary html markdown note name "
    "reason bio caption details excerpt transcript diff log output stdout stderr error answer reply label "
    "memo remark feedback notice topic headline about announcement"
)
SET_BY_SERVER: Final = _set("id uid uuid created updated modified version revision etag sequence")
LISTS: Final = _set("list search find query ls tree dir directory browse glob")
"""Verbs of tools whose text is a list of names rather than prose."""
STORED: Final = _set(
    "file document doc attachment path folder message thread report image photo record branch commit "
    "sheet contract page artifact archive dataset table"
)
LEAST_POWERS: Final[tuple[str, ...]] = (
    *("none", "private", "viewer", "view", "reader", "read", "readonly", "pull", "guest", "restricted"),
    *("internal", "commenter", "comment", "triage", "member", "user"),
)
"""Values with little power, least first."""
POWERS: Final = _set(
    "admin administrator owner editor edit write writer push contributor maintain maintainer manager manage "
    "full public everyone anyone all organizer moderator superuser root"
)
OPENS: Final = _set(
    "public publish published anonymous everyone anyone shared admin administrator unrestricted"
)
"""Switches that give power where they are on."""
PROTECTS: Final = _set(
    "mfa 2fa otp totp factor protected protect protection private require required requires verify locked "
    "lock encrypted confidential sandbox sandboxed approval"
)
"""Switches that give power where they are off."""
CONTAINERS: Final = _set("repo repository project workspace board notebook spreadsheet database")
ITEMS: Final = _set("number no iid index row card")
OWN: Final = _set("my me own account profile settings preferences cart basket password")
"""Words for the one object of the caller."""
ONESELF: Final = _set("me whoami myself self my current")
"""Words for the profile of the caller."""
OWN_VALUES: Final = _set("id uid email mail login username handle account iban phone address")
WITHHELD: Final = _set("token jwt cookie salt hash privatekey refreshtoken accesstoken sessionid")
"""Words of result fields, beside those for secrets, that no task needs."""
ONE_TIME: Final = _set("otp code totp mfa passcode")
MESSAGES: Final = _set("mail email message sms inbox")
SENDERS: Final = _set("from sender")
ALTERS: Final = _set("reschedule update change edit modify move cancel postpone resend remind delete confirm")
STORES_PARTY: Final = _set(
    "event meeting appointment calendar invite invitation booking reservation order payment subscription "
    "transfer delivery shipment campaign mailing"
)
"""Records that store who is told of a change, or paid."""
ANSWERS: Final = _set("reply respond answer send")
CORRESPONDENCE: Final = _set("thread conversation message mail email draft")
"""Records that store who gets an answer to them."""
PARTICIPANTS: Final = _set(
    "attendee participant invitee guest organizer organiser creator customer subscriber member recipient "
    "addressee payee beneficiary"
)
CORRESPONDENTS: Final = _set("from to cc bcc sender")
"""Words for the participants of correspondence."""
REACHED_AT: Final = tuple(
    map(_set, ("email mail", "iban", "login username user handle", "phone telephone mobile", "id uid"))
)
"""Words for the address of a participant, the best first."""
NAMELESS: Final = _set("id key uid uuid guid number no identifier slug name hash")
"""Words that denote a name or number without denoting the kind of thing."""
NOUNS: Final = {
    "path": "file",
    "filepath": "file",
    "filename": "file",
    "doc": "document",
    "repo": "repository",
}


def tokens(name: str) -> tuple[str, ...]:
    """Return the words of a name, in any style of joining (`sendMail`, `send_mail`, `SEND-MAIL`)."""
    return tuple(word.lower() for word in _TOKEN.findall(name[:200]))


def single(word: str) -> str:
    """Return the singular of a word, by simple rules only."""
    return (
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
    )


def known(words: tuple[str, ...], meaning: frozenset[str]) -> str:
    """Return the first word with this meaning, or an empty text."""
    return next((word for word in words if word in meaning or single(word) in meaning), "")
