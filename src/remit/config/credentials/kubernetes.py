# SPDX-License-Identifier: Apache-2.0
"""Kubernetes as a source of task credentials."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from remit.config.credentials.checks import Url, check_names, check_secret, check_source
from remit.config.reading.decoding import Problems
from remit.config.reading.secret_reference import SecretRef
from remit.config.reading.section import Section, Text
from remit.config.reading.yaml_lines import Node

#: The values that a source of this kind issues.
GIVES: Final = frozenset({"token"})


class KubernetesLeaseSection(Section, frozen=True, kw_only=True):
    """Kubernetes: a service account token for each task, bound to an object that is deleted at the task's
    end.
    """

    api_url: Annotated[Url, Meta(description="The API server: `https://kubernetes.default.svc` in a pod.")]
    token: Annotated[
        SecretRef,
        Meta(
            description="Token of remit's own service account; in a pod "
            "`file:/var/run/secrets/kubernetes.io/serviceaccount/token`, read at each request."
        ),
    ]
    namespace: Annotated[
        Text, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", description="Namespace of the account.")
    ]
    service_account: Annotated[
        Text,
        Meta(
            description="The account. `{agent}` and the task's parameters by name are filled in: "
            "`crm-{region}`."
        ),
    ]
    audiences: Annotated[
        tuple[Text, ...], Meta(description="Audience of the token. Default: the API server.")
    ] = ()
    tls_ca: Annotated[
        str,
        Meta(
            description="File of the certificate authorities to trust for it; in a pod "
            "`/var/run/secrets/kubernetes.io/serviceaccount/ca.crt`."
        ),
    ] = ""


def check_kubernetes(
    kubernetes: KubernetesLeaseSection, templates: dict[str, str], key: str, node: Node, problems: Problems
) -> None:
    """Note problems across several values; `templates` are what carries the credential."""
    check_source(kubernetes.api_url, f"{key}.api_url", node, problems)
    check_secret(kubernetes.token, f"{key}.token", node, problems)
    check_names(templates, GIVES, key, node, problems)
