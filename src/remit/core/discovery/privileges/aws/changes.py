# SPDX-License-Identifier: Apache-2.0
"""AwsSteps that change rights: of the principal itself, of another that it can act as, or of a new one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from remit.core.discovery.privileges.aws.account import ADMINISTRATOR, AwsExport, AwsPolicy, AwsPrincipal
from remit.core.discovery.privileges.aws.conditions import Facts
from remit.core.discovery.privileges.aws.needs import AwsNeeds, AwsStep, step_of
from remit.core.discovery.privileges.aws.policy import EVERYTHING
from remit.core.discovery.privileges.aws.vocabulary import Gain, Need, Technique

#: Most managed policies that are tried where `AdministratorAccess` cannot be attached.
MOST_POLICIES: Final = 100
#: A policy of AWS has at most this many versions besides its default one.
_FULL: Final = 4


class AwsChanges:
    """Finds the changes that principals of one export can make."""

    def __init__(self, export: AwsExport, needs: AwsNeeds) -> None:
        self._export = export
        self._needs = needs

    def of(self, principal: AwsPrincipal, technique: Technique, acting: list[AwsStep]) -> Iterator[AwsStep]:
        """Yield changes of the principal itself, and of those that it can act as."""
        if technique.gain is Gain.NEW_IDENTITY:
            yield from self._new(principal, technique)
            return
        yield from self._change(principal, technique, principal)
        for each in acting:
            yield from self.before(principal, technique, each)

    def before(self, principal: AwsPrincipal, technique: Technique, via: AwsStep) -> Iterator[AwsStep]:
        """Yield a step to another principal whose rights are changed before."""
        if via.to.kind == "policy":
            return
        for step in self._change(principal, technique, via.to):
            yield msgspec.structs.replace(via, to=step.to, before=(step,))

    def _change(
        self, principal: AwsPrincipal, technique: Technique, target: AwsPrincipal
    ) -> Iterator[AwsStep]:
        gain = technique.gain
        if gain is Gain.ANY_RIGHT:
            yield from self._any_right(principal, technique, target)
        elif gain is Gain.VERSION:
            yield from self._versions(principal, technique, target)
        elif gain is Gain.MEMBERSHIP:
            yield from self._memberships(principal, technique, target)
        elif gain is Gain.NO_BOUNDARY and target.boundary_arn and target.kind == technique.target:
            yield from self._unbound(principal, technique, target)
        elif gain is Gain.NO_DENIAL and target.kind == technique.target:
            yield from self._undenied(principal, technique, target)

    def _unbound(
        self, principal: AwsPrincipal, technique: Technique, target: AwsPrincipal
    ) -> Iterator[AwsStep]:
        """Yield the removal of a boundary, or its replacement by one that permits everything."""
        for action, boundary in zip(
            technique.needs[0].actions, (target.boundary_arn, ADMINISTRATOR), strict=True
        ):
            needs = (Need((action,), technique.needs[0].resources),)
            facts: Facts = {"iam:permissionsboundary": (boundary,)}
            met = self._needs.met(principal, needs, target=target.arn, facts=facts)
            if met is not None:
                to = target.changed("no boundary", boundary_arn="", boundary=None)
                yield step_of(technique, principal, target.name, met, to)
                return

    def _any_right(
        self, principal: AwsPrincipal, technique: Technique, target: AwsPrincipal
    ) -> Iterator[AwsStep]:
        if technique.target == "policy":
            yield from self._rewritten(principal, technique, target)
            return
        attaches = technique.name.startswith("attached")
        facts: Facts = {"iam:permissionsboundary": (target.boundary_arn,) if target.boundary_arn else ()}
        for arn, name in self._places(target, technique.target):
            attached = {**facts, "iam:policyarn": (ADMINISTRATOR,)} if attaches else facts
            met = self._needs.met(principal, technique.needs, target=arn, facts=attached)
            if met is not None:
                reasons = (f"the policy belongs to a {technique.target}",) if target.kind == "policy" else ()
                yield step_of(technique, principal, name, met, target.elevated(), reasons)
            elif attaches:
                yield from self._attached(principal, technique, target, (arn, name), facts)

    def _attached(
        self,
        principal: AwsPrincipal,
        technique: Technique,
        target: AwsPrincipal,
        where: tuple[str, str],
        facts: Facts,
    ) -> Iterator[AwsStep]:
        """Yield what attaching a policy of the account gives where `AdministratorAccess` is not permitted."""
        had = {each.arn for each in target.policies}
        others = [
            each
            for each in self._export.policies.values()
            if each.arn not in had and each.document.statements
        ]
        for policy in others[:MOST_POLICIES]:
            chosen = {**facts, "iam:policyarn": (policy.arn,)}
            met = self._needs.met(principal, technique.needs, target=where[0], facts=chosen)
            if met is not None:
                to = target.changed(f"policy {policy.arn}", policies=(*target.policies, policy))
                step = step_of(technique, principal, where[1], met, to)
                yield msgspec.structs.replace(
                    step, says=step.says.replace("a policy with any right", policy.words)
                )

    def _places(self, target: AwsPrincipal, kind: str) -> Iterator[tuple[str, str]]:
        """Yield the ARN and name of what has to be changed so that a target gets rights."""
        if target.kind == "policy":
            if kind != "group":
                yield f"arn:aws:iam::{target.account}:{kind}/x", "that has the policy"
            return
        if kind == target.kind:
            yield target.arn, target.name
        elif kind == "group" and target.kind == "user":
            for group in self._export.groups.values():
                if group.account == target.account and group.name in target.groups:
                    yield group.arn, group.name

    def _rewritten(
        self, principal: AwsPrincipal, technique: Technique, target: AwsPrincipal
    ) -> Iterator[AwsStep]:
        for policy in target.policies:
            arn = policy.arn
            if target.kind == "policy":
                arn = f"arn:aws:iam::{target.account}:policy/{policy.name}"
            if not arn or arn.startswith("arn:aws:iam::aws:"):
                continue
            needs = technique.needs
            if len(policy.versions) >= _FULL:
                needs = (*needs, Need(("iam:DeletePolicyVersion",), ("{target}",)))
            met = self._needs.met(principal, needs, target=arn)
            if met is not None:
                yield step_of(technique, principal, policy.name, met, target.elevated())
        if target.boundary_arn and not target.boundary_arn.startswith("arn:aws:iam::aws:"):
            met = self._needs.met(principal, technique.needs, target=target.boundary_arn)
            if met is not None:
                name = target.boundary_arn.rpartition("/")[2]
                to = target.changed("no boundary", boundary_arn="", boundary=None)
                yield step_of(technique, principal, name, met, to)

    def _versions(
        self, principal: AwsPrincipal, technique: Technique, target: AwsPrincipal
    ) -> Iterator[AwsStep]:
        for policy in target.policies:
            arn = policy.arn or (
                f"arn:aws:iam::{target.account}:policy/{policy.name}" if target.hypothetical else ""
            )
            met = self._needs.met(principal, technique.needs, target=arn) if arn else None
            if met is None:
                continue
            if target.hypothetical:
                reason = f"an older version of policy `{policy.name}` permits more"
                yield step_of(technique, principal, policy.name, met, target.elevated(), (reason,))
            for version, document in policy.versions:
                other = msgspec.structs.replace(policy, document=document, versions=())
                policies = tuple(other if each is policy else each for each in target.policies)
                to = target.changed(f"{policy.arn} {version}", policies=policies)
                step = step_of(technique, principal, policy.name, met, to)
                yield msgspec.structs.replace(
                    step, says=f"makes version `{version}` of policy `{policy.name}` its default"
                )

    def _memberships(
        self, principal: AwsPrincipal, technique: Technique, target: AwsPrincipal
    ) -> Iterator[AwsStep]:
        if target.kind == "policy":
            arn = f"arn:aws:iam::{target.account}:group/x"
            met = self._needs.met(principal, technique.needs, target=arn)
            if met is not None:
                reason = "the account has a group with more rights, and the policy belongs to a user"
                yield step_of(technique, principal, "x", met, target.elevated(), (reason,))
        if target.kind != "user":
            return
        for group in self._export.groups.values():
            if group.account != target.account or group.name in target.groups or not group.policies:
                continue
            met = self._needs.met(principal, technique.needs, target=group.arn)
            if met is not None:
                to = target.changed(
                    f"group {group.arn}",
                    policies=(*target.policies, *(_through(each, group.name) for each in group.policies)),
                    groups=(*target.groups, group.name),
                )
                step = step_of(technique, principal, group.name, met, to)
                itself = "itself" if target.arn == principal.arn else f"user `{target.name}`"
                yield msgspec.structs.replace(step, says=step.says.replace("itself", itself))

    def _undenied(
        self, principal: AwsPrincipal, technique: Technique, target: AwsPrincipal
    ) -> Iterator[AwsStep]:
        for policy in target.policies:
            if policy.through or not any(each.denies for each in policy.document.statements):
                continue
            removes = "Delete" if policy.inline else "Detach"
            needs = [
                Need(tuple(action for action in each.actions if removes in action), each.resources)
                for each in technique.needs
            ]
            facts: Facts = {} if policy.inline else {"iam:policyarn": (policy.arn,)}
            met = self._needs.met(principal, needs, target=target.arn, facts=facts)
            if met is not None:
                kept = tuple(each for each in target.policies if each is not policy)
                to = target.changed(f"without {policy.arn or policy.name}", policies=kept)
                step = step_of(technique, principal, target.name, met, to)
                yield msgspec.structs.replace(
                    step, says=f"removes policy `{policy.name}`, which denies it something"
                )

    def _new(self, principal: AwsPrincipal, technique: Technique) -> Iterator[AwsStep]:
        """Yield a new user or role, under the boundary that its maker has to give it."""
        kind = "user" if technique.target == "group" else technique.target
        policies: tuple[AwsPolicy, ...] = (AwsPolicy(name="any", document=EVERYTHING, place=principal.place),)
        groups = [("", "", policies)]
        if technique.target == "group":
            groups = [
                (each.arn, each.name, each.policies)
                for each in self._export.groups.values()
                if each.account == principal.account and each.policies
            ]
        facts: Facts = {"iam:policyarn": (ADMINISTRATOR,)}
        for arn, name, given in groups:
            met = self._needs.met(principal, technique.needs, target=arn, facts=facts)
            if met is None:
                continue
            boundary = next(iter(met[2].get("iam:permissionsboundary", ())), "")
            bound = self._export.policies.get(boundary)
            to = AwsPrincipal(
                arn=f"arn:aws:iam::{principal.account}:{kind}/x",
                kind=kind,
                name="x",
                account=principal.account,
                place=principal.place,
                policies=given,
                tags={},
                boundary_arn=boundary,
                boundary=bound.document if bound and bound.document.statements else None,
                changes=frozenset({f"new by {boundary} {arn}"}),
                hypothetical=True,
            )
            yield step_of(technique, principal, name, met, to)


def _through(policy: AwsPolicy, group: str) -> AwsPolicy:
    return msgspec.structs.replace(policy, through=group)
