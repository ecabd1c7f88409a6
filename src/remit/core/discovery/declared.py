# SPDX-License-Identifier: Apache-2.0
"""What files declare: agents, MCP servers and their tools, and exports of permissions.

Readers yield declarations in the order of the file. Text inside a declaration may hold secrets: readers yield
that text as pieces, too, and only detectors look at it.
"""

from __future__ import annotations

import enum

import msgspec

from remit.core.discovery.discovered import FilePlace, Piece
from remit.core.json_value import Json


class DeclaredTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as its server or a framework declares it. `server` is empty for a local function."""

    name: str
    place: FilePlace
    description: str = ""
    schema: Json = None
    annotations: dict[str, Json] = {}
    server: str = ""


class DeclaredServer(msgspec.Struct, frozen=True, kw_only=True):
    """An MCP server in a client's configuration.

    `client` is the client's name (`claude-code`, `cursor`, ...). A server is a program (`command`,
    `arguments`) or an address (`url`). `environment` and `headers` are the names that are set, and never
    their values; `arguments` and `url` have no secret. `allowed` are the tools that the client calls without
    asking, `*` is all. `disabled` servers are configured and not used. `governed` servers are behind remit.
    """

    name: str
    place: FilePlace
    client: str
    command: str = ""
    arguments: tuple[str, ...] = ()
    url: str = ""
    environment: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    tools: tuple[DeclaredTool, ...] = ()
    allowed: tuple[str, ...] = ()
    disabled: bool = False
    governed: bool = False
    agent: str = ""
    project: str = ""


class DeclaredAgent(msgspec.Struct, frozen=True, kw_only=True):
    """An agent as code, a manifest or a transcript declares it.

    `tools` and `servers` are names. `credentials` are names of variables or references that its file reads.
    `environment` is `production`, `development` or empty. `authority` is what it may do without a question,
    in the words of its own settings (`permissions.defaultMode: bypassPermissions`). A `governed` agent asks
    remit.
    """

    name: str
    place: FilePlace
    framework: str
    model: str = ""
    tools: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    owner: str = ""
    environment: str = ""
    authority: tuple[str, ...] = ()
    governed: bool = False


class PermissionSource(enum.StrEnum):
    """Where an export of permissions comes from."""

    AWS = "aws"
    KUBERNETES = "kubernetes"
    AZURE = "azure"
    GCP = "gcp"
    GITHUB = "github"


class PermissionExport(msgspec.Struct, frozen=True, kw_only=True):
    """A document of permissions, in the form of its provider's own tools."""

    provider: PermissionSource
    place: FilePlace
    document: Json


Declaration = DeclaredServer | DeclaredAgent | DeclaredTool | PermissionExport
#: What a reader yields.
Read = Piece | Declaration
