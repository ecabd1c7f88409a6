# SPDX-License-Identifier: Apache-2.0
"""The steps that a principal can take at once: as which principal it can act next, and with which rights.

A step that depends on facts which the export does not hold says so. AwsSteps of one principal are remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from remit.core.discovery.privileges.aws.account import NO_FACTOR, AwsExport, AwsPrincipal
from remit.core.discovery.privileges.aws.changes import AwsChanges
from remit.core.discovery.privileges.aws.conditions import Facts, Truth, conditions_hold
from remit.core.discovery.privileges.aws.evaluation import AwsRequest, Evaluator
from remit.core.discovery.privileges.aws.needs import AwsNeeds, AwsStep, Met, Use, step_of, who_is
from remit.core.discovery.privileges.aws.passed_roles import PASSED
from remit.core.discovery.privileges.aws.policy import AwsStatement, PolicyDocument
from remit.core.discovery.privileges.aws.used_roles import USED
from remit.core.discovery.privileges.aws.vocabulary import IDENTITIES, Gain, Need, Technique

#: Most targets of one technique that are looked at for one principal, administrators first.
MOST_TARGETS: Final = 50


_CHANGING = tuple(each for each in IDENTITIES if each.gain not in (Gain.IDENTITY, Gain.NEW_IDENTITY))


class AwsSteps:
    """Finds the steps of principals in one export."""

    def __init__(
        self, export: AwsExport, evaluator: Evaluator, administrator: Callable[[AwsPrincipal], bool]
    ) -> None:
        self._export = export
        self._administrator = administrator
        self._evaluator = evaluator
        self._needs = AwsNeeds(evaluator)
        self._changes = AwsChanges(export, self._needs)
        self._known: dict[tuple[str, frozenset[str]], list[AwsStep]] = {}
        self._trusting: dict[tuple[str, str], list[AwsPrincipal]] = {}
        self._by_service: dict[tuple[str, str], list[tuple[AwsPrincipal, tuple[str, ...]]]] = {}
        for each in export.principals.values():
            self._index(each)
        self._ranks: dict[str, int] = {}
        self._ranked: dict[tuple[str, str], list[AwsPrincipal]] = {}
        self._sorted: set[tuple[str, str]] = set()

    def _index(self, role: AwsPrincipal) -> None:
        """Note which principals may assume a role."""
        if role.hypothetical and role.kind == "role":
            for service in {each for technique in (*PASSED, *USED) for each in technique.services}:
                self._by_service.setdefault((role.account, service), []).append((role, ()))
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
                        service = name.removesuffix(".cn")
                        self._by_service.setdefault((role.account, service), []).append((role, reasons))
                else:
                    names[kind, name] = None
        for key in names:
            self._trusting.setdefault(key, []).append(role)

    def changes_others(self, principal: AwsPrincipal) -> bool:
        """Return whether a principal may change the rights of some principal."""
        return any(self._needs.possible(principal, each) for each in _CHANGING)

    def prepared(self, principal: AwsPrincipal, step: AwsStep) -> Iterator[AwsStep]:
        """Yield a step of another whose target has more rights, because a principal changed them before."""
        for technique in _CHANGING:
            if self._needs.possible(principal, technique):
                yield from self._changes.before(principal, technique, step)

    def _rank(self, principal: AwsPrincipal) -> int:
        """Return the order of a target: administrators, those that can take steps themselves, others."""
        found = self._ranks.get(principal.arn)
        if found is None:
            leads = ("AWS", principal.arn) in self._trusting or any(
                self._needs.possible(principal, each) for each in (*IDENTITIES, *PASSED, *USED)
            )
            found = 0 if self._administrator(principal) else 1 if leads else 2
            self._ranks[principal.arn] = found
        return found

    def of(self, principal: AwsPrincipal) -> list[AwsStep]:
        """Return the steps of a principal, the sure ones first."""
        found = self._known.get(principal.key)
        if found is None:
            found = sorted(self._find(principal), key=lambda each: not each.sure)
            self._known[principal.key] = found
        return found

    def _find(self, principal: AwsPrincipal) -> Iterator[AwsStep]:
        acting: list[AwsStep] = [*islice(self._assumed(principal), MOST_TARGETS)]
        for technique in IDENTITIES:
            if technique.gain is Gain.IDENTITY and self._needs.possible(principal, technique):
                acting += islice(self._identity(principal, technique), MOST_TARGETS)
        yield from acting
        for technique in IDENTITIES:
            if technique.gain is not Gain.IDENTITY and self._needs.possible(principal, technique):
                yield from self._changes.of(principal, technique, acting)
        for technique in PASSED:
            if self._needs.possible(principal, technique):
                yield from islice(self._passed(principal, technique), MOST_TARGETS)
        for technique in USED:
            if self._needs.possible(principal, technique):
                yield from islice(self._used(principal, technique), MOST_TARGETS)

    # Becoming another

    def _assumed(self, principal: AwsPrincipal) -> Iterator[AwsStep]:
        keys = [*(("AWS", each) for each in (principal.arn, principal.id, principal.base)), ("*", "*")]
        if self._evaluator.mentions(principal, "sts:AssumeRole"):
            # Trust in an account suffices only where the principal's policies permit, too.
            keys += [("AWS", principal.account), ("AWS", f"arn:aws:iam::{principal.account}")]
        roles = {role.arn: role for key in keys if key[1] for role in self._trusting.get(key, ())}
        for role in sorted(roles.values(), key=self._rank):
            step = self._assume(principal, role) if role.arn != principal.arn else None
            if step is not None:
                yield step

    def _assume(self, principal: AwsPrincipal, role: AwsPrincipal) -> AwsStep | None:
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
        return AwsStep(
            technique="assume-role",
            who=who_is(principal),
            says=f"assumes role `{role.name}`",
            uses=(Use("sts:AssumeRole", verdict.permits),),
            to=role,
            reasons=(*verdict.reasons, *_exists(role)),
        )

    def _identity(self, principal: AwsPrincipal, technique: Technique) -> Iterator[AwsStep]:
        for target in self._targets(principal, technique.target):
            if target.arn == principal.arn:
                continue
            reasons = self._console(technique, target)
            met = None if reasons is None else self._needs.met(principal, technique.needs, target=target.arn)
            if met is None or reasons is None:
                continue
            if technique.target == "role" and not self._can_assume_then(principal, target):
                continue
            to = target.changed(NO_FACTOR)
            yield step_of(technique, principal, target.name, met, to, (*reasons, *_exists(target)))

    def _targets(self, principal: AwsPrincipal, kind: str) -> list[AwsPrincipal]:
        key = principal.account, kind
        found = self._ranked.get(key)
        if found is None:
            every = (each for each in self._export.of(principal.account, kind) if not each.protected)
            found = self._ranked[key] = sorted(every, key=self._rank)
        return found

    def _serving(self, principal: AwsPrincipal, service: str) -> list[tuple[AwsPrincipal, tuple[str, ...]]]:
        """Return the roles of an account that a service may assume, administrators first."""
        key = principal.account, service
        found = self._by_service.get(key, [])
        if key not in self._sorted:
            self._sorted.add(key)
            found.sort(key=lambda each: self._rank(each[0]))
        return found

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

    # Roles of services

    def _passed(self, principal: AwsPrincipal, technique: Technique) -> Iterator[AwsStep]:
        others = self._needs.met(principal, technique.needs[1:])
        if others is None:
            return
        needs_profile = "ec2.amazonaws.com" in technique.services
        unless = (technique.unless_listed,) if technique.unless_listed else ()
        done: set[str] = set()
        for service in technique.services:
            for role, trusted in self._serving(principal, service):
                if role.arn in done or role.arn == principal.arn:
                    continue
                facts: Facts = {"iam:passedtoservice": (service,)}
                passed = self._needs.met(principal, technique.needs[:1], target=role.arn, facts=facts)
                profile = self._profile(principal, role) if needs_profile else ()
                if passed is None or profile is None:
                    continue
                done.add(role.arn)
                met: Met = ([*passed[0], *others[0]], [*passed[1], *others[1]], {})
                reasons = (*trusted, *profile, *unless, *_exists(role))
                yield step_of(technique, principal, role.name, met, role, reasons)

    def _profile(self, principal: AwsPrincipal, role: AwsPrincipal) -> tuple[str, ...] | None:
        """Return on what the use of a role by an instance depends: its instance profile."""
        if role.profiles:
            return ()
        if role.profiles is None:
            return () if role.hypothetical else (f"role `{role.name}` has an instance profile",)
        wanted = Need(
            ("iam:AddRoleToInstanceProfile",), (f"arn:aws:iam::{role.account}:instance-profile/?*",)
        )
        return () if self._needs.met(principal, (wanted,)) else None

    def _used(self, principal: AwsPrincipal, technique: Technique) -> Iterator[AwsStep]:
        if technique.uses in self._export.listed:
            for resource in self._export.resources.values():
                role = self._export.principals.get(resource.role)
                if resource.kind != technique.uses or role is None or resource.account != principal.account:
                    continue
                met = self._needs.met(principal, technique.needs, used=resource)
                if met is not None and role.arn != principal.arn:
                    used = f"`{resource.name}`, which has role `{role.name}`,"
                    yield step_of(technique, principal, role.name, met, role, used=used)
            return
        met = self._needs.met(principal, technique.needs)
        if met is None:
            return
        for service in technique.services:
            for role, trusted in self._serving(principal, service):
                if role.arn == principal.arn or (service == "ec2.amazonaws.com" and role.profiles == ()):
                    continue
                reason = technique.unless_listed.replace("{target}", f"`{role.name}`")
                used = f"with role `{role.name}`"
                reasons = (*trusted, reason, *_exists(role))
                yield step_of(technique, principal, role.name, met, role, reasons, used=used)


def _exists(principal: AwsPrincipal) -> tuple[str, ...]:
    if not principal.hypothetical or principal.name == "x":
        return ()
    return (f"the account has a {principal.kind} with more rights",)


def _service_trusts(statement: AwsStatement, account: str, kind: str) -> tuple[str, ...] | None:
    """Return on what a service's use of a role for the account depends; None if it has none."""
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
