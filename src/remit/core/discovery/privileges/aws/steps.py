# SPDX-License-Identifier: Apache-2.0
"""The steps that a principal can take at once: by whom it can act next, and with which rights.

A step that depends on facts which the export does not hold says so. Steps of one principal are remembered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from remit.core.discovery.privileges.aws.account import (
    ADMINISTRATOR,
    AwsExport,
    AwsPolicy,
    AwsPrincipal,
    AwsResource,
)
from remit.core.discovery.privileges.aws.conditions import Facts, Truth, conditions_hold
from remit.core.discovery.privileges.aws.evaluation import AwsRequest, AwsVerdict, Evaluator, Permit
from remit.core.discovery.privileges.aws.passed_roles import PASSED
from remit.core.discovery.privileges.aws.policy import EVERYTHING, AwsStatement, PolicyDocument, glob
from remit.core.discovery.privileges.aws.used_roles import USED
from remit.core.discovery.privileges.aws.vocabulary import IDENTITIES, Gain, Need, Technique

#: Most managed policies that are tried where `AdministratorAccess` cannot be attached.
MOST_POLICIES: Final = 100
#: A policy of AWS has at most this many versions besides its default one.
_FULL = 4


class Use(msgspec.Struct, frozen=True):
    """An action of a step, and the statements that permit it."""

    action: str
    permits: tuple[Permit, ...]


class EscalationStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step: `who` does what `says`, and is `to` then. `reasons` are what it depends on."""

    technique: str
    who: str
    says: str
    uses: tuple[Use, ...]
    to: AwsPrincipal
    reasons: tuple[str, ...] = ()
    before: tuple[EscalationStep, ...] = ()
    """Steps that prepare it."""

    @property
    def sure(self) -> bool:
        """Whether the export holds everything that the step depends on."""
        return not self.reasons and all(each.sure for each in self.before)

    @property
    def sentence(self) -> str:
        """The step as one sentence, with the statements that permit it."""
        permitted: dict[str, list[str]] = {}
        for use in self.uses:
            for permit in use.permits:
                permitted.setdefault(permit.words, []).append(f"`{use.action}`")
        by = "; ".join(f"{words} permits {' and '.join(dict.fromkeys(a))}" for words, a in permitted.items())
        if_ = f", provided that {' and '.join(self.reasons)}" if self.reasons else ""
        return f"{self.who[:1].upper()}{self.who[1:]} {self.says}{if_} ({by})."


class Steps:
    """Finds the steps of principals in one export."""

    def __init__(self, export: AwsExport, evaluator: Evaluator) -> None:
        self._export = export
        self._evaluator = evaluator
        self._known: dict[tuple[str, frozenset[str]], list[EscalationStep]] = {}
        self._trusting: dict[tuple[str, str], list[AwsPrincipal]] = {}
        self._by_service: dict[tuple[str, str], list[tuple[AwsPrincipal, tuple[str, ...]]]] = {}
        for each in export.principals.values():
            self._index(each)

    def _index(self, role: AwsPrincipal) -> None:
        """Note by whom a role may be assumed."""
        if role.trust is None or role.kind != "role" or role.linked:
            return
        names: dict[tuple[str, str], None] = {}
        for statement in role.trust.statements:
            if statement.denies:
                continue
            if statement.not_principals is not None:
                names["*", "*"] = None
            for kind, name in statement.principals or ():
                if kind == "AWS" and name.startswith("arn:aws:sts::"):
                    names["AWS", "arn:aws:iam::" + name[13:25]] = None
                elif kind == "AWS":
                    names["AWS", name.removesuffix(":root")] = None
                elif kind in ("Service", "Federated"):
                    reasons = _service_trusts(statement, role.account, kind)
                    if reasons is not None:
                        self._by_service.setdefault((role.account, name), []).append((role, reasons))
                else:
                    names[kind, name] = None
        for key in names:
            self._trusting.setdefault(key, []).append(role)

    def of(self, principal: AwsPrincipal) -> list[EscalationStep]:
        """Return the steps of a principal, the sure ones first."""
        found = self._known.get(principal.key)
        if found is None:
            found = sorted(self._find(principal), key=lambda each: not each.sure)
            self._known[principal.key] = found
        return found

    def _find(self, principal: AwsPrincipal) -> Iterator[EscalationStep]:
        acting: list[EscalationStep] = [*self._assumed(principal)]
        for technique in IDENTITIES:
            if technique.gain is Gain.IDENTITY and self._possible(principal, technique):
                acting += self._identity(principal, technique)
        yield from acting
        for technique in IDENTITIES:
            if technique.gain is not Gain.IDENTITY and self._possible(principal, technique):
                yield from self._changing(principal, technique, acting)
        for technique in PASSED:
            if self._possible(principal, technique):
                yield from self._passed(principal, technique)
        for technique in USED:
            if self._possible(principal, technique):
                yield from self._used(principal, technique)

    def _possible(self, principal: AwsPrincipal, technique: Technique) -> bool:
        """Return whether some policy speaks for each action that the step needs."""
        return all(
            each.otherwise or any(self._evaluator.mentions(principal, action) for action in each.actions)
            for each in technique.needs
        )

    # What a step needs

    def _meets(
        self,
        principal: AwsPrincipal,
        needs: Iterable[Need],
        *,
        target: str = "",
        used: AwsResource | None = None,
        facts: Facts | None = None,
    ) -> tuple[list[Use], list[str], Facts] | None:
        """Return the statements that permit what a step needs, on what it depends, and the chosen facts."""
        uses: list[Use] = []
        reasons: list[str] = []
        chosen: Facts = {}
        for each in needs:
            action, verdict = self._best(principal, each, target, used, {**(facts or {}), **chosen})
            if verdict.truth is Truth.NO:
                if not each.otherwise:
                    return None
                reasons.append(each.otherwise)
                continue
            uses.append(Use(action, verdict.permits))
            reasons += verdict.reasons
            chosen |= {k: v for k, v in verdict.chosen.items() if k == "iam:permissionsboundary"}
        return uses, list(dict.fromkeys(reasons)), chosen

    def _best(
        self,
        principal: AwsPrincipal,
        wanted: Need,
        target: str,
        used: AwsResource | None,
        facts: Facts,
    ) -> tuple[str, AwsVerdict]:
        best: tuple[str, AwsVerdict] = ("", AwsVerdict(Truth.NO))
        resources = self._resources(principal, wanted, target, used)
        for action in wanted.actions:
            if not self._evaluator.mentions(principal, action):
                continue
            request = AwsRequest(principal=principal, action=action, resources=resources, facts=facts)
            verdict = self._evaluator.may(request)
            if verdict.truth > best[1].truth:
                best = action, verdict
            if best[1].truth is Truth.YES:
                break
        return best

    def _resources(
        self, principal: AwsPrincipal, wanted: Need, target: str, used: AwsResource | None
    ) -> tuple[str, ...]:
        partition = principal.arn.split(":", 2)[1] if principal.arn.startswith("arn:") else "aws"
        found = []
        for each in wanted.resources:
            if each == "{target}":
                found.append(target)
                continue
            pattern = each.replace("{account}", principal.account)
            if partition != "aws":
                pattern = pattern.replace("arn:aws:", f"arn:{partition}:", 1)
            fits = used is not None and glob(pattern.replace("?*", "*")).matches(used.arn)
            found.append(used.arn if fits and used is not None else pattern)
        return tuple(dict.fromkeys(found))

    # Becoming another

    def _assumed(self, principal: AwsPrincipal) -> Iterator[EscalationStep]:
        keys = [
            ("AWS", principal.arn),
            ("AWS", principal.id),
            ("AWS", principal.account),
            ("AWS", f"arn:aws:iam::{principal.account}"),
            ("*", "*"),
        ]
        roles = {role.arn: role for key in keys if key[1] for role in self._trusting.get(key, ())}
        for role in roles.values():
            if role.arn != principal.arn:
                step = self._assume(principal, role)
                if step is not None:
                    yield step

    def _assume(self, principal: AwsPrincipal, role: AwsPrincipal) -> EscalationStep | None:
        if role.trust is None:
            return None
        verdict = self._evaluator.may(
            AwsRequest(
                principal=principal,
                action="sts:AssumeRole",
                resources=(role.arn,),
                owner=role.account,
                policy=role.trust,
                policy_name=f"the trust policy of role `{role.name}`",
            )
        )
        if verdict.truth is Truth.NO:
            return None
        return EscalationStep(
            technique="assume-role",
            who=_who(principal),
            says=f"assumes role `{role.name}`",
            uses=(Use("sts:AssumeRole", verdict.permits),),
            to=role,
            reasons=(*verdict.reasons, *_exists(role)),
        )

    def _identity(self, principal: AwsPrincipal, technique: Technique) -> Iterator[EscalationStep]:
        for target in self._targets(principal, technique.target):
            if target.arn == principal.arn:
                continue
            reasons = self._console(technique, target)
            met = None if reasons is None else self._meets(principal, technique.needs, target=target.arn)
            if met is None or reasons is None:
                continue
            if technique.target == "role" and not self._can_assume_then(principal, target):
                continue
            yield self._step(technique, principal, target.name, met, target, (*reasons, *_exists(target)))

    def _targets(self, principal: AwsPrincipal, kind: str) -> list[AwsPrincipal]:
        return [each for each in self._export.of(principal.account, kind) if not each.linked]

    def _console(self, technique: Technique, target: AwsPrincipal) -> tuple[str, ...] | None:
        """Return on what a password for the console depends; None where it is of no use."""
        if technique.name not in ("new-password", "changed-password"):
            return ()
        known = self._export.console.get(target.arn)
        changes = technique.name == "changed-password"
        if known is None:
            return (f"user `{target.name}` has {'a' if changes else 'no'} password",)
        return () if known[0] == changes and not known[1] else None

    def _can_assume_then(self, principal: AwsPrincipal, target: AwsPrincipal) -> bool:
        """Return whether nothing denies a principal a role whose trust policy names it."""
        statement = AwsStatement(
            "1", False, ("sts:assumerole",), (), (), (), (("AWS", principal.arn),), None, (), False
        )
        request = AwsRequest(
            principal=principal,
            action="sts:AssumeRole",
            resources=(target.arn,),
            owner=target.account,
            policy=PolicyDocument((statement,)),
        )
        return self._evaluator.may(request).truth is not Truth.NO

    def _step(
        self,
        technique: Technique,
        principal: AwsPrincipal,
        target: str,
        met: tuple[list[Use], list[str], Facts],
        to: AwsPrincipal,
        reasons: Iterable[str] = (),
        used: str = "",
    ) -> EscalationStep:
        says = technique.says.replace("{target}", f"`{target}`").replace("{used}", used)
        return EscalationStep(
            technique=technique.name,
            who=_who(principal),
            says=says,
            uses=tuple(met[0]),
            to=to,
            reasons=tuple(dict.fromkeys((*met[1], *reasons))),
        )

    # Roles of services

    def _passed(self, principal: AwsPrincipal, technique: Technique) -> Iterator[EscalationStep]:
        others = self._meets(principal, technique.needs[1:])
        if others is None:
            return
        needs_profile = "ec2.amazonaws.com" in technique.services
        unless = (technique.unless_listed,) if technique.unless_listed else ()
        done: set[str] = set()
        for service in technique.services:
            for role, trusted in self._by_service.get((principal.account, service), ()):
                if role.arn in done or role.arn == principal.arn:
                    continue
                facts = {"iam:passedtoservice": (service,)}
                passed = self._meets(principal, technique.needs[:1], target=role.arn, facts=facts)
                profile = self._profile(principal, role) if needs_profile else ()
                if passed is None or profile is None:
                    continue
                done.add(role.arn)
                met = ([*passed[0], *others[0]], [*passed[1], *others[1]], {})
                reasons = (*trusted, *profile, *unless, *_exists(role))
                yield self._step(technique, principal, role.name, met, role, reasons)

    def _profile(self, principal: AwsPrincipal, role: AwsPrincipal) -> tuple[str, ...] | None:
        """Return on what the use of a role by an instance depends: its instance profile."""
        if role.profiles:
            return ()
        if role.profiles is None:
            return () if role.hypothetical else (f"role `{role.name}` has an instance profile",)
        wanted = Need(
            ("iam:AddRoleToInstanceProfile",), (f"arn:aws:iam::{role.account}:instance-profile/?*",)
        )
        return () if self._meets(principal, (wanted,)) else None

    def _used(self, principal: AwsPrincipal, technique: Technique) -> Iterator[EscalationStep]:
        if technique.uses in self._export.listed:
            for resource in self._export.resources.values():
                role = self._export.principals.get(resource.role)
                if resource.kind != technique.uses or role is None or resource.account != principal.account:
                    continue
                met = self._meets(principal, technique.needs, used=resource)
                if met is not None and role.arn != principal.arn:
                    used = f"`{resource.name}`, which has role `{role.name}`,"
                    yield self._step(technique, principal, role.name, met, role, used=used)
            return
        met = self._meets(principal, technique.needs)
        if met is None:
            return
        for service in technique.services:
            for role, trusted in self._by_service.get((principal.account, service), ()):
                if role.arn == principal.arn or (service == "ec2.amazonaws.com" and role.profiles == ()):
                    continue
                reason = technique.unless_listed.replace("{target}", f"`{role.name}`")
                used = f"that has role `{role.name}`"
                reasons = (*trusted, reason, *_exists(role))
                yield self._step(technique, principal, role.name, met, role, reasons, used=used)

    # Changing rights

    def _changing(
        self, principal: AwsPrincipal, technique: Technique, acting: list[EscalationStep]
    ) -> Iterator[EscalationStep]:
        """Yield changes of the principal itself, and of those that it can act as."""
        if technique.gain is Gain.NEW_IDENTITY:
            yield from self._new(principal, technique)
            return
        for target, via in [
            (principal, None),
            *((each.to, each) for each in acting if each.to.kind != "policy"),
        ]:
            for step in self._change(principal, technique, target):
                yield (
                    step
                    if via is None
                    else msgspec.structs.replace(
                        via,
                        to=step.to,
                        reasons=tuple(dict.fromkeys((*step.reasons, *via.reasons))),
                        before=(step,),
                    )
                )

    def _change(
        self, principal: AwsPrincipal, technique: Technique, target: AwsPrincipal
    ) -> Iterator[EscalationStep]:
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
    ) -> Iterator[EscalationStep]:
        """Yield the removal of a boundary, or its replacement by one that permits everything."""
        for action, boundary in zip(
            technique.needs[0].actions, (target.boundary_arn, ADMINISTRATOR), strict=True
        ):
            needs = (Need((action,), technique.needs[0].resources),)
            facts: Facts = {"iam:permissionsboundary": (boundary,)}
            met = self._meets(principal, needs, target=target.arn, facts=facts)
            if met is not None:
                to = target.changed("no boundary", boundary_arn="", boundary=None)
                yield self._step(technique, principal, target.name, met, to)
                return

    def _any_right(
        self, principal: AwsPrincipal, technique: Technique, target: AwsPrincipal
    ) -> Iterator[EscalationStep]:
        if technique.target == "policy":
            yield from self._rewritten(principal, technique, target)
            return
        attaches = technique.name.startswith("attached")
        facts: Facts = {"iam:permissionsboundary": (target.boundary_arn,) if target.boundary_arn else ()}
        for arn, name in self._places(target, technique.target):
            attached = {**facts, "iam:policyarn": (ADMINISTRATOR,)} if attaches else facts
            met = self._meets(principal, technique.needs, target=arn, facts=attached)
            if met is not None:
                reasons = (f"the policy belongs to a {technique.target}",) if target.kind == "policy" else ()
                yield self._step(technique, principal, name, met, target.elevated(), reasons)
            elif attaches:
                yield from self._attached(principal, technique, target, (arn, name), facts)

    def _attached(
        self,
        principal: AwsPrincipal,
        technique: Technique,
        target: AwsPrincipal,
        where: tuple[str, str],
        facts: Facts,
    ) -> Iterator[EscalationStep]:
        """Yield what attaching one of the account's policies gives where `AdministratorAccess` is not permitted."""
        had = {each.arn for each in target.policies}
        others = [
            each
            for each in self._export.policies.values()
            if each.arn not in had and each.document.statements
        ]
        for policy in others[:MOST_POLICIES]:
            chosen = {**facts, "iam:policyarn": (policy.arn,)}
            met = self._meets(principal, technique.needs, target=where[0], facts=chosen)
            if met is not None:
                to = target.changed(f"policy {policy.arn}", policies=(*target.policies, policy))
                step = self._step(technique, principal, where[1], met, to)
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
    ) -> Iterator[EscalationStep]:
        for policy in target.policies:
            arn = policy.arn
            if target.kind == "policy":
                arn = f"arn:aws:iam::{target.account}:policy/{policy.name}"
            if not arn or arn.startswith("arn:aws:iam::aws:"):
                continue
            needs = technique.needs
            if len(policy.versions) >= _FULL:
                needs = (*needs, Need(("iam:DeletePolicyVersion",), ("{target}",)))
            met = self._meets(principal, needs, target=arn)
            if met is not None:
                yield self._step(technique, principal, policy.name, met, target.elevated())
        if target.boundary_arn and not target.boundary_arn.startswith("arn:aws:iam::aws:"):
            met = self._meets(principal, technique.needs, target=target.boundary_arn)
            if met is not None:
                name = target.boundary_arn.rpartition("/")[2]
                to = target.changed("no boundary", boundary_arn="", boundary=None)
                yield self._step(technique, principal, name, met, to)

    def _versions(
        self, principal: AwsPrincipal, technique: Technique, target: AwsPrincipal
    ) -> Iterator[EscalationStep]:
        for policy in target.policies:
            arn = policy.arn or (
                f"arn:aws:iam::{target.account}:policy/{policy.name}" if target.hypothetical else ""
            )
            met = self._meets(principal, technique.needs, target=arn) if arn else None
            if met is None:
                continue
            if target.hypothetical:
                reason = f"an older version of policy `{policy.name}` permits more"
                yield self._step(technique, principal, policy.name, met, target.elevated(), (reason,))
            for version, document in policy.versions:
                other = msgspec.structs.replace(policy, document=document, versions=())
                policies = tuple(other if each is policy else each for each in target.policies)
                to = target.changed(f"{policy.arn} {version}", policies=policies)
                step = self._step(technique, principal, policy.name, met, to)
                yield msgspec.structs.replace(
                    step, says=f"makes version `{version}` of policy `{policy.name}` its default"
                )

    def _memberships(
        self, principal: AwsPrincipal, technique: Technique, target: AwsPrincipal
    ) -> Iterator[EscalationStep]:
        if target.kind == "policy":
            arn = f"arn:aws:iam::{target.account}:group/x"
            met = self._meets(principal, technique.needs, target=arn)
            if met is not None:
                reason = "the account has a group with more rights, and the policy belongs to a user"
                yield self._step(technique, principal, "x", met, target.elevated(), (reason,))
        if target.kind != "user":
            return
        for group in self._export.groups.values():
            if group.account != target.account or group.name in target.groups or not group.policies:
                continue
            met = self._meets(principal, technique.needs, target=group.arn)
            if met is not None:
                to = target.changed(
                    f"group {group.arn}",
                    policies=(*target.policies, *(_through(each, group.name) for each in group.policies)),
                    groups=(*target.groups, group.name),
                )
                step = self._step(technique, principal, group.name, met, to)
                itself = "itself" if target.arn == principal.arn else f"user `{target.name}`"
                yield msgspec.structs.replace(step, says=step.says.replace("itself", itself))

    def _undenied(
        self, principal: AwsPrincipal, technique: Technique, target: AwsPrincipal
    ) -> Iterator[EscalationStep]:
        for policy in target.policies:
            if policy.through or not any(each.denies for each in policy.document.statements):
                continue
            removes = "Delete" if policy.inline else "Detach"
            needs = [
                Need(tuple(action for action in each.actions if removes in action), each.resources)
                for each in technique.needs
            ]
            facts: Facts = {} if policy.inline else {"iam:policyarn": (policy.arn,)}
            met = self._meets(principal, needs, target=target.arn, facts=facts)
            if met is not None:
                kept = tuple(each for each in target.policies if each is not policy)
                to = target.changed(f"without {policy.arn or policy.name}", policies=kept)
                step = self._step(technique, principal, target.name, met, to)
                yield msgspec.structs.replace(
                    step, says=f"removes policy `{policy.name}`, which denies it something"
                )

    def _new(self, principal: AwsPrincipal, technique: Technique) -> Iterator[EscalationStep]:
        """Yield a new user or role, under the boundary that its maker has to give it."""
        kind = "user" if technique.target == "group" else technique.target
        policies = (AwsPolicy(name="any", document=EVERYTHING, place=principal.place),)
        groups = [("", "", policies)]
        if technique.target == "group":
            groups = [
                (each.arn, each.name, each.policies)
                for each in self._export.groups.values()
                if each.account == principal.account and each.policies
            ]
        facts: Facts = {"iam:policyarn": (ADMINISTRATOR,)}
        for arn, name, given in groups:
            met = self._meets(principal, technique.needs, target=arn, facts=facts)
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
            yield self._step(technique, principal, name, met, to)


def _through(policy: AwsPolicy, group: str) -> AwsPolicy:
    return msgspec.structs.replace(policy, through=group)


def _who(principal: AwsPrincipal) -> str:
    if principal.hypothetical and principal.kind != "policy":
        return f"the {'new ' if principal.name == 'x' else ''}{principal.kind}"
    owner = "a principal with " if principal.kind == "policy" else ""
    return f"{owner}{principal.words}"


def _exists(principal: AwsPrincipal) -> tuple[str, ...]:
    if not principal.hypothetical or principal.name == "x":
        return ()
    return (f"the account has such a {principal.kind}",)


def _service_trusts(statement: AwsStatement, account: str, kind: str) -> tuple[str, ...] | None:
    """Return on what a service's use of a role depends, for a resource of the account; None where it has none."""
    action = "sts:assumerole" if kind == "Service" else "sts:assumerolewithwebidentity"
    if not statement.covers(action):
        return None
    facts: Facts = {"aws:sourceaccount": (account,)}
    for each in statement.conditions:
        if each.key == "aws:sourcearn" and each.values:
            facts[each.key] = (each.values[0].replace("*", "x").replace("?", "x"),)
        elif each.key.startswith("cognito-identity.amazonaws.com:") and each.values:
            facts[each.key] = (each.values[0].replace("*", "x"),)
    held = conditions_hold(statement.conditions, facts)
    return None if held.truth is Truth.NO else held.reasons
