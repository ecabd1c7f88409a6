# SPDX-License-Identifier: Apache-2.0
"""A stand-in for AWS: STS, the policies of one role, and a bucket, over HTTP.

Signatures are checked with AWS's own library (`botocore`), and what STS and IAM bound is bounded here: names,
sizes, durations. Policies are judged by the documented rules (an explicit deny wins; a session may what role
and session policy both allow), of which the few that the tests use are written here again: this is not AWS,
and shows no more than that what remit writes means what it should by the book.
"""

from __future__ import annotations

import json
import re
import secrets
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from flask import Request, Response, request

from tests.servers.local_server import LocalServer, serving

Json = Any

ADMIN = ("AKIATESTSADMIN000001", "s3cret of remit's own key")
ROLE = "arn:aws:iam::123456789012:role/crm/reader"
ROLE_ID = "AROATESTSREADER00001"
QUOTA = 10_240
_CREDENTIAL = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)
_TAG = re.compile(r"[\w \t.:/=+@-]+")
_NAME = re.compile(r"[\w+=,.@-]{2,64}")


class Refused(Exception):
    """What AWS answers, with its code."""

    def __init__(self, code: str, status: int = 403, text: str = "no") -> None:
        super().__init__(code)
        self.code, self.status, self.text = code, status, text


class Session:
    """One session of the role."""

    def __init__(self, form: dict[str, str]) -> None:
        self.key = f"ASIA{secrets.token_hex(8).upper()}"
        self.secret = secrets.token_urlsafe(30)
        self.token = secrets.token_urlsafe(60)
        self.name = form["RoleSessionName"]
        self.form = form
        self.policy: Json = json.loads(form["Policy"])
        self.until = datetime.now(UTC) + timedelta(seconds=int(form["DurationSeconds"]))

    @property
    def user(self) -> str:
        """`aws:userid`."""
        return f"{ROLE_ID}:{self.name}"


class AwsServer(LocalServer):
    """The server. While it lags no policy of the role is heeded yet, and while `broken` is set it answers 503
    everywhere.
    """

    def __init__(self) -> None:
        super().__init__("aws")
        self.sessions: dict[str, Session] = {}
        #: Inline policies of the role.
        self.policies: dict[str, str] = {}
        self.asked: list[dict[str, str]] = []
        self.broken = False
        #: The headers of all requests for the bucket, and what its answers say besides.
        self.seen: list[dict[str, str]] = []
        self.echo = ""
        self.page = 3
        self.longest_s = 3600
        self._app.add_url_rule("/sts/", view_func=self._guarded(self._sts), methods=["POST"], endpoint="sts")
        self._app.add_url_rule("/iam/", view_func=self._guarded(self._iam), methods=["POST"], endpoint="iam")
        self._app.add_url_rule(
            "/s3/<bucket>", view_func=self._guarded(self._s3), methods=["GET"], endpoint="bucket"
        )
        self._app.add_url_rule(
            "/s3/<bucket>/<path:key>", view_func=self._guarded(self._s3), methods=["GET"], endpoint="object"
        )

    def session(self, key: str) -> Session | None:
        """Return a session by its key."""
        return self.sessions.get(key)

    # Services.

    def _guarded(self, inner: Any) -> Any:
        def view(**words: str) -> Response:
            request.get_data()  # kept as it was sent: the form is read from it
            try:
                if self.broken:
                    raise Refused("ServiceUnavailable", 503)
                return Response(inner(**words), content_type="text/xml")
            except Refused as no:
                error = f"<Code>{no.code}</Code><Message>{escape(no.text)}</Message>"
                body = f"<Error>{error}</Error>"
                if request.path[:4] != "/s3/":
                    body = f"<ErrorResponse>{body}<RequestId>1</RequestId></ErrorResponse>"
                return Response(body, no.status, content_type="text/xml")

        return view

    def _sts(self) -> str:
        form = dict(request.form)
        self.asked.append(form)
        _expect(form.get("Version") == "2011-06-15", "InvalidAction", 400)
        _expect(self._signer(request, "sts") is None, "AccessDenied")
        _expect(form.get("Action") == "AssumeRole", "InvalidAction", 400)
        _expect(form.get("RoleArn") == ROLE, "AccessDenied")
        _expect(bool(_NAME.fullmatch(form.get("RoleSessionName", ""))), "ValidationError", 400)
        _expect(900 <= int(form.get("DurationSeconds", "3600")) <= self.longest_s, "ValidationError", 400)
        _expect(len(form.get("Policy", "")) <= 2048, "PackedPolicyTooLarge", 400)
        source = form.get("SourceIdentity", "none")
        _expect(bool(_NAME.fullmatch(source)), "ValidationError", 400)
        for key, text in form.items():
            if key.startswith("Tags.member."):
                limit = 128 if key.endswith(".Key") else 256
                _expect(
                    bool(re.fullmatch(r"[\w \t.:/=+@-]+", text)) and len(text) <= limit,
                    "ValidationError",
                    400,
                )
        try:
            made = Session(form)
        except ValueError:
            raise Refused("MalformedPolicyDocument", 400) from None
        self.sessions[made.key] = made
        return (
            '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'
            f"<SourceIdentity>{source}</SourceIdentity><AssumedRoleUser>"
            f"<AssumedRoleId>{made.user}</AssumedRoleId><Arn>{ROLE}</Arn></AssumedRoleUser><Credentials>"
            f"<AccessKeyId>{made.key}</AccessKeyId><SecretAccessKey>{made.secret}</SecretAccessKey>"
            f"<SessionToken>{made.token}</SessionToken>"
            f"<Expiration>{made.until:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>"
            "</AssumeRoleResult></AssumeRoleResponse>"
        )

    def _iam(self) -> str:
        form = dict(request.form)
        self.asked.append(form)
        _expect(form.get("Version") == "2010-05-08", "InvalidAction", 400)
        _expect(self._signer(request, "iam") is None, "AccessDenied")
        _expect(form.get("RoleName") == "reader", "NoSuchEntity", 404)
        action, name = form["Action"], form.get("PolicyName", "")
        if action == "PutRolePolicy":
            _expect(bool(re.fullmatch(r"[\w+=,.@-]{1,128}", name)), "ValidationError", 400)
            document = form["PolicyDocument"]
            _checked(json.loads(document))
            others = sum(len(text) for one, text in self.policies.items() if one != name)
            _expect(others + len(document) <= QUOTA, "LimitExceeded", 409)
            self.policies[name] = document
            return "<PutRolePolicyResponse/>"
        if action == "DeleteRolePolicy":
            _expect(name in self.policies, "NoSuchEntity", 404)
            del self.policies[name]
            return "<DeleteRolePolicyResponse/>"
        if action == "GetRolePolicy":
            _expect(name in self.policies, "NoSuchEntity", 404)
            # RFC 3986, as the interface says of documents that it gives.
            return f"<R><PolicyDocument>{quote(self.policies[name], safe='')}</PolicyDocument></R>"
        _expect(action == "ListRolePolicies", "InvalidAction", 400)
        names, at = sorted(self.policies), int(form.get("Marker", "0"))
        page, more = names[at : at + self.page], at + self.page < len(names)
        members = "".join(f"<member>{one}</member>" for one in page)
        rest = f"<IsTruncated>true</IsTruncated><Marker>{at + self.page}</Marker>" if more else ""
        rest = rest or "<IsTruncated>false</IsTruncated>"
        return (
            f"<ListRolePoliciesResponse><ListRolePoliciesResult><PolicyNames>{members}</PolicyNames>{rest}"
            "</ListRolePoliciesResult></ListRolePoliciesResponse>"
        )

    def _s3(self, bucket: str, key: str = "") -> str:
        self.seen.append(dict(request.headers))
        session = self._signer(request, "s3")
        if session is None:
            raise Refused("AccessDenied")
        arn = f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")
        self._judge(session, "s3:GetObject" if key else "s3:ListBucket", arn)
        return f"<Got>{escape(arn)} {escape(self.echo)}</Got>"

    # Who and whether.

    def _signer(self, asked: Request, service: str) -> Session | None:
        """Return the session that signed a request, `None` for remit's own key."""
        found = _CREDENTIAL.fullmatch(asked.headers.get("Authorization", ""))
        if found is None:
            raise Refused("MissingAuthenticationToken")
        key, _, region, named, signed, signature = found.groups()
        session = self.sessions.get(key)
        if key != ADMIN[0] and session is None:
            raise Refused("InvalidClientTokenId")
        token = asked.headers.get("X-Amz-Security-Token", "")
        if (session.token if session else "") != token:
            raise Refused("InvalidClientTokenId")
        secret = session.secret if session else ADMIN[1]
        path, _, query = asked.environ["RAW_URI"].partition("?")
        # However a client wrote the path: AWS reads it, and writes it again.
        written = quote(unquote(path), safe="/-_.~")
        url = f"{self.url}{written}" + (f"?{query}" if query else "")
        checked = AWSRequest(asked.method, url, data=asked.get_data(), headers={})
        for name in signed.split(";"):
            if name != "host":
                checked.headers[name] = asked.headers[name]
        at = asked.headers["X-Amz-Date"]
        checked.context["timestamp"] = at
        sent = datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs((datetime.now(UTC) - sent).total_seconds()) > 300:
            raise Refused("RequestTimeTooSkewed")
        by = (S3SigV4Auth if service == "s3" else SigV4Auth)(
            Credentials(key, secret, token or None), service, region
        )
        text = by.string_to_sign(checked, by.canonical_request(checked))
        if named != service or by.signature(text, checked) != signature:
            raise Refused("SignatureDoesNotMatch")
        if session is not None and datetime.now(UTC) >= session.until:
            raise Refused("ExpiredToken")
        return session

    def _judge(self, session: Session, action: str, resource: str) -> None:
        known = {
            "aws:userid": session.user,
            "aws:CurrentTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        heeded = [] if self.policies and self.lags() else list(self.policies.values())
        for document in (*map(json.loads, heeded), session.policy):
            for one in _checked(document):
                if one["Effect"] == "Deny" and _meets(one, action, resource, known):
                    raise Refused("AccessDenied", text="with an explicit deny")
        allowed = [one for one in _checked(session.policy) if one["Effect"] == "Allow"]
        if not any(_meets(one, action, resource, known) for one in allowed):
            raise Refused("AccessDenied", text="no session policy allows it")


def _expect(holds: bool, code: str, status: int = 403) -> None:
    if not holds:
        raise Refused(code, status)


def _checked(document: Json) -> list[Json]:
    if document.get("Version") != "2012-10-17" or set(document) != {"Version", "Statement"}:
        raise Refused("MalformedPolicyDocument", 400)
    for one in document["Statement"]:
        if not set(one) <= {"Sid", "Effect", "Action", "Resource", "Condition"} or len(one) < 3:
            raise Refused("MalformedPolicyDocument", 400)
    return list(document["Statement"])


def _meets(statement: Json, action: str, resource: str, known: dict[str, str]) -> bool:
    if not _any_like(statement["Action"], action) or not _any_like(statement["Resource"], resource):
        return False
    for kind, wanted in statement.get("Condition", {}).items():
        for key, value in wanted.items():
            # Whatever is not written here must not pass for a condition that holds.
            if kind == "StringLike":
                held = _any_like(value, known[key])
            elif kind == "DateGreaterThan":
                held = known[key] > value
            else:
                raise Refused("MalformedPolicyDocument", 400)
            if not held:
                return False
    return True


def _any_like(patterns: Json, text: str) -> bool:
    several = patterns if isinstance(patterns, list) else [patterns]
    forms = (re.escape(one).replace(r"\*", ".*").replace(r"\?", ".") for one in several)
    return any(re.fullmatch(one, text) is not None for one in forms)


def aws_server() -> AbstractContextManager[AwsServer]:
    """Serve on a free port of this machine, for as long as a test needs it."""
    return serving(AwsServer())
