# SPDX-License-Identifier: Apache-2.0
"""What is wrong with secrets: exposed, shared, personal, long-lived, left over, in the wrong environment."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from remit.core.discovery.declared import DeclaredAgent, DeclaredServer
from remit.core.discovery.discovered import MOST_PLACES, Discovered, ExposedSecret, FilePlace
from remit.core.discovery.owners import HomeFolders
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.json_value import Json

#: Rules whose credentials have no end until a person revokes them, with what they are.
LASTING: Final = {
    "github-classic-token": "a classic personal access token",
    "aws-access-key": "an access key of an IAM user",
    "aws-secret-key": "an access key of an IAM user",
    "private-key": "a private key",
    "service-account-key": "a key of a service account",
    "age-key": "a private key",
    "lasting-web-token": "a token without an end, or with one more than thirty days after it was issued",
    "slack-token": "a token of a Slack app without rotation",
    "slack-webhook": "a webhook address",
    "npm-token": "an npm token",
    "pypi-token": "a PyPI token",
    "openai-key": "an API key",
    "anthropic-key": "an API key",
    "google-api-key": "an API key",
    "azure-storage-key": "an account key",
    "stripe-key": "an API key",
    "sendgrid-key": "an API key",
    "telegram-token": "a bot token",
    "discord-token": "a bot token",
    "connection-string": "a password in an address",
}
#: Rules whose credentials belong to a person by their form.
_PERSONAL: Final = frozenset({"github-classic-token", "github-fine-grained-token", "gitlab-token"})
_NAMES: Final = {
    "postgresql": "PostgreSQL",
    "mysql": "MySQL",
    "mongodb": "MongoDB",
    "github": "GitHub",
    "gitlab": "GitLab",
    "aws": "AWS",
    "azure": "Azure",
    "google": "Google Cloud",
    "openai": "OpenAI",
    "amqp": "RabbitMQ",
    "http": "an HTTP service",
    "jwt": "the issuer of the token",
    "npm": "npm",
    "pypi": "PyPI",
    "xai": "xAI",
    "openrouter": "OpenRouter",
    "digitalocean": "DigitalOcean",
    "planetscale": "PlanetScale",
    "sendgrid": "SendGrid",
}
#: Types that say what a secret is, and not what it opens.
_FORMS: Final = frozenset(
    {"password", "token", "key", "private-key", "passphrase", "pin", "secret", "http", "ssh"}
)
#: What remit puts in the place of a credential, by its type.
_INSTEAD: Final = {
    "postgresql": "let remit lease a database role to each task (`remit finding fix`), then change it",
    "aws": "let remit lease an AWS session to each task (`remit finding fix`), then delete this access key",
    "github": "let remit lease a GitHub token to each task (`remit finding fix`), then revoke this one",
    "google": "let remit lease a Google Cloud token to each task (`remit finding fix`), then delete this key",
    "azure": "let remit lease an Azure token to each task (`remit finding fix`), then remove this secret",
    "jwt": "let remit lease a token to each task (`remit finding fix`), then revoke this one at its issuer",
}
_WORST: Final = frozenset({"aws", "private-key", "ssh", "google", "azure"})
_PERSON: Final = re.compile(r"(?i)^[a-z]{2,20}[._][a-z]{2,20}$|^[\w.+-]+@[\w.-]+$")
_SERVICE: Final = re.compile(
    r"(?i)^(?:svc|service|bot|app|agent|robot|ci|deploy|runner|worker|api|noreply|no-reply|admin|root|system|backup|sa)\b|"
    r"[-_.](?:svc|bot|agent|app|sa|ci)(?:@|$)|^(?:svc|sa)[-_]|gserviceaccount\.com$|^x-access-token$|^oauth2$|^__token__$|^AKIA|^ASIA"
)
_PRODUCTION: Final = re.compile(r"(?i)(?:^|[^a-z])(?:prod|production|prd|live)(?:[^a-z]|$)")
_DEVELOPMENT: Final = re.compile(
    r"(?i)(?:^|[^a-z])(?:dev|develop|development|devel|staging|stage|stg|test|tests|testing|qa|sandbox|local|localhost|demo)(?:[^a-z]|$)"
)
_OF_PERSON: Final = re.compile(
    r"(?:^|/)(?:\.(?:bash|zsh|python|psql|mysql|node_repl)_history|\.netrc|\.git-credentials|\.pgpass|\.aws/credentials|\.ssh/)"
)
_OF_AGENT: Final = re.compile(
    r"(?i)(?:^|/)(?:\.?mcp\.json|\.claude(?:\.json|/)|\.cursor/|\.codex/|\.gemini/|\.windsurf/|claude_desktop_config\.json|"
    r"agents\.md|claude\.md|prompts?/|agents?/|[\w.-]*(?:agent|prompt)[\w.-]*\.\w+$)|\.jsonl$"
)


def secret_findings(
    secrets: Sequence[ExposedSecret],
    agents: Sequence[DeclaredAgent],
    servers: Sequence[DeclaredServer],
    homes: HomeFolders | None = None,
) -> list[Discovered]:
    """Return what is wrong with the secrets of a scan: for each credential one finding of a kind at most."""
    by_fingerprint: dict[str, list[ExposedSecret]] = defaultdict(list)
    # The id of an access key is no credential of its own where its secret key was found, too.
    paired = {one.user for one in secrets if one.rule == "aws-secret-key" and one.user}
    for secret in secrets:
        if secret.rule != "aws-access-key" or f"AKIA...{secret.tail}" not in paired:
            by_fingerprint[secret.fingerprint].append(secret)
    known = _Declarations(agents, servers, homes or HomeFolders())
    findings: list[Discovered] = []
    for copies in by_fingerprint.values():
        credential = _Credential(copies, known)
        for rule in (_exposed, _shared, _personal, _lasting, _left_over, _crossed):
            findings += rule(credential)
    return findings


class _Declarations:
    """Agents and servers, by the files that they are declared in."""

    def __init__(
        self, agents: Sequence[DeclaredAgent], servers: Sequence[DeclaredServer], homes: HomeFolders
    ) -> None:
        self.homes = homes
        self.agents = {agent.name: agent for agent in agents}
        self.servers = servers
        self.by_file: dict[str, set[str]] = defaultdict(set)
        self.clients: dict[str, set[str]] = defaultdict(set)
        for agent in agents:
            self.by_file[agent.place.file].add(agent.name)
        for server in servers:
            self.clients[server.place.file].add(server.client)
            if server.agent:
                self.by_file[server.place.file].add(server.agent)

    def agents_of(self, secret: ExposedSecret) -> set[str]:
        """Return the agents that use a secret, as far as that is known."""
        return {secret.agent} if secret.agent else self.by_file.get(secret.place.file, set())

    def of_an_agent(self, secret: ExposedSecret) -> bool:
        """Return whether a secret stands where agents read it."""
        file = secret.place.file
        return bool(self.agents_of(secret) or self.clients.get(file) or _OF_AGENT.search(file))


class _Credential:
    """All places of one secret, and what is known of it."""

    def __init__(self, copies: list[ExposedSecret], known: _Declarations) -> None:
        self.copies = sorted(copies, key=lambda c: (-c.confidence, c.place))
        self.known = known
        self.first = self.copies[0]
        self.rules = {copy.rule for copy in copies}
        self.type = self.first.type
        self.user = next((c.user for c in self.copies if c.user), "")
        self.target = next((c.target for c in self.copies if c.target), "")
        self.places = tuple(sorted({c.place for c in copies}))
        self.files = {place.file for place in self.places}
        self.agents = sorted({name for c in copies for name in known.agents_of(c)})

    @property
    def called(self) -> str:
        """The credential in words, such as `PostgreSQL password of app at db.prod`."""
        name = _name(self.type)
        words = self.type if not name else "web token" if self.type == "jwt" else f"{name} credential"
        of = f" of `{self.user}`" if self.user else ""
        at = f" at `{self.target}`" if self.target else ""
        return f"{words.replace('-', ' ')}{of}{at}"

    @property
    def reach(self) -> tuple[str, ...]:
        name = _name(self.type)
        what = self.target or name
        if not what:
            return ()
        named = f"{name} at {self.target}" if name and self.target else what
        return (f"{named} as {self.user}" if self.user else f"{named}, with all rights of this credential",)

    @property
    def owner(self) -> str:
        """A person or team: the agents' only owner, the credential's person, or that of the home folder."""
        owners = {self.known.agents[a].owner for a in self.agents if a in self.known.agents} - {""}
        if len(owners) == 1:
            return owners.pop()
        if self.user and "@" in self.user and not _SERVICE.search(self.user):
            return self.user
        people = {self.known.homes.person_of(file) for file in self.files}
        return people.pop() if len(people) == 1 else ""

    @property
    def production(self) -> bool:
        return bool(_PRODUCTION.search(f"{self.target} {self.user}") or "stripe-key" in self.rules)

    def finding(
        self,
        kind: FindingKind,
        says: str,
        *,
        severity: Severity | None = None,
        places: Sequence[FilePlace] = (),
        evidence: dict[str, Json] | None = None,
        remediation: str = "",
    ) -> Discovered:
        chosen = tuple(places) or self.places
        seen: dict[str, Json] = {
            "fingerprint": self.first.fingerprint,
            "tail": self.first.tail,
            "type": self.type,
            "rules": sorted(self.rules),
            "confidence": self.first.confidence,
            **({"user": self.user} if self.user else {}),
            **({"target": self.target} if self.target else {}),
            **({"agents": [*self.agents]} if self.agents else {}),
            **({"more_places": len(chosen) - MOST_PLACES} if len(chosen) > MOST_PLACES else {}),
            **(evidence or {}),
        }
        return Discovered(
            kind=kind,
            about=f"credential:{self.first.fingerprint}",
            which="",
            says=says,
            places=chosen[:MOST_PLACES],
            severity=severity,
            owner=self.owner,
            evidence=seen,
            reach=self.reach,
            remediation=remediation or _INSTEAD.get(self.type, ""),
        )


def _name(type_: str) -> str:
    """Return what a type of credential opens, in words; empty where the type does not say that."""
    return _NAMES.get(type_, "" if type_ in _FORMS else type_.replace("-", " ").title())


def _exposed(one: _Credential) -> Iterator[Discovered]:
    where = _where(one.places)
    local = one.target.lower().startswith(("localhost", "127.", "[::1]"))
    if one.first.confidence < 0.8 or local or one.rules == {"stripe-test-key"}:
        severity = Severity.MEDIUM
    elif one.production or one.type in _WORST:
        severity = Severity.CRITICAL
    else:
        severity = Severity.HIGH
    yield one.finding(FindingKind.SECRET_EXPOSED, f"The {one.called} stands in {where}.", severity=severity)


def _shared(one: _Credential) -> Iterator[Discovered]:
    clients = {client for file in one.files for client in one.known.clients.get(file, ())}
    users = sorted({f"agent {name}" for name in one.agents} | {f"client {name}" for name in clients})
    if len(one.agents) > 1 or len(clients) > 1:
        says = f"The {one.called} is used by {_listed(users)}."
        yield one.finding(
            FindingKind.SECRET_SHARED, says, severity=Severity.HIGH, evidence={"used_by": [*users]}
        )
    elif len({place.file for place in one.places if not place.commit}) > 1:
        says = f"The {one.called} stands in {len(one.files)} files: {_where(one.places)}."
        yield one.finding(FindingKind.SECRET_SHARED, says, severity=Severity.MEDIUM)


def _personal(one: _Credential) -> Iterator[Discovered]:
    used = [c.place for c in one.copies if one.known.of_an_agent(c)]
    if not used:
        return
    service = bool(_SERVICE.search(one.user))
    if (one.rules & _PERSONAL and not service) or (one.user and _PERSON.search(one.user) and not service):
        whose = f"`{one.user}`" if one.user else "a person"
        says = f"An agent works with the {one.called}, which belongs to {whose}: its acts look like theirs."
        yield one.finding(
            FindingKind.PERSONAL_CREDENTIAL, says, places=sorted(set(used)), evidence={"way": "agent"}
        )
        return
    by_person = [c.place for c in one.copies if _OF_PERSON.search(c.place.file)]
    if by_person and len(one.files) > 1:
        says = f"A person uses the {one.called}, with which an agent works: {_where(by_person)}."
        places = sorted({*used, *by_person})
        yield one.finding(FindingKind.PERSONAL_CREDENTIAL, says, places=places, evidence={"way": "person"})


def _lasting(one: _Credential) -> Iterator[Discovered]:
    lasting = next((LASTING[rule] for rule in sorted(one.rules) if rule in LASTING), "")
    if lasting:
        says = f"The {one.called} is {lasting}: it has no end until a person revokes it."
        yield one.finding(FindingKind.LONG_LIVED_CREDENTIAL, says)


def _left_over(one: _Credential) -> Iterator[Discovered]:
    """Yield a credential all of whose uses are switched off."""
    off = [server for server in one.known.servers if server.disabled]
    for server in off:
        own = [c.place for c in one.copies if _inside(c.place, server)]
        if own and len(own) == len(one.copies):
            says = f"The {one.called} is still there, but its server `{server.name}` is disabled."
            yield one.finding(
                FindingKind.CREDENTIAL_OUTLIVES,
                says,
                severity=Severity.MEDIUM,
                evidence={"server": server.name},
                remediation="revoke it at its issuer, and remove the server's entry",
            )
            return


def _inside(place: FilePlace, server: DeclaredServer) -> bool:
    return (
        place.file == server.place.file
        and bool(server.place.inside)
        and (place.inside == server.place.inside or place.inside.startswith(f"{server.place.inside}."))
    )


def _crossed(one: _Credential) -> Iterator[Discovered]:
    environments = {one.known.agents[a].environment for a in one.agents if a in one.known.agents} - {""}
    in_development = [p for p in one.places if _DEVELOPMENT.search(p.file) and not _PRODUCTION.search(p.file)]
    in_production = [p for p in one.places if _PRODUCTION.search(p.file) and not _DEVELOPMENT.search(p.file)]
    if environments == {"development"}:
        in_development = [*one.places]
    if environments == {"production"}:
        in_production = [*one.places]
    if one.production and in_development:
        says = f"The {one.called} opens production, and stands in development: {_where(in_development)}."
        yield one.finding(
            FindingKind.ENVIRONMENT_CROSSED, says, severity=Severity.HIGH, places=in_development
        )
    elif in_production and (_DEVELOPMENT.search(one.target) or "stripe-test-key" in one.rules):
        says = f"The {one.called} opens development, and stands in production: {_where(in_production)}."
        yield one.finding(
            FindingKind.ENVIRONMENT_CROSSED, says, severity=Severity.MEDIUM, places=in_production
        )
    elif in_production and in_development:
        says = f"The {one.called} is the same in production and in development."
        yield one.finding(FindingKind.ENVIRONMENT_CROSSED, says, severity=Severity.HIGH)


def _where(places: Sequence[FilePlace]) -> str:
    """Return places in words: the first, and how many more."""
    first = places[0]
    at = first.spot
    if first.commit:
        at += f" (commit {first.commit[:8]})"
    more = len(places) - 1
    return at if not more else f"{at} and {more} more {'place' if more == 1 else 'places'}"


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
