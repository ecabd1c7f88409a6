# SPDX-License-Identifier: Apache-2.0
"""Where the credentials of upstreams come from, as `remit.yaml` says it."""

import json
from pathlib import Path
from typing import Any

import pytest

from remit.config.load import examine_config, load_config

Json = Any

OAUTH = {
    "token_url": "https://login.example.com/token",
    "revoke_url": "https://login.example.com/revoke",
    "probe_url": "https://crm.example.com/me",
    "client_id": "remit",
    "client_secret": "env:CRM_SECRET",
}

POSTGRES = {"admin": "env:CRM_DATABASE", "grants": ["grant select on customers to {role}"]}

OPENBAO = {"address": "https://bao.example.com", "token": "env:BAO", "path": "database/creds/crm"}
STATIC = {"static": {"role": "crm"}}
ROTATE = {"rotate": {"registration_url": "https://login.example.com/r/1", "registration_token": "env:REG"}}
CONNECTED = OAUTH | {"grant": "refresh-token", "authorize_url": "https://login.example.com/authorize"}
APPROLE = {"role_id": "r", "secret_id": "env:BAO_SECRET"}
STATEMENT = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::crm/{customer}/*"}
AWS = {
    "region": "eu-central-1",
    "role": "arn:aws:iam::123456789012:role/crm/reader",
    "access_key_id": "env:AWS_KEY",
    "secret_access_key": "env:AWS_SECRET",
    "statements": [STATEMENT],
    "probe_url": "https://crm.s3.eu-central-1.amazonaws.com/?list-type=2",
    "probe_service": "s3",
}
GITHUB = {
    "app": "Iv23li",
    "installation": 1,
    "private_key": "file:app.pem",
    "owner": "acme",
    "repositories": ["crm"],
    "permissions": {"contents": "read"},
}
KUBERNETES = {
    "api_url": "https://kubernetes.default.svc",
    "token": "env:POD",
    "namespace": "crm",
    "service_account": "reader",
}
KEY = {"X-Secret": "{secret_access_key}"}
IDP = {"token_url": "https://idp.example.com/t", "client_id": "remit", "client_secret": "env:IDP"}
PASSWORD = {"database": "postgresql://db.example.com/crm", "user": "crm", "first": "env:CRM"}
KV = {"address": "https://bao.example.com", "token": "env:BAO", "path": "crm"}
X = {"X-Password": "{password}"}
ENV = {"CRM_TOKEN": "{token}"}
PROGRAM = {"url": "", "command": ["crm"]}


def written(folder: Path, lease: Json, **upstream: Json) -> Path:
    """Write a configuration with an upstream that leases."""
    crm = {"url": "https://crm.example.com/mcp", "lease": lease} | upstream
    (folder / "remit.yaml").write_text(json.dumps({"upstreams": {"crm": crm}}))
    return folder


def test_a_lease_is_read(tmp_path: Path) -> None:
    """The secret stays a reference; `headers` of the upstream are for remit's own questions."""
    lease = {"oauth": OAUTH | {"tool_scopes": {"update": ["crm.write"]}}}
    config = load_config(written(tmp_path, lease, headers={"Authorization": "Bearer env:LISTING"}))
    found = config.upstreams["crm"].lease
    assert found is not None
    assert found.oauth is not None
    assert found.oauth.client_secret is not None
    assert found.oauth.client_secret.where == "env:CRM_SECRET"
    assert found.oauth.tool_scopes == {"update": ("crm.write",)}
    assert config.limits.closure_wait_s == 2


@pytest.mark.parametrize(
    ("lease", "upstream", "told"),
    [
        ({}, {}, "`upstreams.crm.lease`: has no source"),
        ({"oauth": OAUTH | {"client_secret": "hunter2"}}, {}, "literal"),
        (
            {"oauth": OAUTH | {"token_url": "http://login.example.com/token"}},
            {},
            "`upstreams.crm.lease.oauth.token_url`: would send a secret in the clear",
        ),
        ({"oauth": OAUTH | {"revoke_url": "login"}}, {}, "is not an http or https URL"),
        ({"oauth": OAUTH | {"probe_url": ""}}, {}, "cannot prove that a token is revoked"),
        ({"oauth": OAUTH, "headers": {"Host": "x"}}, {}, "`upstreams.crm.lease.headers.Host`: cannot be set"),
        ({"oauth": OAUTH}, {"url": "", "command": ["crm"]}, "does not state how the program gets"),
        (
            {"oauth": OAUTH, "headers": {"X": "{token}"}, "env": ENV},
            PROGRAM,
            "`upstreams.crm.lease.headers`: has no meaning beside `command`",
        ),
        ({"oauth": OAUTH, "env": ENV, "per": "call"}, PROGRAM, "`upstreams.crm.lease.per`: has no meaning"),
        ({"oauth": OAUTH, "env": ENV}, {}, "`upstreams.crm.lease.env`: has no meaning beside `url`"),
        ({"oauth": OAUTH}, {"per_task": True}, "`upstreams.crm.per_task`: has no meaning beside `url`"),
        ({"oauth": OAUTH, "env": {"REMIT_LEASE": "x"}}, PROGRAM, "cannot name a variable"),
        (
            {"oauth": {name: value for name, value in OAUTH.items() if name != "client_secret"}},
            {},
            "`upstreams.crm.lease.oauth`: has neither a secret nor a key",
        ),
        ({"oauth": OAUTH | {"client_key": "env:KEY"}}, {}, "has both a secret and a key"),
        ({"oauth": OAUTH | {"grant": "id-jag"}}, {}, "needs an identity provider for `id-jag`"),
        ({"oauth": OAUTH | {"idp": IDP}}, {}, "`upstreams.crm.lease.oauth.idp`: has no meaning with this"),
        (
            {"oauth": OAUTH | {"grant": "id-jag", "idp": IDP | {"token_url": "http://idp.example.com/t"}}},
            {},
            "`upstreams.crm.lease.oauth.idp.token_url`: would send a secret in the clear",
        ),
        (
            {"oauth": OAUTH | {"grant": "refresh-token"}},
            {},
            "needs `authorize_url` and `revoke_url` for `refresh-token`",
        ),
        ({"oauth": OAUTH | {"grant": "password"}}, {}, "`upstreams.crm.lease.oauth.grant`"),
        ({"password": PASSWORD}, {}, "does not state how calls send the credential"),
        ({"password": PASSWORD | {"first": "hunter2"}, "headers": X}, {}, "literal"),
        (
            {"password": PASSWORD | {"database": "postgresql://crm:hunter2@db/crm"}, "headers": X},
            {},
            "`upstreams.crm.lease.password.database`: contains a name or password",
        ),
        ({"password": PASSWORD, "env": ENV}, PROGRAM, "`upstreams.crm.lease.password`: has no meaning"),
        ({"password": PASSWORD, "headers": X, "per": "call"}, {}, "has no meaning with `password`"),
        (
            {"password": PASSWORD | {"publish": KV | {"address": "http://bao.example.com"}}, "headers": X},
            {},
            "`upstreams.crm.lease.password.publish.address`: would send a secret in the clear",
        ),
        ({"oauth": OAUTH, "per": "minute"}, {}, "`upstreams.crm.lease.per`"),
        ({"oauth": OAUTH, "postgres": POSTGRES}, {}, "has more than one source"),
        ({"postgres": POSTGRES}, {}, "does not state how calls send the credential"),
        (
            {
                "postgres": POSTGRES | {"admin": "postgresql://a:hunter2@db.example.com/x"},
                "headers": {"X": "y"},
            },
            {},
            "`upstreams.crm.lease.postgres.admin`",
        ),
        ({"openbao": OPENBAO | {"address": "http://bao.example.com"}, "headers": X}, {}, "in the clear"),
        ({"openbao": OPENBAO | {"token": "hunter2"}, "headers": X}, {}, "literal"),
        (
            {"openbao": OPENBAO | {"login": "postgresql://a:hunter2@db/x"}, "headers": X},
            {},
            "contains a name or password",
        ),
        ({"openbao": OPENBAO}, {}, "does not state how calls send the credential"),
        (
            {"openbao": OPENBAO | {"token": None}, "headers": X},
            {},
            "does not state how remit authenticates there",
        ),
        (
            {"openbao": OPENBAO | {"auth": APPROLE}, "headers": X},
            {},
            "does not state how remit authenticates there",
        ),
        (
            {"openbao": OPENBAO | {"token": None, "auth": {"role_id": "r"}}, "headers": X},
            {},
            "`upstreams.crm.lease.openbao.auth`: is an incomplete login",
        ),
        (
            {"openbao": OPENBAO | {"token": None, "auth": APPROLE | {"secret_id": "hunter2"}}, "headers": X},
            {},
            "literal",
        ),
        ({"openbao": OPENBAO | {"pki": {"role": "task"}}, "headers": X}, {}, "does not state what to obtain"),
        ({"openbao": OPENBAO | STATIC, "headers": X}, {}, "does not state what to obtain"),
        (
            {"openbao": OPENBAO | STATIC | {"path": ""}, "headers": X},
            {},
            "cannot prove that a password is invalid",
        ),
        (
            {
                "openbao": OPENBAO | STATIC | {"path": "", "login": "db/x", "parameters": {"a": "b"}},
                "headers": X,
            },
            {},
            "has no meaning beside `static`",
        ),
        ({"oauth": OAUTH | ROTATE | {"revoke_url": ""}}, {}, "needs `client_secret` and `revoke_url`"),
        (
            {"oauth": OAUTH | {"rotate": ROTATE["rotate"] | {"registration_token": "hunter2"}}},
            {},
            "`upstreams.crm.lease.oauth.rotate.registration_token`: looks like a literal secret",
        ),
        ({"oauth": OAUTH | {"iss_required": True}}, {}, "has no meaning with this `grant`"),
        (
            {"oauth": CONNECTED | {"iss_required": True}},
            {},
            "`upstreams.crm.lease.oauth.iss_required`: needs `issuer`",
        ),
        (
            {"openbao": OPENBAO | {"path": "", "tokens": {"role": "crm"}, "parameters": {"a": "b"}}},
            {},
            "has no meaning beside `tokens`",
        ),
        (
            {
                "openbao": OPENBAO | {"path": "", "pki": {"role": "t"}, "login": "postgresql://db/x"},
                "headers": X,
            },
            {},
            "has a meaning only with `path` and `static`",
        ),
        ({"aws": AWS | {"secret_access_key": "hunter2"}, "headers": KEY}, {}, "literal"),
        (
            {"aws": AWS | {"secret_access_key": None}, "headers": KEY},
            {},
            "does not state remit's identity there",
        ),
        (
            {"aws": AWS | {"web_identity": {"role": AWS["role"], "token": "file:t"}}, "headers": KEY},
            {},
            "does not state remit's identity there",
        ),
        ({"aws": AWS | {"statements": []}, "headers": KEY}, {}, "does not limit the session"),
        ({"aws": AWS | {"sign_service": "s3"}}, {}, "has no meaning without `openapi`"),
        (
            {"aws": AWS | {"sign_service": "s3"}, "headers": KEY},
            {"openapi": "api.json"},
            "has no meaning beside `headers` and `env`",
        ),
        (
            {"openbao": OPENBAO | {"path": "", "pki": {"role": "task"}}},
            {},
            "does not state how calls send the certificate",
        ),
        (
            {"aws": AWS, "headers": KEY, "per": "call"},
            {},
            "`upstreams.crm.lease.per`: cannot be for one call",
        ),
        (
            {"openbao": OPENBAO | {"path": "", "pki": {"role": "t", "probe_url": "http://x"}}, "headers": X},
            {},
            "lease.openbao.pki.probe_url`: is not an https URL",
        ),
        ({"aws": AWS | {"role": "reader"}, "headers": KEY}, {}, "`upstreams.crm.lease.aws.role`"),
        ({"aws": AWS | {"probe_url": "http://s3.example.com/"}, "headers": KEY}, {}, "in the clear"),
        ({"oauth": OAUTH, "headers": {"X": "{user}"}}, {}, "does not provide `user` for `X`"),
        ({"aws": AWS, "headers": {"X": "{token}"}}, {}, "does not provide `token` for `X`"),
        (
            {"aws": AWS | {"statements": [STATEMENT | {"Action": "s3:{verb}"}]}, "headers": KEY},
            {},
            "`upstreams.crm.lease.aws.statements[0]`: lets a task's parameters choose actions",
        ),
        (
            {"aws": AWS | {"tool_statements": {"a": [{"Effect": "Allow", "Action": "*"}]}}, "headers": KEY},
            {},
            "`upstreams.crm.lease.aws.tool_statements.a[0]`: is not a statement of a session policy",
        ),
        (
            {"aws": AWS | {"statements": [STATEMENT | {"Principal": "*"}]}, "headers": KEY},
            {},
            "has no meaning with `Principal`",
        ),
        ({"github": GITHUB | {"private_key": "hunter2"}}, {}, "literal"),
        ({"github": GITHUB | {"permissions": {}}}, {}, "does not limit the token"),
        ({"github": GITHUB | {"permissions": {"contents": "all"}}}, {}, "lease.github.permissions.contents`"),
        ({"github": GITHUB | {"repositories": []}}, {}, "`upstreams.crm.lease.github.repositories`"),
        ({"github": GITHUB | {"api_url": "http://github.example.com"}}, {}, "in the clear"),
        ({"github": GITHUB, "headers": {"X": "{password}"}}, {}, "does not provide `password` for `X`"),
        ({"kubernetes": KUBERNETES | {"token": "hunter2"}}, {}, "literal"),
        (
            {"kubernetes": KUBERNETES | {"namespace": "../x"}},
            {},
            "`upstreams.crm.lease.kubernetes.namespace`",
        ),
        ({"kubernetes": KUBERNETES | {"api_url": "http://10.0.0.1"}}, {}, "in the clear"),
        ({"kubernetes": KUBERNETES, "headers": {"X": "{basic}"}}, {}, "does not provide `basic` for `X`"),
        ({"oauth": OAUTH, "oath": {}}, {}, "did you mean `oauth`?"),
    ],
)
def test_what_cannot_work_is_said(tmp_path: Path, lease: Json, upstream: Json, told: str) -> None:
    """With the key, and the remediation; and no secret is repeated."""
    _, problems = examine_config(written(tmp_path, lease, **upstream))
    said = "\n".join(str(one) for one in problems)
    assert told in said
    assert "hunter2" not in said
