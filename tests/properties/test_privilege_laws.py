# SPDX-License-Identifier: Apache-2.0
"""Laws of the analysis of permissions.

Less authority is no more danger, the order of an export says nothing, and no document breaks it.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from random import Random
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from remit.core.discovery.declared import PermissionExport, PermissionSource
from remit.core.discovery.discovered import Discovered, FilePlace
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.json_value import Json
from tests.samples.privileges import azure, gcp, github, kubernetes
from tests.samples.privileges.case import ANALYSES, Case, exports_of, findings_of

MODULES: tuple[Any, ...] = (azure, gcp, github, kubernetes)
CASES: list[Case] = [case for module in MODULES for case in (*module.PATHS, *module.NEAR_MISSES)]
CLOUDS = [case for case in CASES if case.provider in (PermissionSource.AZURE, PermissionSource.GCP)]
cases = st.sampled_from(CASES)


def _merged(provider: PermissionSource, indexes: Sequence[int]) -> list[PermissionExport]:
    """Return the documents of several cases of a provider as one export."""
    own = [case for case in CASES if case.provider is provider]
    exports = [export for index in indexes for export in exports_of(own[index % len(own)])]
    return [
        msgspec.structs.replace(export, place=FilePlace(file=f"{number}/{export.place.file}"))
        if provider is not PermissionSource.KUBERNETES
        else export
        for number, export in enumerate(exports)
    ]


def _endangered(found: Sequence[Discovered]) -> dict[str, int]:
    """Return each identity that is, or can become, more than it should be, with the rank of the worst."""
    worst: dict[str, int] = {}
    for finding in found:
        if finding.kind in (FindingKind.ESCALATION_PATH, FindingKind.WIDE_AUTHORITY):
            # An administrator or owner is as far as a path can lead.
            owner = finding.weight is not Severity.MEDIUM or finding.which.startswith("owner")
            admin = finding.kind is FindingKind.WIDE_AUTHORITY and owner
            worst[finding.about] = min(worst.get(finding.about, 9), 0 if admin else finding.weight.rank)
    return worst


def _shuffled(document: Json, random: Random) -> Json:
    if isinstance(document, dict) and isinstance(document.get("items"), list):
        return {**document, "items": _shuffled(document["items"], random)}
    if isinstance(document, list) and not any(isinstance(d, dict) and "policy" in d for d in document):
        return random.sample(document, len(document))
    return document


@given(
    provider=st.sampled_from(list(ANALYSES)),
    indexes=st.lists(st.integers(0, 99), max_size=4),
    seed=st.integers(),
)
def test_order_says_nothing(provider: PermissionSource, indexes: list[int], seed: int) -> None:
    """The findings of an export do not depend on the order of its files and members."""
    exports, random = _merged(provider, indexes), Random(seed)
    mixed = [
        msgspec.structs.replace(export, document=_shuffled(export.document, random))
        for export in random.sample(exports, len(exports))
    ]
    assert findings_of(provider, exports) == findings_of(provider, mixed)


_DENIALS = {
    PermissionSource.AZURE: [
        [azure.denied(operation, scope=scope, principal=who)]
        for operation in ("*", azure.RUN, azure.ASSIGN, "microsoft.keyvault/*")
        for scope in (azure.SUB, azure.GROUP)
        for who in (azure.BOT, azure.BOSS, "00000000-0000-0000-0000-000000000000")
    ],
    PermissionSource.GCP: [
        gcp.denied(permission, principal)
        for permission in (
            "iam.googleapis.com/serviceAccountKeys.create",
            "iam.googleapis.com/serviceAccounts.getAccessToken",
            "iam.googleapis.com/serviceAccounts.actAs",
            "cloudresourcemanager.googleapis.com/projects.setIamPolicy",
        )
        for principal in ("principalSet://goog/public:all", "principal://goog/subject/bot@example.com")
    ],
}


@given(case=st.sampled_from(CLOUDS), index=st.integers(0, 99))
def test_a_denial_endangers_no_one(case: Case, index: int) -> None:
    """With a further denial no identity can become more than without it."""
    exports = exports_of(case)
    denials = _DENIALS[case.provider]
    place = FilePlace(file="denial.json")
    denial = PermissionExport(provider=case.provider, place=place, document=denials[index % len(denials)])
    before = _endangered(findings_of(case.provider, exports))
    after = _endangered(findings_of(case.provider, [*exports, denial]))
    assert all(about in before and before[about] <= rank for about, rank in after.items())


@given(indexes=st.lists(st.integers(0, 99), min_size=1, max_size=3), drop=st.integers(0, 999))
def test_a_binding_less_endangers_no_one_in_a_cluster(indexes: list[int], drop: int) -> None:
    """Without one of its bindings no identity can become an administrator who could not before."""
    exports = _merged(PermissionSource.KUBERNETES, indexes)
    items = [item for export in exports for item in export.document["items"]]
    bindings = [i for i, item in enumerate(items) if item["kind"].endswith("Binding")]
    if not bindings:
        return
    gone = bindings[drop % len(bindings)]
    fewer = [item for i, item in enumerate(items) if i != gone]
    place = FilePlace(file="c/all.json")
    found = [
        _endangered(
            findings_of(
                PermissionSource.KUBERNETES,
                [PermissionExport(provider=PermissionSource.KUBERNETES, place=place, document=members)],
            )
        )
        for members in (items, fewer)
    ]
    critical = [{about for about, rank in one.items() if rank == 0} for one in found]
    assert critical[1] <= critical[0]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["*", "List", "Role", "pods", "/", "roles/owner", "{chosen}", "projects/", "secrets.", "a`b"]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "kind",
                    "items",
                    "metadata",
                    "name",
                    "rules",
                    "subjects",
                    "bindings",
                    "members",
                    "role",
                    "scope",
                    "principalId",
                    "permissions",
                    "properties",
                    "identity",
                    "id",
                    "jobs",
                    "on",
                    "steps",
                    "spec",
                    "value",
                ]
            )
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(provider=st.sampled_from(list(ANALYSES)), document=json_values)
def test_any_document_is_survived(provider: PermissionSource, document: Json) -> None:
    """A document of any shape raises nothing."""
    findings_of(
        provider, [PermissionExport(provider=provider, place=FilePlace(file="x.json"), document=document)]
    )


@given(case=cases, value=json_values, seed=st.integers())
def test_any_part_may_be_of_another_type(case: Case, value: Json, seed: int) -> None:
    """A known document in which some part is something else raises nothing."""
    random = Random(seed)
    exports = exports_of(case)
    target = random.randrange(len(exports))
    document = deepcopy(exports[target].document)
    spot: Any = document
    for _ in range(random.randrange(1, 9)):
        keys = list(spot) if isinstance(spot, dict) else list(range(len(spot)))
        if not keys:
            break
        key = random.choice(keys)
        if not isinstance(spot[key], dict | list) or random.random() < 0.3:
            spot[key] = value
            break
        spot = spot[key]
    exports[target] = msgspec.structs.replace(exports[target], document=document)
    findings_of(case.provider, exports)
