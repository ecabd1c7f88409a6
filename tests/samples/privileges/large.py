# SPDX-License-Identifier: Apache-2.0
"""Large exports, in each tenth part of which a builder can become an administrator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from remit.core.discovery.declared import PermissionExport, PermissionSource
from remit.core.discovery.discovered import FilePlace
from tests.samples.privileges import azure, gcp, github, kubernetes


def large(provider: PermissionSource, parts: int) -> tuple[Sequence[PermissionExport], set[str]]:
    """Return an export of so many namespaces, groups, projects or workflows, and who gains rights in it."""
    build = {
        PermissionSource.KUBERNETES: _cluster,
        PermissionSource.AZURE: _tenant,
        PermissionSource.GCP: _organization,
        PermissionSource.GITHUB: _repositories,
    }[provider]
    documents, gains = build(parts)
    exports = [
        PermissionExport(provider=provider, place=FilePlace(file=file), document=document)
        for file, document in documents.items()
    ]
    return exports, gains


def _cluster(parts: int) -> tuple[dict[str, Any], set[str]]:
    items: list[Any] = []
    gains: set[str] = set()
    for part in range(parts):
        namespace = f"team-{part}"
        labels = {"pod-security.kubernetes.io/enforce": "baseline"}
        items.append({"kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
        for name in ("web", "jobs", "builder"):
            items.append(kubernetes.thing("ServiceAccount", name, namespace))
            items.append(kubernetes.pod(name, name, namespace))
        rules = kubernetes.rule("create", "pods"), kubernetes.rule("get list", "pods configmaps")
        items += kubernetes.bound(
            "build", kubernetes.account("builder", namespace), *rules, namespace=namespace
        )
        if part % 10 == 0:
            everything = kubernetes.rule("*", "*", "*")
            items += kubernetes.bound(f"boss-{part}", kubernetes.account("jobs", namespace), everything)
            gains.add(f"principal:system:serviceaccount:{namespace}:builder")
    return {"cluster/all.json": {"kind": "List", "items": items}}, gains


def _tenant(parts: int) -> tuple[dict[str, Any], set[str]]:
    items: list[Any] = []
    gains: set[str] = set()
    for part in range(parts):
        group = f"{azure.SUB}/resourceGroups/team-{part}"
        items.append(azure.assigned("Virtual Machine Contributor", group, f"builder-{part}"))
        items.append(azure.assigned("Reader", azure.SUB, f"builder-{part}"))
        items.append(azure.resource(azure.VM, "vm", group, identity={"principalId": f"vm-{part}"}))
        role, scope = ("Owner", azure.SUB) if part % 10 == 0 else ("Reader", group)
        items.append(azure.assigned(role, scope, f"vm-{part}"))
        if part % 10 == 0:
            gains.add(f"principal:azure:builder-{part}")
    return {"tenant.json": items}, gains


def _organization(parts: int) -> tuple[dict[str, Any], set[str]]:
    documents: dict[str, Any] = {}
    gains: set[str] = set()
    for part in range(parts):
        builder = f"user:builder-{part}@example.com"
        role = "roles/owner" if part % 10 == 0 else "roles/logging.logWriter"
        policy = gcp.policy(
            gcp.given("roles/run.developer", builder),
            gcp.given(gcp.USER, builder),
            gcp.given(role, f"serviceAccount:app@team-{part}.iam.gserviceaccount.com"),
        )
        name = f"//cloudresourcemanager.googleapis.com/projects/team-{part}"
        documents[f"{part}.json"] = [{"resource": name, "policy": policy}]
        if part % 10 == 0:
            gains.add(f"principal:{builder}")
    return documents, gains


def _repositories(parts: int) -> tuple[dict[str, Any], set[str]]:
    documents: dict[str, Any] = {}
    gains: set[str] = set()
    for part in range(parts):
        file = f"team-{part}/.github/workflows/w.yml"
        event = "pull_request_target" if part % 10 == 0 else "pull_request"
        documents[file] = github.workflow(event, github.CHECKOUT, github.BUILD)
        if part % 10 == 0:
            gains.add(f"workflow:{file}")
    return documents, gains
