# SPDX-License-Identifier: Apache-2.0
"""AWS: one session of a role per task, narrowed to the task, and denied when the task ends.

1. AssumeRole with a session policy: the statements of the configuration and of the tools granted to the task,
   filled in for the task. The session cannot use the role's further permissions. A statement added by remit
   denies everything after the task's deadline. The session is named after its lease and the agent; tags and
   the source identity report the same to CloudTrail.
2. AWS cannot revoke a session. At the end an inline policy of the role denies everything to the sessions of
   that name (`session_denials`).
3. A session is probed by a request that it may send while it is alive. (GetCallerIdentity does not serve: AWS
   answers it even for a session that has no permissions.)
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import orjson

from remit.adapters.broker.aws.query_api import REFUSALS, AwsQuery, Said, code_of
from remit.adapters.broker.aws.session_denials import RoleDenials
from remit.adapters.broker.http import BrokerHttp
from remit.adapters.broker.injection import Injection
from remit.adapters.broker.narrowing import fill, texts_of
from remit.core.errors import KeyUnavailable, NothingDone
from remit.core.json_value import Json
from remit.core.keys.sigv4 import AwsKeys, AwsScope, AwsSigner, signing_headers
from remit.ports.broker import LeaseWanted, Probe, UpstreamCredential
from remit.ports.runtime import Clock

#: AWS's own limits: characters of a session policy, and the shortest and longest life of a session.
MAX_POLICY: Final = 2048
SHORTEST: Final = timedelta(seconds=900)
LONGEST: Final = timedelta(hours=12)
_LEASE: Final = re.compile(r"lse_[a-z0-9]{1,32}")
_NAME_CHARS: Final = 64
_TAG_CHARS: Final = re.compile(r"[^A-Za-z0-9 _.:/=+@-]")


class AwsRole(msgspec.Struct, frozen=True, kw_only=True):
    """The role to assume, and the templates of a task's session policy.

    `statements` apply to every session, those of `tool_statements` only where the task was granted the tool.
    """

    arn: str
    region: str
    statements: Sequence[Json] = ()
    tool_statements: Mapping[str, Sequence[Json]] = {}
    external_id: str = ""
    session: timedelta = timedelta(hours=1)
    tags: bool = True
    source_identity: bool = True

    @property
    def name(self) -> str:
        """The role's name, without its path."""
        return self.arn.rpartition("/")[2]


class AwsProbe(msgspec.Struct, frozen=True):
    """A GET that a live session may send, and the service that its signature names."""

    url: str
    service: str


class StsBroker:
    """`ports.broker.Broker` for one role."""

    kind = "aws-session"
    standing = False
    #: Sessions carry the name of their lease, and are denied by that name.
    traceable = True

    def __init__(
        self,
        role: AwsRole,
        probe: AwsProbe,
        *,
        sts: AwsQuery,
        iam: AwsQuery,
        keys: Callable[[], Awaitable[AwsKeys]],
        web: BrokerHttp,
        clock: Clock,
        sign: AwsScope | None = None,
        headers: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Store the role; `keys` returns remit's own keys at each request.

        With `sign`, calls are signed for that scope and carry no credential.
        """
        self._role = role
        self._probe = probe
        self._sts = sts
        self._denials = RoleDenials(role.name, iam, keys, clock)
        self._keys = keys
        self._web = web
        self._clock = clock
        self._sign = sign
        self._injection = Injection(headers, env)

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Implement step 1; raises `KeyUnavailable`."""
        now, task = self._clock.now(), wanted.task
        life = min(max(task.deadline - now, SHORTEST), self._role.session, LONGEST)
        given = {
            "RoleArn": self._role.arn,
            "RoleSessionName": f"{_leased(wanted.lease)}@{task.agent}"[:_NAME_CHARS],
            "DurationSeconds": str(int(life.total_seconds())),
            "Policy": self._policy(wanted),
        }
        if self._role.external_id:
            given["ExternalId"] = self._role.external_id
        if self._role.source_identity and len(task.agent) > 1:  # AWS refuses a shorter one
            given["SourceIdentity"] = task.agent[:_NAME_CHARS]
        if self._role.tags:
            tags = {"remit:task": task.id, "remit:agent": task.agent, "remit:person": task.on_behalf_of}
            kept = {name: _TAG_CHARS.sub("_", text)[:256] for name, text in tags.items() if text}
            for number, (name, text) in enumerate(kept.items(), 1):
                given |= {f"Tags.member.{number}.Key": name, f"Tags.member.{number}.Value": text}
        said = await self._sts.ask("AssumeRole", given, await self._keys())
        keys = AwsKeys(said.one("AccessKeyId"), said.one("SecretAccessKey"), said.one("SessionToken"))
        if not keys.id or not keys.secret or not keys.token:
            raise KeyUnavailable(
                "the answer of AWS to `AssumeRole` contains no session",
                code="source-refused",
                remediation="check `sts_url`",
            )
        values = {
            "access_key_id": keys.id,
            "secret_access_key": keys.secret,
            "session_token": keys.token,
            "region": self._role.region,
        }
        # If injection fails, the session is denied by its name: the lease is known, and can be probed.
        carried = self._injection.filled(values, "AWS")
        return UpstreamCredential(
            lease=wanted.lease,
            sink=f"{self._role.arn}",
            until=_until(said, now + life),
            headers=carried.headers,
            env=carried.env,
            signer=AwsSigner(keys, self._sign) if self._sign is not None else None,
            secrets=tuple(
                values[one]
                for one in ("secret_access_key", "session_token")
                if self._sign is not None or self._injection.uses(one)
            ),
            handle={"id": keys.id, "secret": keys.secret, "token": keys.token},
        )

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Deny the session (step 2). Raises `KeyUnavailable`. Denying again is harmless."""
        until = credential.until or self._clock.now() + LONGEST
        await self._denials.deny(_leased(credential.lease), until)

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """Do step 3."""
        handle = credential.handle
        keys = AwsKeys(handle.get("id", ""), handle.get("secret", ""), handle.get("token", ""))
        if not keys.secret:
            # The answer was lost, or can no longer be read: no one holds keys to probe with.
            try:
                denied = await self._denials.denies(_leased(credential.lease))
            except KeyUnavailable:
                return Probe.UNREACHABLE
            return Probe.REFUSED if denied else Probe.UNREACHABLE
        scope = AwsScope(self._role.region, self._probe.service)
        headers = signing_headers("GET", self._probe.url, b"", keys, scope, self._clock.now())
        try:
            answer = await self._web.ask("GET", self._probe.url, headers=headers)
        except KeyUnavailable:
            return Probe.UNREACHABLE
        if 200 <= answer.status < 300:
            return Probe.ACCEPTED
        refused = 400 <= answer.status < 500 and code_of(answer) in REFUSALS
        return Probe.REFUSED if refused else Probe.UNREACHABLE

    async def close(self) -> None:
        """Close all connections."""
        await self._web.close()

    def _policy(self, wanted: LeaseWanted) -> str:
        template = list(self._role.statements)
        for tool in wanted.tools:
            template += self._role.tool_statements.get(tool, ())
        if not template:
            raise NothingDone(
                "no granted tool of the task has statements for its session",
                code="lease-parameter",
                remediation="give `statements`, or `tool_statements` for the tool",
            )
        filled = fill(template, texts_of(wanted), _plain)
        deadline = wanted.task.deadline.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        over = {"DateGreaterThan": {"aws:CurrentTime": deadline}}
        filled.append({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": over})
        # A session obtained through this one would have another name, and would outlive it.
        filled.append({"Effect": "Deny", "Action": "sts:AssumeRole*", "Resource": "*"})
        text = orjson.dumps({"Version": "2012-10-17", "Statement": filled}).decode()
        if len(text) > MAX_POLICY:
            raise NothingDone(
                f"the session policy has {len(text)} characters, but AWS accepts {MAX_POLICY}",
                code="lease-parameter",
                remediation="use fewer or shorter statements or parameters",
            )
        return text


def _plain(text: str) -> bool:
    """Return whether the text has no `*`, `?` or `$`, which are wildcards and variables in a policy."""
    return not any(one in text for one in "*?$")


def _leased(lease: str) -> str:
    if not _LEASE.fullmatch(lease):
        raise KeyUnavailable(
            f"`{lease[:40]}` is not a lease", code="source-refused", remediation="see `remit who`"
        )
    return lease


def _until(said: Said, expected: datetime) -> datetime:
    try:
        told = datetime.fromisoformat(said.one("Expiration"))
    except ValueError:
        return expected
    return told if told.tzinfo is not None else expected
