# SPDX-License-Identifier: Apache-2.0
"""Exports of permissions, recognized by their content, in the form of the provider's own tools.

The documents are those of `aws iam get-account-authorization-details`, `kubectl get -o json`, `az role
assignment list`, `gcloud projects get-iam-policy`, GitHub's REST API, and the policies and manifests behind
them. Values of Kubernetes Secrets and of containers' environments are left out of them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import re2

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.declared import PermissionExport, PermissionSource
from remit.core.discovery.sources.documents import plain
from remit.core.discovery.sources.messages import LocatedText
from remit.core.discovery.sources.text import place_of
from remit.core.json_value import Json

#: What a file must hold before it is looked at for permissions.
PERMISSIONS: Final = re2.compile(
    rb"""["']?(?:Statement|UserDetailList|RoleDetailList|AssumeRolePolicyDocument|PolicyDocument"""
    rb"""|roleDefinition(?:Id|Name)|principalId|assignableScopes|accessPolicies|enableRbacAuthorization|bindings|includedPermissions"""
    rb"""|AttachedPolicies|permissions|default_workflow_permissions|validAfterTime|app_slug|credential_authorized_at"""
    rb"""|appRoles|oauth2Permissions|passwordCredentials|deployment_branch_policy)\b"""
    # Objects of Kubernetes that grant rights, or run something under a service account.
    rb"""|\bkind["']?[ \t]*:[ \t]*["']?[A-Za-z]*"""
    rb"""(?:List|Role|Binding|Account|Pod|Deployment|Set|Job|Secret|Namespace|Node|Policy|Configuration|Template)\b"""
)
#: How a credential report of AWS begins.
CREDENTIAL_REPORT: Final = b"user,arn,user_creation_time,password_enabled"
_MOST_ITEMS: Final = 100_000
_SECRET_FIELDS: Final = frozenset({"data", "stringData", "env", "binaryData"})

_AWS: Final = (
    {"UserDetailList"}, {"RoleDetailList"}, {"GroupDetailList"}, {"AttachedPolicies"}, {"PolicyVersion"},
    {"AssumeRolePolicyDocument"}, {"PolicyDocument"}, {"PolicyNames"}, {"Role", "ResponseMetadata"},
)  # fmt: skip
_AWS_LISTS: Final = {"Roles": "AssumeRolePolicyDocument", "Users": "UserId", "Policies": "PolicyId"}
_AZURE: Final = (
    {"roleDefinitionId", "principalId"}, {"roleDefinitionName", "principalId"}, {"assignableScopes"},
    {"properties", "type"}, {"appId", "passwordCredentials"}, {"appId", "servicePrincipalType"},
    {"properties", "vaultUri"}, {"principalId", "scope"},
)  # fmt: skip
_AZURE_TYPE: Final = "microsoft."
_GCP: Final = (
    {"includedPermissions"}, {"keyType", "validAfterTime"}, {"email", "oauth2ClientId", "projectId"},
    {"policy", "resource"}, {"policy", "assetType"}, {"iamPolicy", "assetType"},
)  # fmt: skip
_GITHUB: Final = (
    {"app_slug", "permissions"}, {"default_workflow_permissions"}, {"full_name", "permissions"},
    {"permissions", "token_name"}, {"permissions", "token_expires_at"}, {"login", "credential_authorized_at"},
    {"total_count", "installations"}, {"permissions", "app_id"}, {"key", "read_only"},
    {"allowed_actions", "enabled"},
)  # fmt: skip


def permission_exports(documents: Iterable[Json], chunk: FileChunk) -> Iterator[PermissionExport]:
    """Yield the documents of a file that state permissions; objects of Kubernetes come as one list."""
    objects: list[Json] = []
    line = 0
    for document in documents:
        if is_kubernetes(document):
            objects.append(without_values(plain(document)))
            line = line or _line_of(document)
        elif (provider := provider_of(document, chunk.file)) is not None:
            yield _export(provider, plain(document), chunk, _line_of(document))
    if objects:
        one = objects[0] if len(objects) == 1 else {"apiVersion": "v1", "kind": "List", "items": objects}
        yield _export(PermissionSource.KUBERNETES, one, chunk, line)


def _export(provider: PermissionSource, document: Json, chunk: FileChunk, line: int) -> PermissionExport:
    return PermissionExport(
        provider=provider, place=place_of(chunk, line=chunk.line + line), document=document
    )


def provider_of(document: Json, file: str = "") -> PermissionSource | None:
    """Return whose permissions a document states, or nothing."""
    sample = document
    if isinstance(document, list):
        sample = next((one for one in document if isinstance(one, dict)), None)
    elif isinstance(document, dict) and isinstance(document.get("value"), list):
        sample = next((one for one in document["value"] if isinstance(one, dict)), document)
    if not isinstance(sample, dict):
        return None
    return next((provider for provider, fits in _PROVIDERS if fits(sample, file)), None)


def _is_aws(sample: dict[str, Json], file: str) -> bool:
    if is_policy(sample) or any(keys <= sample.keys() for keys in _AWS):
        return True
    for key, field in _AWS_LISTS.items():
        listed = sample.get(key)
        if isinstance(listed, list) and listed and isinstance(listed[0], dict) and field in listed[0]:
            return True
    inner = sample.get("Role", sample.get("Policy"))
    return isinstance(inner, dict) and ("AssumeRolePolicyDocument" in inner or "PolicyId" in inner)


def is_policy(document: Json) -> bool:
    """Return whether a document is a policy of AWS."""
    if not isinstance(document, dict):
        return False
    statements = document.get("Statement")
    first = statements[0] if isinstance(statements, list) and statements else statements
    return isinstance(first, dict) and "Effect" in first


def _is_azure(sample: dict[str, Json], file: str) -> bool:
    kind = sample.get("type")
    known = isinstance(kind, str) and kind.lower().startswith(_AZURE_TYPE)
    return any(keys <= sample.keys() and (known or "type" not in keys) for keys in _AZURE)


def _is_gcp(sample: dict[str, Json], file: str) -> bool:
    bindings = sample.get("bindings")
    if isinstance(bindings, list) and bindings and isinstance(bindings[0], dict) and "members" in bindings[0]:
        return True
    return any(keys <= sample.keys() for keys in _GCP)


def _is_github(sample: dict[str, Json], file: str) -> bool:
    if "/.github/workflows/" in f"/{file}" and "jobs" in sample:
        return True
    return any(keys <= sample.keys() for keys in _GITHUB)


_PROVIDERS: Final[tuple[tuple[PermissionSource, Callable[[dict[str, Json], str], bool]], ...]] = (
    (PermissionSource.AWS, _is_aws),
    (PermissionSource.AZURE, _is_azure),
    (PermissionSource.GCP, _is_gcp),
    (PermissionSource.GITHUB, _is_github),
)


def is_kubernetes(document: Json) -> bool:
    """Return whether a document is an object of Kubernetes, or a list of them."""
    return (
        isinstance(document, dict)
        and isinstance(document.get("kind"), str)
        and isinstance(document.get("apiVersion"), str)
        and ("metadata" in document or "items" in document)
    )


def without_values(value: Json) -> Json:
    """Return objects of Kubernetes without what Secrets, ConfigMaps and environments hold."""
    if isinstance(value, dict):
        return {key: without_values(one) for key, one in value.items() if key not in _SECRET_FIELDS}
    return [without_values(one) for one in value[:_MOST_ITEMS]] if isinstance(value, list) else value


def _line_of(document: Json) -> int:
    """Return the line of a document's first text, from 0; 0 where it is not known."""
    for _ in range(64):
        if isinstance(document, LocatedText):
            return document.line
        if not isinstance(document, dict | list) or not document:
            return 0
        document = next(iter(document.values())) if isinstance(document, dict) else document[0]
    return 0


def credential_report(text: str, chunk: FileChunk) -> Iterator[PermissionExport]:
    """Yield the credential report of AWS, which is CSV, as `{"CredentialReport": [rows]}`."""
    rows = [row for _, row in zip(range(_MOST_ITEMS), csv.DictReader(text.splitlines()), strict=False)]
    document = {"CredentialReport": [{k: v for k, v in row.items() if isinstance(k, str)} for row in rows]}
    yield _export(PermissionSource.AWS, document, chunk, 0)
