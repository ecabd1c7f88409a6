# SPDX-License-Identifier: Apache-2.0
"""Decide one request as AWS does, in three values.

1. An explicit denial anywhere wins. 2. Organization policies must permit. 3. A resource policy that names the
principal permits by itself within its account; a trust policy and a key policy must permit. 4. Otherwise
identity policies, the permissions boundary and the session policy must all permit.

Facts that the caller chooses (tags in the request, regions, session names) are searched for values that open
the request; facts that the export does not hold leave it unknown.
Source: "Policy evaluation logic" in the IAM user guide.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime

import msgspec

from remit.core.discovery.privileges.aws.account import (
    NO_FACTOR,
    AwsExport,
    AwsPolicy,
    AwsPrincipal,
)
from remit.core.discovery.privileges.aws.conditions import (
    FAILS,
    Facts,
    Holds,
    Truth,
    conditions_hold,
    worded,
)
from remit.core.discovery.privileges.aws.policy import (
    AwsStatement,
    Condition,
    PolicyDocument,
    common,
    filled,
    glob,
    placed,
    variables_of,
)

#: Most combinations of facts that a caller chooses that are tried.
MOST_CHOICES = 128
#: Most resources that are tried where a caller chooses its name.
MOST_NAMES = 12
#: Services whose resources resource control policies limit.
_CONTROLLED = ("s3:", "sts:", "kms:", "sqs:", "secretsmanager:")
#: Resources whose own policy must permit, whatever the principal's policies say.
_DECIDES_ITSELF = ("sts:assumerole", "kms:")


class Permit(msgspec.Struct, frozen=True):
    """A statement that permits a request: the policy in words, and the statement's id or number."""

    policy: str
    sid: str

    @property
    def words(self) -> str:
        """The statement in words."""
        return f"statement {self.sid} of {self.policy}"


class AwsVerdict(msgspec.Struct, frozen=True):
    """Whether a request is permitted, by what, and on what this depends.

    `resource` and `chosen` are the resource's name and the facts that the caller chose.
    """

    truth: Truth
    permits: tuple[Permit, ...] = ()
    reasons: tuple[str, ...] = ()
    resource: str = ""
    chosen: Facts = {}


DENIED = AwsVerdict(Truth.NO)


class AwsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `resources` are patterns: one must be permitted, for one name that the caller chooses.

    `facts` are keys of the condition context that the request fixes. `owner` is the resource's account.
    `policy` is the resource's own policy, where it is known.
    """

    principal: AwsPrincipal
    action: str
    resources: tuple[str, ...]
    facts: Facts = {}
    owner: str = ""
    policy: PolicyDocument | None = None
    policy_name: str = "the resource's policy"


class _Layers(msgspec.Struct, frozen=True):
    """The statements about an action, by the part that they have in a decision."""

    denials: tuple[AwsStatement, ...]
    identity: tuple[tuple[AwsPolicy, AwsStatement], ...]
    limits: tuple[tuple[AwsStatement, ...], ...]
    """Of the boundary and of the session policy, where they exist: each must permit."""
    controls: tuple[AwsStatement, ...] | None
    """What service control policies permit; None where they only deny."""
    unknown_boundary: str

    def all(self) -> Iterator[AwsStatement]:
        """Yield all statements."""
        yield from self.denials
        yield from (each for _, each in self.identity)
        yield from self.controls or ()
        yield from itertools.chain.from_iterable(self.limits)


class Evaluator:
    """Decides requests by one export at one time."""

    def __init__(self, export: AwsExport, now: datetime) -> None:
        self._export = export
        self._now = now.isoformat()
        self._facts: dict[tuple[str, frozenset[str]], Facts] = {}
        self._layers: dict[tuple[str, frozenset[str], str, str], _Layers] = {}
        self._tagging: dict[tuple[str, frozenset[str]], bool] = {}
        limited = export.service_controls or export.resource_controls
        free = msgspec.structs.replace(export, service_controls=(), resource_controls=())
        self._unlimited = Evaluator(free, now) if limited else None

    def may(self, request: AwsRequest) -> AwsVerdict:
        """Return whether a request is permitted, for the best choice of the caller."""
        action = request.action.lower()
        layers = self._layered(request.principal, action, request.owner or request.principal.account)
        found = DENIED
        if not layers.identity and request.policy is None:
            return found
        own = () if request.policy is None else request.policy.on(action)
        for resource in self._names(request, layers):
            facts = {**self.known(request.principal), **self._about(resource), **request.facts}
            conditions = [
                each
                for statement in (*layers.all(), *own)
                if statement.conditions and _matches(statement, resource, facts)
                for each in statement.conditions
            ]
            for chosen, costs in _choices(request, conditions, facts, self._tags_itself(request.principal)):
                verdict = self._under(request, layers, own, resource, {**facts, **chosen}, costs)
                if verdict.truth > found.truth:
                    found = msgspec.structs.replace(verdict, resource=resource, chosen=chosen)
                if found.truth is Truth.YES:
                    return found
        return found

    def mentions(self, principal: AwsPrincipal, action: str) -> bool:
        """Return whether an identity policy of a principal permits an action on anything."""
        wanted = action.lower()
        return any(policy.document.permits(wanted) for policy in principal.policies)

    def alone(self, principal: AwsPrincipal, action: str, resource: str) -> Truth:
        """Return whether a principal's policies and its limits permit, whatever the organization says."""
        alone = AwsRequest(principal=principal, action=action, resources=(resource,))
        return self._unlimited.may(alone).truth if self._unlimited else self.may(alone).truth

    def names(self, request: AwsRequest) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return resources among which the caller of a request may choose one, and what permits them."""
        layers = self._layered(request.principal, request.action.lower(), request.principal.account)
        permitted = tuple(each for _, statement in layers.identity for each in statement.resources)
        return tuple(self._names(request, layers)), permitted

    def _tags_itself(self, principal: AwsPrincipal) -> bool:
        """Return whether a principal chooses its own tags, or who assumes the role chooses them."""
        found = self._tagging.get(principal.key)
        if found is None:
            self._tagging[principal.key] = False
            trust = principal.trust.on("sts:tagsession") if principal.trust else ()
            found = any(
                kind in ("AWS", "*") for each in trust if not each.denies for kind, _ in each.principals or ()
            )
            action = "iam:TagUser" if principal.kind == "user" else "iam:TagRole"
            if not found and self.mentions(principal, action):
                request = AwsRequest(principal=principal, action=action, resources=(principal.arn,))
                found = self.may(request).truth is Truth.YES
            self._tagging[principal.key] = found
            self._facts.pop(principal.key, None)
        return found

    def _layered(self, principal: AwsPrincipal, action: str, owner: str) -> _Layers:
        key = (*principal.key, action, owner)
        found = self._layers.get(key)
        if found is None:
            found = self._layers[key] = self._read(principal, action, owner)
        return found

    def _read(self, principal: AwsPrincipal, action: str, owner: str) -> _Layers:
        export = self._export
        identity = [(policy, each) for policy in principal.policies for each in policy.document.on(action)]
        limits = [each.on(action) for each in (principal.boundary, principal.session) if each is not None]
        service: list[AwsStatement] = []
        lists = False
        if principal.account != export.management:
            for control in export.service_controls:
                if control.limits(principal.account):
                    service += control.document.on(action)
                    lists = lists or any(not each.denies for each in control.document.statements)
        resource = [
            each
            for control in export.resource_controls
            if action.startswith(_CONTROLLED) and owner != export.management and control.limits(owner)
            for each in control.document.on(action)
        ]
        every = (*(each for _, each in identity), *itertools.chain.from_iterable(limits), *service, *resource)
        return _Layers(
            denials=tuple(each for each in every if each.denies),
            identity=tuple((policy, each) for policy, each in identity if not each.denies),
            limits=tuple(tuple(each for each in limit if not each.denies) for limit in limits),
            controls=tuple(each for each in service if not each.denies) if lists else None,
            unknown_boundary=principal.boundary_arn if principal.boundary is None else "",
        )

    def _names(self, request: AwsRequest, layers: _Layers) -> Iterator[str]:
        """Yield resources that match the request's patterns, and the patterns of what permits."""
        for wanted in request.resources:
            if wanted == "*" or ("*" not in wanted and "?" not in wanted):
                yield wanted
                continue
            plain = wanted.replace("?*", "x").replace("*", "x").replace("?", "x")
            yield plain
            seen = {plain}
            facts = self.known(request.principal)
            patterns = [each for _, statement in layers.identity for each in statement.resources]
            patterns += [each for statement in layers.denials for each in statement.not_resources]
            for pattern in patterns:
                text = filled(pattern, facts) if "${" in pattern else pattern
                account = request.principal.account
                name = None if text is None or text == "*" else common(placed(text, account), wanted)
                # A wildcard of a policy may span parts of an ARN, a name that one chooses may not.
                fits = name is not None and name.count(":") == wanted.count(":")
                if name is not None and fits and name not in seen and len(seen) < MOST_NAMES:
                    seen.add(name)
                    yield name

    def known(self, principal: AwsPrincipal) -> Facts:
        """Return the facts that are known of a principal's requests."""
        found = self._facts.get(principal.key)
        if found is None:
            found = self._facts[principal.key] = self._of(principal)
        return found

    def _of(self, principal: AwsPrincipal) -> Facts:
        user = principal.kind == "user"
        found: Facts = {
            "aws:principalarn": (principal.base or principal.arn,),
            "aws:principalaccount": (principal.account,),
            "aws:principaltype": ("User" if user else "AssumedRole",),
            "aws:username": (principal.name,) if user else (),
            "aws:currenttime": (self._now,),
            "aws:epochtime": (self._now,),
            "aws:tokenissuetime": (self._now,),
        }
        found |= dict.fromkeys(("aws:principalisawsservice", "aws:viaawsservice"), ("false",))
        # Services send these for a resource of theirs; a principal's request has none of them.
        found |= dict.fromkeys(("aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:calledvia"), ())
        if user and principal.id:
            found["aws:userid"] = (principal.id,)
        if self._export.organization:
            found["aws:principalorgid"] = (self._export.organization,)
        for name, value in (principal.tags or {}).items() if not self._tags_itself(principal) else ():
            found[f"aws:principaltag/{name.lower()}"] = (value,)
        return found

    def _about(self, resource: str) -> Facts:
        """Return the facts that are known of a resource."""
        parts = resource.split(":", 5)
        found: Facts = {}
        if len(parts) == 6 and parts[4]:
            found["aws:resourceaccount"] = (parts[4],)
        target = self._export.principals.get(resource)
        if target is not None and target.tags is not None:
            found[_TAGS_KNOWN] = ("true",)
            for name, value in target.tags.items():
                found[f"aws:resourcetag/{name.lower()}"] = (value,)
                found[f"iam:resourcetag/{name.lower()}"] = (value,)
        return found

    def _under(
        self,
        request: AwsRequest,
        layers: _Layers,
        own: tuple[AwsStatement, ...],
        resource: str,
        facts: Facts,
        costs: tuple[str, ...],
    ) -> AwsVerdict:
        """Decide for fixed facts; `costs` are what the chosen facts depend on."""
        principal = request.principal
        reasons = list(costs)
        for statement in (*layers.denials, *(each for each in own if each.denies)):
            denied = _applies(statement, resource, facts, principal)[0]
            if denied.truth is Truth.YES:
                return DENIED
            reasons += (f"not denied by statement {statement.sid} ({each})" for each in denied.reasons)
        if layers.controls is not None:
            allowed = _strongest(layers.controls, resource, facts, principal)[0]
            if allowed.truth is Truth.NO:
                return DENIED
            reasons += allowed.reasons
        verdict = self._granted(request, layers, own, resource, facts)
        if verdict.truth is Truth.NO:
            return DENIED
        reasons += verdict.reasons
        truth = Truth.MAYBE if reasons else Truth.YES
        return AwsVerdict(truth, verdict.permits, tuple(dict.fromkeys(reasons)))

    def _granted(
        self, request: AwsRequest, layers: _Layers, own: tuple[AwsStatement, ...], resource: str, facts: Facts
    ) -> AwsVerdict:
        """Combine what identity policies and the resource's policy permit."""
        principal = request.principal
        limits = _limited(layers, resource, facts, principal)
        identity = _by_identity(layers, limits, resource, facts, principal)
        if request.policy is None:
            return identity
        granted = tuple(each for each in own if not each.denies)
        held, statement, itself = _strongest(granted, resource, facts, principal)
        permit = (Permit(request.policy_name, statement.sid),) if statement else ()
        crosses = (request.owner or principal.account) != principal.account
        decides = request.action.lower().startswith(_DECIDES_ITSELF)
        if itself and not crosses:
            # A boundary and a session policy limit what a resource's policy gives to a role.
            alone = _all((held, *(limits if principal.kind != "user" else ())), permit)
            return alone if alone.truth >= identity.truth or decides else identity
        if decides or crosses:
            return _all((held, Holds(identity.truth, identity.reasons)), (*identity.permits, *permit))
        return identity


def _by_identity(
    layers: _Layers, limits: tuple[Holds, ...], resource: str, facts: Facts, principal: AwsPrincipal
) -> AwsVerdict:
    best: Holds = FAILS
    permits: tuple[Permit, ...] = ()
    for policy, statement in layers.identity:
        held = _applies(statement, resource, facts, principal)[0]
        if held.truth > best.truth:
            best, permits = held, (Permit(policy.words, statement.sid),)
    return _all((best, *limits), permits)


def _limited(layers: _Layers, resource: str, facts: Facts, principal: AwsPrincipal) -> tuple[Holds, ...]:
    found = [_strongest(limit, resource, facts, principal)[0] for limit in layers.limits]
    if layers.unknown_boundary:
        name = layers.unknown_boundary.rpartition("/")[2]
        found.append(Holds(Truth.MAYBE, (f"the boundary `{name}`, which the export lacks, must permit it",)))
    return tuple(found)


def _all(parts: tuple[Holds, ...], permits: tuple[Permit, ...]) -> AwsVerdict:
    truth = min(each.truth for each in parts)
    if truth is Truth.NO:
        return DENIED
    return AwsVerdict(truth, permits, tuple(reason for each in parts for reason in each.reasons))


def _strongest(
    statements: tuple[AwsStatement, ...], resource: str, facts: Facts, principal: AwsPrincipal
) -> tuple[Holds, AwsStatement | None, bool]:
    """Return how surely one of several statements applies, which, and whether it names the principal."""
    best: tuple[Holds, AwsStatement | None, bool] = (FAILS, None, False)
    for statement in statements:
        held, itself = _applies(statement, resource, facts, principal)
        if held.truth > best[0].truth or (held.truth == best[0].truth > Truth.NO and itself and not best[2]):
            best = (held, statement, itself)
    return best


def _applies(
    statement: AwsStatement, resource: str, facts: Facts, principal: AwsPrincipal
) -> tuple[Holds, bool]:
    """Return whether a statement applies, and whether it names the principal itself, not only its account."""
    named = concerns(statement, principal)
    if not named or not _matches(statement, resource, facts):
        return FAILS, False
    return conditions_hold(statement.conditions, facts), named == 2


def _matches(statement: AwsStatement, resource: str, facts: Facts) -> bool:
    """Return whether a statement is about a resource. A trust policy has no resource: it is its role's."""
    patterns = statement.not_resources or statement.resources
    if not patterns:
        return statement.principals is not None or statement.not_principals is not None
    found = False
    for each in patterns:
        text = filled(each, facts) if statement.variables and "${" in each else each
        if text is not None and (text == "*" or glob(text).matches(resource)):
            found = True
            break
    return found != bool(statement.not_resources)


def concerns(statement: AwsStatement, principal: AwsPrincipal) -> int:
    """Return 2 if a statement names the principal or everyone, 1 if it names its account, otherwise 0."""
    if statement.principals is None and statement.not_principals is None:
        return 2
    if statement.not_principals is not None:
        return 0 if any(_names(kind, name, principal) for kind, name in statement.not_principals) else 2
    return max((_names(kind, name, principal) for kind, name in statement.principals or ()), default=0)


def _names(kind: str, name: str, principal: AwsPrincipal) -> int:
    if kind == "*" or (kind == "AWS" and name == "*"):
        return 2
    if kind != "AWS":
        return 0
    if name in (principal.arn, principal.id, principal.base) and name:
        return 2
    if name in (principal.account, f"arn:aws:iam::{principal.account}:root"):
        return 1
    if name.startswith("arn:aws:sts::") and principal.kind == "role":
        # A session of the role: the role's last name, and the name of the session.
        return 2 if name.startswith(f"arn:aws:sts::{principal.account}:assumed-role/{principal.name}/") else 0
    return 0


#: Keys that the caller of any request chooses, and whether a request may come without them.
_CHOSEN = {
    "aws:requestedregion": False,
    "aws:useragent": True,
    "aws:referer": True,
    "aws:securetransport": False,
    "aws:sourceidentity": True,
    "sts:sourceidentity": True,
    "sts:rolesessionname": False,
    "sts:externalid": True,
    "sts:transitivetagkeys": True,
    "aws:tagkeys": True,
    "iam:policyarn": False,
    "iam:permissionsboundary": True,
    "iam:associatedresourcearn": False,
}
#: Stands among the facts where all tags of a resource are known.
_TAGS_KNOWN = "all tags"
#: Keys of a service that describe what exists, which the caller does not choose.
_OF_THINGS = ("resourcetag/", "existing", "ssmresource")


def _choices(
    request: AwsRequest, conditions: list[Condition], facts: Facts, tags_itself: bool
) -> Iterator[tuple[Facts, tuple[str, ...]]]:
    """Yield combinations of facts that the caller can choose, each with what it depends on."""
    by_key: dict[str, list[Condition]] = {}
    for each in conditions:
        for key in (each.key, *_variables(each)):
            if key not in facts:
                by_key.setdefault(key, []).append(each)
    alternatives: list[list[tuple[str, tuple[str, ...], str]]] = []
    combinations = 1
    for key, among in by_key.items():
        options = _options(key, among, request, facts, tags_itself)
        if options is None:
            continue
        options = options[: max(1, MOST_CHOICES // combinations)]
        combinations *= len(options)
        alternatives.append([(key, value, cost) for value, cost in options])
    for picked in itertools.product(*alternatives):
        yield {key: value for key, value, _ in picked}, tuple(cost for _, _, cost in picked if cost)


def _variables(condition: Condition) -> list[str]:
    return [name for each in condition.values if "${" in each for name in variables_of(each)]


def _options(
    key: str, among: list[Condition], request: AwsRequest, facts: Facts, tags_itself: bool
) -> list[tuple[tuple[str, ...], str]] | None:
    """Return the values that a caller can give to a key; None where they are not the caller's to choose."""
    principal, action = request.principal, request.action.lower()
    of_itself = key.startswith("aws:principaltag/") and tags_itself
    if key.startswith("aws:principaltag/") and principal.tags is not None and not tags_itself:
        return [((), "")]
    if "resourcetag/" in key and _TAGS_KNOWN in facts:
        return [((), "")]
    if key == "aws:multifactorauthpresent":
        with_mfa = [(("true",), worded(among[0]) + " (a sign-in with a second factor)")]
        without = [((), "")] if principal.kind == "user" else []
        return [*without, (("false",), ""), *(with_mfa if _people_use(principal) else [])]
    if key == "aws:multifactorauthage":
        return [((), ""), *([(("1",), "a sign-in with a second factor")] if _people_use(principal) else [])]
    service = action.partition(":")[0]
    if key == "aws:requestedregion" and service == "iam":
        return [(("us-east-1",), "")]
    if key.startswith("aws:requesttag/") or of_itself:
        may_lack = True
    elif key in _CHOSEN:
        may_lack = _CHOSEN[key]
    elif key.startswith(f"{service}:") and not key[len(service) + 1 :].startswith(_OF_THINGS):
        may_lack = True
    else:
        return None
    values = [
        _instance(value)
        for condition in among
        if condition.key == key
        for each in condition.values
        if (value := filled(each, facts) if "${" in each else each) is not None
    ]
    found: list[tuple[tuple[str, ...], str]] = [((), "")] if may_lack else []
    found += [((each,), "") for each in dict.fromkeys(values)]
    found.append((("us-east-1" if key.endswith("region") else "x",), ""))
    return found


def _instance(pattern: str) -> str:
    """Return a text that a pattern of `StringLike` matches."""
    return pattern.replace("*", "x").replace("?", "x")


def _people_use(principal: AwsPrincipal) -> bool:
    """Return whether a person could be behind it: a role that only services may use has no second factor."""
    if NO_FACTOR in principal.changes:
        return False
    if principal.trust is None:
        return True
    return any(
        kind in ("AWS", "Federated", "*")
        for statement in principal.trust.statements
        if not statement.denies
        for kind, _ in statement.principals or ()
    )
