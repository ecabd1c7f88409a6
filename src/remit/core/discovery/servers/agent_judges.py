# SPDX-License-Identifier: Apache-2.0
"""Judges of declared agents, and of what the servers of one agent come to together."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from remit.core.coding.calls import CLIENTS
from remit.core.discovery.declared import DeclaredAgent
from remit.core.discovery.discovered import MOST_PLACES, Discovered, FilePlace
from remit.core.discovery.servers.server_judges import JudgedServer
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.safe_text import plain
from remit.core.tools.suggestions import vocabulary


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Words of servers and tools, by what they make an agent do.
_UNTRUSTED: Final = _words(
    "web fetch browse browser crawl crawler scrape scraper playwright puppeteer "
    "firecrawl http https rss youtube reddit twitter "
    "tavily brave duckduckgo exa perplexity serp serper serpapi googlesearch "
    "websearch webfetch webpage website email gmail inbox imap "
    "outlook github gitlab jira slack discord telegram whatsapp zendesk intercom "
    "hackernews wikipedia arxiv browserbase "
    "requests brightdata apify zapier"
)
_PRIVATE: Final = _words(
    "file files filesystem directory email gmail inbox imap outlook calendar "
    "gdrive drive docs sheets notion confluence jira slack "
    "crm salesforce hubspot customer customers database sql postgres postgresql "
    "mysql sqlite mongodb mongo snowflake bigquery redis "
    "clickhouse supabase neon airtable contacts contact patient invoice payroll "
    "vault onedrive sharepoint obsidian whatsapp "
    "github gitlab linear asana stripe shell bash terminal desktop commander s3 dropbox"
)
_SENDS: Final = _words(
    "send post email gmail outlook slack discord telegram whatsapp sms twilio "
    "webhook publish tweet twitter http https requests fetch "
    "browser playwright puppeteer browserbase curl shell bash terminal command "
    "exec upload github gitlab jira zapier webfetch commander dropbox gdrive"
)


#: First words of tools that send, and read nothing.
_ONLY_SEND: Final = _words("send post publish reply forward tweet notify upload")


class Capabilities(msgspec.Struct, frozen=True):
    """The servers or tools that read untrusted content, read private data, and send to the outside."""

    untrusted: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    sends: tuple[str, ...] = ()

    @property
    def toxic(self) -> bool:
        """Whether all three meet, and not in one tool of one trusted kind alone."""
        return (
            bool(self.untrusted and self.private and self.sends) and len({*self.untrusted, *self.private}) > 1
        )

    @property
    def says(self) -> str:
        """The three in words."""
        return (
            f"untrusted content comes by {_few(self.untrusted)}, private data by {_few(self.private)}, "
            f"and {_few(self.sends)} can send it outside"
        )


def _few(names: Sequence[str]) -> str:
    return ", ".join(f"`{plain(one)}`" for one in names[:3])


def capabilities(named: Iterable[tuple[str, str]]) -> Capabilities:
    """Return what things can do by the words of their names: pairs of a shown name and the words."""
    untrusted: list[str] = []
    private: list[str] = []
    sends: list[str] = []
    for name, words in named:
        tokens = vocabulary.tokens(re.sub(r"[^A-Za-z0-9]+", "_", words))
        said = frozenset(tokens)
        if tokens and tokens[0] in _ONLY_SEND:
            sends.append(name)
            continue
        for meaning, those in ((_UNTRUSTED, untrusted), (_PRIVATE, private), (_SENDS, sends)):
            if said & meaning:
                those.append(name)
    return Capabilities(
        tuple(dict.fromkeys(untrusted)), tuple(dict.fromkeys(private)), tuple(dict.fromkeys(sends))
    )


def of_agents(agents: Sequence[DeclaredAgent], governed: frozenset[str]) -> Iterator[Discovered]:
    """Yield agents that remit does not know, settings that permit anything, and toxic combinations."""
    known: dict[tuple[str, str], list[DeclaredAgent]] = defaultdict(list)
    for agent in agents:
        known[agent.name, agent.framework].append(agent)
    for (name, framework), those in known.items():
        client = framework in CLIENTS or name == framework
        guarded = name in governed or any(one.governed for one in those)
        places = tuple(dict.fromkeys(one.place for one in those))
        if not guarded:
            yield _ungoverned(those, client, places)
        wide = {text: one.place for one in those for text in one.authority}
        if wide:
            yield Discovered(
                kind=FindingKind.WIDE_AUTHORITY,
                about=f"agent:{name}",
                which="settings",
                says=plain(f"agent `{name}` acts without a question: {', '.join(wide)}"),
                places=tuple(dict.fromkeys(wide.values()))[:MOST_PLACES],
                severity=Severity.MEDIUM if guarded else Severity.HIGH,
                owner=_owner(those),
                evidence={"settings": [plain(one) for one in wide]},
                reach=("everything that its person may do on this machine",),
                remediation=(
                    f"let remit decide its calls: `remit guard install {plain(name)}`"
                    if client
                    else "name what it may do, and let remit decide the rest"
                ),
            )
        tools = [tool for one in those for tool in (*one.tools, *one.servers)]
        found = capabilities((tool, tool) for tool in tools if "(" not in tool)
        if found.toxic:
            yield _toxic(f"agent:{name}", name, found, places, _owner(those))


def _owner(agents: Sequence[DeclaredAgent]) -> str:
    return next((one.owner for one in agents if one.owner), "")


def _ungoverned(agents: list[DeclaredAgent], client: bool, places: tuple[FilePlace, ...]) -> Discovered:
    first = agents[0]
    tools = list(dict.fromkeys(tool for one in agents for tool in one.tools))
    held = list(dict.fromkeys(name for one in agents for name in one.credentials))
    reach = [f"tools: {', '.join(tools[:8])}"] if tools else []
    reach += [f"credentials: {', '.join(held[:8])}"] if held else []
    fix = (
        f"put it under remit: `remit guard install {plain(first.name)}`"
        if client and first.name in CLIENTS
        else f"register it: `remit agent create {plain(first.name)} --owner PERSON`"
    )
    return Discovered(
        kind=FindingKind.UNGOVERNED_AGENT,
        about=f"agent:{first.name}",
        which=first.framework,
        says=plain(f"agent `{first.name}` ({first.framework}) is at work, and remit does not know it"),
        places=places[:MOST_PLACES],
        severity=Severity.LOW if client else None,
        owner=_owner(agents),
        evidence={"framework": plain(first.framework), "model": plain(first.model)},
        reach=tuple(plain(one) for one in reach),
        remediation=fix,
    )


def of_servers_together(servers: Sequence[JudgedServer]) -> Iterator[Discovered]:
    """Yield, for each client's file, the servers that together read untrusted and private data, and send.

    The servers of a project are joined with those of all projects in the same file.
    """
    files: dict[tuple[str, str], dict[str, list[JudgedServer]]] = defaultdict(lambda: defaultdict(list))
    for one in servers:
        if not one.server.disabled and not one.server.governed:
            files[one.server.client, one.server.place.file][one.server.project].append(one)
    for (client, _), projects in files.items():
        everywhere = projects.get("", [])
        base = _together(everywhere)
        if base.toxic:
            yield _of_file(client, "", base, everywhere)
            continue
        for project, those in projects.items():
            if project and (found := _together([*everywhere, *those])).toxic:
                yield _of_file(client, project, found, [*everywhere, *those])


def _together(servers: Sequence[JudgedServer]) -> Capabilities:
    return capabilities(
        (one.server.name, " ".join((one.server.name, *(package.name for package in one.program.packages))))
        for one in servers
    )


def _of_file(client: str, project: str, found: Capabilities, servers: Sequence[JudgedServer]) -> Discovered:
    named = {*found.untrusted, *found.private, *found.sends}
    places = tuple(one.server.place for one in servers if one.server.name in named)
    owner = next((one.owner for one in servers if one.owner), "")
    return _toxic(f"agent:{client}", client, found, places, owner, project)


def _toxic(
    about: str, name: str, found: Capabilities, places: tuple[FilePlace, ...], owner: str, project: str = ""
) -> Discovered:
    return Discovered(
        kind=FindingKind.TOXIC_COMBINATION,
        about=about,
        which=project or " ".join(sorted({*found.untrusted, *found.private, *found.sends})),
        says=plain(f"for agent `{name}`, {found.says}"),
        places=places[:MOST_PLACES],
        owner=owner,
        evidence={
            "untrusted": [plain(one) for one in found.untrusted],
            "private": [plain(one) for one in found.private],
            "sends": [plain(one) for one in found.sends],
        },
        steps=(
            plain(f"a stranger's text reaches the agent by {_few(found.untrusted)}"),
            plain(f"the text has the agent read private data by {_few(found.private)}"),
            plain(f"the agent sends the data out by {_few(found.sends)}"),
        ),
        reach=tuple(f"the data of `{plain(one)}`" for one in found.private[:8]),
        remediation="put the servers behind remit, where untrusted text decides no destination, "
        "or split the work",
    )
