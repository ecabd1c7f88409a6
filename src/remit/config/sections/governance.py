# SPDX-License-Identifier: Apache-2.0
"""Sections about agents and people: what takes an agent out of service, what needs two people, and who
answers questions that wait for long, or in an emergency.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from msgspec import Meta

from remit.config.reading.decoding import Problems
from remit.config.reading.secret_reference import SecretRef
from remit.config.reading.section import Name, Seconds, Section, Text
from remit.config.reading.yaml_lines import Node
from remit.core.findings.anomaly_rules import AnomalyRules
from remit.core.findings.kinds import FindingKind
from remit.core.ids import NAME

#: The longest beginning of an agent's name: half of a name.
MAX_PREFIX: Final = 31


class ReviewsSection(Section, frozen=True, kw_only=True):
    """Access reviews of agents: what they are granted against what they use."""

    every: Annotated[Seconds, Meta(ge=86400, description="How often each agent is reviewed.")]
    grace: Annotated[
        Seconds,
        Meta(ge=3600, description="How long after it was due a review has no consequence yet."),
    ] = 14 * 86400
    overdue: Annotated[
        Literal["escalate", "suspend"],
        Meta(
            description="What happens then: the owner's substitute or the administrators are told (the event "
            "is `agent.review_overdue`), or the agent is suspended."
        ),
    ] = "escalate"


class ScimSection(Section, frozen=True, kw_only=True):
    """An identity provider that creates and ends agents at `/scim/v2/Agents` (SCIM 2.0)."""

    owner: Annotated[
        Text, Meta(description="Owner of the agents that it creates: a person, or `group:name`.")
    ]
    purpose: Annotated[Text, Meta(description="Purpose of the agents that it creates; policies read it.")]
    agent: Annotated[str, Meta(description="The registered agent whose access tokens it presents.")] = ""
    token: Annotated[
        SecretRef | None,
        Meta(
            description="Secret that it presents as a bearer token instead, as `env:X`. Who copies it may "
            "end and create these agents."
        ),
    ] = None
    sender_constraint: Annotated[
        Literal["required", "optional"],
        Meta(description="Whether the access tokens of `agent` must be bound to a key (DPoP, mTLS)."),
    ] = "required"
    prefix: Annotated[
        str, Meta(description="What the names of its agents begin with. Default: its name and `-`.")
    ] = ""
    agents: Annotated[
        tuple[Text, ...],
        Meta(
            description="Agents that it may see and end beside those that it created: names, `group:name`, "
            "or `*` for all."
        ),
    ] = ()
    environment: Annotated[Name, Meta(description="Environment of the agents that it creates.")] = (
        "development"
    )
    initiative: Annotated[str, Meta(description="AI programme of the agents that it creates.")] = ""
    groups: Annotated[
        tuple[Name, ...], Meta(description="Groups of the agents that it creates; task types name them.")
    ] = ()
    issuer: Annotated[
        str,
        Meta(
            description="Exact `iss` of the tokens that its agents present; their subject is `externalId`. "
            "It must be in `trust.issuers`. Default: none; a person binds each agent."
        ),
    ] = ""


class AgentsSection(Section, frozen=True, kw_only=True):
    """Settings of all agents."""

    suspend_on: Annotated[
        tuple[FindingKind, ...],
        Meta(description="Kinds of findings that suspend the agent concerned."),
    ] = ()
    end_on: Annotated[
        tuple[FindingKind, ...],
        Meta(
            description="Kinds of findings that end the tasks of the agent concerned, because its "
            "posture has changed since they were opened. The agent may open new tasks."
        ),
    ] = ()
    openings_per_minute: Annotated[
        int,
        Meta(
            ge=1,
            description="Tasks that an agent may open by its own decision in a minute; it may delegate "
            "the same number.",
        ),
    ] = 60
    open_at_once: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000,
            description="Open tasks that an agent may have by its own decision; it may have the same "
            "number delegated to one other agent.",
        ),
    ] = 100
    reviews: Annotated[
        ReviewsSection | None,
        Meta(description="When access reviews are due. Default: they can be given, and never are due."),
    ] = None
    scim: Annotated[
        dict[Name, ScimSection],
        Meta(description="Identity providers that create and end agents, by name."),
    ] = {}


#: The rules for anomalies, by the kind of their findings.
AnomalyRule = Literal["new-tool", "new-destination", "unusual-volume", "refused-retried", "approval-fatigue"]


class AnomaliesSection(Section, frozen=True, kw_only=True):
    """Anomalies of agents and approvers, found in the evidence. They are findings, and refuse nothing."""

    watch: Annotated[
        bool,
        Meta(
            description="Whether anomalies are looked for. Where they are not, policies read the finding "
            "`anomalies-unseen` of every agent."
        ),
    ] = True
    rules: Annotated[tuple[AnomalyRule, ...], Meta(description="The rules that are on.")] = (
        "new-tool",
        "new-destination",
        "unusual-volume",
        "refused-retried",
        "approval-fatigue",
    )
    learning_s: Annotated[
        Seconds,
        Meta(ge=0, description="How long after its first permitted call an agent is only learned."),
    ] = 7 * 86400
    learning_calls: Annotated[
        int, Meta(ge=1, description="How many permitted calls it has made by then, at least.")
    ] = 100
    own_findings: Annotated[
        int,
        Meta(
            ge=1,
            le=100,
            description="Findings of one kind and severity that an agent gets in a week; further anomalies "
            "share one that counts them.",
        ),
    ] = 5
    few_destinations: Annotated[
        int,
        Meta(
            ge=0,
            description="An agent that learned more destinations than this sends to changing places: a new "
            "one is no anomaly.",
        ),
    ] = 20
    whole_addresses: Annotated[
        bool, Meta(description="Whether each address is a destination, and not its domain or host.")
    ] = False
    volume_factor: Annotated[
        int, Meta(ge=2, description="How many times its usual busiest hour an unusual one has.")
    ] = 5
    volume_calls: Annotated[int, Meta(ge=1, description="Calls of an hour that are never unusual.")] = 200
    refusals: Annotated[
        int, Meta(ge=2, le=100, description="Refusals of one tool that are an anomaly by themselves.")
    ] = 10
    refusals_before_permit: Annotated[
        int, Meta(ge=1, description="Refusals of one tool that are one if a permitted call follows.")
    ] = 3
    refusals_within_s: Annotated[
        Seconds, Meta(ge=1, le=86400, description="The time within which refusals count together.")
    ] = 600
    quick_answers: Annotated[
        int, Meta(ge=3, le=100, description="Quick approvals in a row that are an anomaly.")
    ] = 10
    quick_s: Annotated[
        Seconds,
        Meta(ge=1, description="The longest look of a quick one: since the question, or the last answer."),
    ] = 5
    questions_an_hour: Annotated[
        int,
        Meta(
            ge=1,
            le=200,
            description="Questions within an hour beyond which one approver answers many, or one agent asks "
            "many.",
        ),
    ] = 30

    @property
    def rules_in_core(self) -> AnomalyRules:
        """The rules in the form of core."""
        bounds = {
            name: getattr(self, name) for name in self.__struct_fields__ if name not in ("watch", "rules")
        }
        return AnomalyRules(on=frozenset(FindingKind(one) for one in self.rules), **bounds)


class CeilingSection(Section, frozen=True, kw_only=True):
    """The most that tasks of one agent, owner or person are granted, whatever their type grants."""

    tier: Annotated[
        Literal["conversation", "assistant", "operator", "autonomous"],
        Meta(description="Highest tier of their tools."),
    ] = "autonomous"
    tools: Annotated[
        tuple[str, ...] | None,
        Meta(description="Their only tools, as `upstream/tool`. Default: every tool of the tier."),
    ] = None


class CeilingsSection(Section, frozen=True, kw_only=True):
    """Ceilings of agents, of the owners of agents, and of people. Task types grant less, never more."""

    agents: Annotated[dict[str, CeilingSection], Meta(description="By the agent's name.")] = {}
    owners: Annotated[
        dict[str, CeilingSection], Meta(description="By the owner: a person, or a team as `group:name`.")
    ] = {}
    people: Annotated[
        dict[str, CeilingSection], Meta(description="By the person who requests a task, or who is acted for.")
    ] = {}


class PoliciesSection(Section, frozen=True, kw_only=True):
    """Settings of the policy bundle."""

    second_person: Annotated[
        bool,
        Meta(
            description="Whether two administrators must agree before a policy bundle replaces another: one "
            "applies it, and another one confirms its digest."
        ),
    ] = False


class PeopleSection(Section, frozen=True, kw_only=True):
    """Settings of all people."""

    second_person: Annotated[
        bool,
        Meta(
            description="Whether two administrators must agree before a person becomes an approver or "
            "administrator, and before a sign-in code is made for another person."
        ),
    ] = False
    first_approves: Annotated[
        bool,
        Meta(
            description="Whether the first person, who is made at the first start, is an approver, too: for "
            "a remit of one person, as `remit wrap` makes it. Requesters never approve calls of their tasks."
        ),
    ] = False


class EscalationSection(Section, frozen=True, kw_only=True):
    """A step of questions that no one has answered."""

    after: Annotated[Seconds, Meta(ge=1, description="How long the question has been open.")]
    to: Annotated[
        Name,
        Meta(
            description="A group. Its approvers may then answer, also where a rule names another group. The "
            "event is `approval.escalated`."
        ),
    ]


class BreakGlassSection(Section, frozen=True, kw_only=True):
    """Who may approve alone, in an emergency, what needs several people or another group."""

    group: Annotated[Name, Meta(description="A group. Its approvers may, never for their own request.")]
    sign_in: Annotated[
        Literal["passkey", "any", "none"],
        Meta(
            description="The sign-in of the last five minutes that it needs: with a passkey, of any kind, or "
            "none."
        ),
    ] = "passkey"


class ApprovalsSection(Section, frozen=True, kw_only=True):
    """Settings of questions to people."""

    escalate: Annotated[
        tuple[EscalationSection, ...], Meta(description="The steps of questions without an answer.")
    ] = ()
    break_glass: Annotated[
        BreakGlassSection | None,
        Meta(description="Turns break-glass on. Each use needs a reason and an after-review."),
    ] = None


def check_scim(providers: Mapping[str, ScimSection], node: Node, problems: Problems) -> None:
    """Note identity providers that could not authenticate, or whose agents could have no name."""
    agents: dict[str, str] = {}
    prefixes = {name: one.prefix or f"{name}-" for name, one in providers.items()}
    for name, one in providers.items():
        key = f"agents.scim.{name}"
        faults = []
        if bool(one.agent) == (one.token is not None):
            faults.append(("", "needs either `agent` or `token`", "keep one of them"))
        if one.token is not None and (not one.token.secret or one.token.lead):
            faults.append((".token", "is not a reference", "write `env:NAME`"))
        if one.agent and agents.setdefault(one.agent, name) != name:
            faults.append((".agent", f"is also that of `{agents[one.agent]}`", "register an agent for each"))
        nested = sorted(
            other for other, its in prefixes.items() if other != name and prefixes[name].startswith(its)
        )
        if nested:
            said = f"begins with that of `{nested[0]}`, which could take names of `{name}` in advance"
            faults.append((".prefix", said, "give prefixes of which none begins with another"))
        if not NAME.match(f"{one.prefix or name}x") or len(one.prefix) > MAX_PREFIX:
            rule = f"use at most {MAX_PREFIX} of a-z, 0-9, `.`, `_` and `-`"
            faults.append((".prefix", "cannot begin a name", rule))
        for at, message, remediation in faults:
            where = key + at
            problems.add(message, line=node.line_of(where), key=where, remediation=remediation)


def check_approvals(section: ApprovalsSection, ttl_s: float, node: Node, problems: Problems) -> None:
    """Note steps that no question reaches, because its time is over before."""
    for number, step in enumerate(section.escalate):
        if step.after >= ttl_s:
            key = f"approvals.escalate.{number}.after"
            problems.add(
                "is not before the end of the question (`limits.approval_ttl_s`)",
                line=node.line_of("approvals"),
                key=key,
                remediation="escalate earlier, or let questions stay open for longer",
            )
