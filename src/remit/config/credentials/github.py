# SPDX-License-Identifier: Apache-2.0
"""GitHub as a source of task credentials."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from remit.config.credentials.checks import Url, check_names, check_secret, check_source
from remit.config.reading.decoding import Problems
from remit.config.reading.secret_reference import SecretRef
from remit.config.reading.section import Section, Text
from remit.config.reading.yaml_lines import Node

Level = Literal["read", "write", "admin"]
#: The values that a source of this kind issues.
GIVES: Final = frozenset({"token", "basic"})


class GitHubLeaseSection(Section, frozen=True, kw_only=True):
    """A GitHub App: an installation token for each task, for some repositories and permissions."""

    api_url: Annotated[
        Url, Meta(description="API address; `https://github.example.com/api/v3` for your own server.")
    ] = "https://api.github.com"
    app: Annotated[Text, Meta(description="The app's client id, or its id.")]
    installation: Annotated[int, Meta(ge=1, description="Installation id.")]
    private_key: Annotated[SecretRef, Meta(description="The app's private key as PEM.")]
    owner: Annotated[Text, Meta(pattern=r"^[A-Za-z0-9-]{1,39}$", description="Owner of the repositories.")]
    repositories: Annotated[
        tuple[Text, ...],
        Meta(
            min_length=1,
            description="Repositories of a task's token. `{task}`, `{agent}`, `{person}` and the task's "
            "parameters by name are filled in; `owner/name` is accepted; another owner is refused.",
        ),
    ]
    permissions: Annotated[
        dict[Text, Level], Meta(description="Permissions of every token, such as `contents: read`.")
    ] = {}
    tool_permissions: Annotated[
        dict[str, dict[Text, Level]],
        Meta(description="Further permissions by tool, requested if the task is granted the tool."),
    ] = {}
    tls_ca: Annotated[str, Meta(description="File of the certificate authorities to trust for it.")] = ""


def check_github(
    github: GitHubLeaseSection, templates: dict[str, str], key: str, node: Node, problems: Problems
) -> None:
    """Note problems across several values; `templates` are what carries the credential."""
    check_source(github.api_url, f"{key}.api_url", node, problems)
    check_secret(github.private_key, f"{key}.private_key", node, problems)
    if not github.permissions and not any(github.tool_permissions.values()):
        problems.add(
            "does not limit the token",
            line=node.line_of(key),
            key=key,
            remediation="give `permissions` or `tool_permissions`: GitHub grants all permissions if "
            "none are given",
        )
    check_names(templates, GIVES, key, node, problems)
