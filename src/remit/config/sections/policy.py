# SPDX-License-Identifier: Apache-2.0
"""The policies: their language, their folder, and the server that decides by them, if any."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from remit.config.reading.decoding import Problems
from remit.config.reading.secret_reference import SecretRef
from remit.config.reading.section import Seconds, Section, Text
from remit.config.reading.yaml_lines import Node
from remit.config.sections.trust import address_fault

ENDINGS = {"cedar": (".cedar",), "rego": (".rego", ".tar.gz"), "opa": (".rego", ".tar.gz")}
"""The endings of policy files, by kind; `.tar.gz` is a bundle that `remit policy build` made."""


class PolicyServerSection(Section, frozen=True, kw_only=True):
    """An OPA server that decides; a call that it does not decide in time is refused."""

    url: Annotated[Text, Meta(description="Address, without `/v1`; `http` only on this machine.")]
    timeout_s: Annotated[
        Seconds, Meta(ge=1, le=30, description="Longest wait for a decision; then the call is refused.")
    ] = 2
    token: Annotated[
        SecretRef | None, Meta(description="Bearer token for the server: `env:X`, `file:/path`.")
    ] = None
    tls_ca: Annotated[str, Meta(description="File of the certificate authorities to trust for it.")] = ""


class PolicySection(Section, frozen=True, kw_only=True):
    """The policies: the upper limit of what any agent may ever do."""

    kind: Annotated[
        Literal["cedar", "rego", "opa"],
        Meta(
            description="Policy language and engine: `cedar`, `rego` in process (needs the extra `rego`), or "
            "`opa` for Rego on an OPA server."
        ),
    ] = "cedar"
    path: Annotated[Text, Meta(description="Folder of the policies, inside the folder of this file.")] = (
        "policies"
    )
    server: Annotated[PolicyServerSection | None, Meta(description="The OPA server, for `kind: opa`.")] = None


def check_policy(policy: PolicySection, node: Node, problems: Problems) -> None:
    """Note problems across several values."""
    server = policy.server
    if (policy.kind == "opa") is not (server is not None):
        text = "needs a `server`" if server is None else "has a `server`, which only `kind: opa` uses"
        way = "write `server: { url: http://127.0.0.1:8181 }`" if server is None else "remove it"
        problems.add(text, line=node.line_of("policy"), key="policy", remediation=way)
    elif server is not None and (fault := address_fault(server.url, plain_loopback=True)):
        key = "policy.server.url"
        problems.add(fault, line=node.line_of(key), key=key, remediation="write `https://host`")
