# SPDX-License-Identifier: Apache-2.0
"""The made-up organisation of `examples/sprawl`: what was planted is found and told, and no secret shown."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from remit.cli.main import run
from remit.core.findings.kinds import FindingKind

SPRAWL = Path(__file__).parents[3] / "examples" / "sprawl"
FORMS = ("text", "json", "sarif", "markdown", "html", "ocsf")
#: What holds a secret in the example, and how it is read there.
SECRETS = (
    ("laptops/jon/.aws/credentials", r"aws_(?:secret_)?access_key(?:_id)? = (\S+)"),
    ("laptops/jon/.bash_history", r"PGPASSWORD=(\S+)"),
    ("laptops/jon/.codex/config.toml", r'TOKEN = "(\S+)"'),
    ("laptops/mira/.claude.json", r'Bearer ([^"]+)"'),
    ("repositories/support-agent/.env", r"(?:OPENAI_API_KEY|SLACK_BOT_TOKEN)=(\S+)"),
    ("repositories/invoice-agent/Dockerfile", r"STRIPE_API_KEY=(\S+)"),
    ("repositories/invoice-agent/kubernetes.yaml", r"(?:token|database): (\S{40,})"),
    (
        "laptops/mira/.claude/projects/-home-mira-support/11111111-1111-4111-8111-111111111111.jsonl",
        r"(Quay-\S+?),",
    ),
)

Json = Any


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the report in each form."""
    folder = tmp_path_factory.mktemp("reports")
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        patch.setenv("COLUMNS", "120")
        for form in FORMS:
            place = folder / form
            assert run(["discover", str(SPRAWL), "--all", "--format", form, "--output", str(place)]) == 0
            made[form] = place.read_text()
    return made


@pytest.fixture(scope="module")
def found(told: dict[str, str]) -> list[Json]:
    """Return the findings."""
    answer = json.loads(told["json"])
    assert answer["complete"]
    assert answer["rules_failed"] == []
    return list(answer["findings"])


def of_kind(found: list[Json], kind: FindingKind) -> list[Json]:
    """Return the findings of a kind."""
    return [one for one in found if one["kind"] == kind.value]


def places(one: Json) -> set[str]:
    """Return the files of a finding."""
    return {place["file"] for place in one["places"]}


@pytest.mark.parametrize(
    ("says", "files", "owner"),
    [
        (
            "AWS credential of `AKIA",
            {"laptops/jon/.aws/credentials", "repositories/deploy-agent/.mcp.json"},
            "jon",
        ),
        (
            "PostgreSQL credential of `support_agent` at `db.prod.harborlane.example",
            {
                "laptops/jon/.bash_history",
                "laptops/mira/.claude.json",
                "repositories/invoice-agent/kubernetes.yaml",
                "repositories/support-agent/.env",
                "repositories/support-agent/prompts/support.md",
            },
            "jon, mira, @harborlane/support",
        ),
        (
            "OpenAI credential stands",
            {
                "laptops/jon/.bash_history",
                "repositories/support-agent/.env",
                "stores/conversations.jsonl",
            },
            "jon, @harborlane/support",
        ),
        (
            "GitHub credential",
            {"laptops/jon/.codex/config.toml", "laptops/mira/.claude.json", "stores/chat.sql"},
            "jon, mira",
        ),
        (
            "Slack credential stands",
            {"repositories/deploy-agent/deploy.sh", "repositories/support-agent/.env"},
            "@harborlane/support",
        ),
        (
            "Stripe credential stands",
            {"repositories/invoice-agent/Dockerfile", "repositories/invoice-agent/main.py"},
            "",
        ),
        (
            "web token stands",
            {"laptops/mira/.claude.json", "repositories/invoice-agent/kubernetes.yaml"},
            "mira",
        ),
    ],
)
def test_each_credential_is_one_finding_with_all_of_its_places(
    found: list[Json], says: str, files: set[str], owner: str
) -> None:
    """However it is written there: in prose, in base64, in an address, in a shell history, in a dump."""
    (one,) = [one for one in of_kind(found, FindingKind.SECRET_EXPOSED) if says in one["says"]]
    assert places(one) == files
    assert one["owner"] == owner


def test_a_password_that_a_person_told_an_agent_is_found(found: list[Json]) -> None:
    """In the transcript of the session."""
    files = {file for one in of_kind(found, FindingKind.SECRET_EXPOSED) for file in places(one)}
    assert any(file.startswith("laptops/mira/.claude/projects/") for file in files)


def test_no_placeholder_and_no_talk_about_passwords_is_a_secret(found: list[Json]) -> None:
    """An example of settings, a reference to a variable, and a question about passwords in general."""
    exposed = of_kind(found, FindingKind.SECRET_EXPOSED)
    assert not [one for one in found if "repositories/support-agent/.env.example" in places(one)]
    lines = {(place["file"], place.get("line")) for one in exposed for place in one["places"]}
    assert ("repositories/support-agent/.env", 5) not in lines
    assert ("stores/conversations.jsonl", 3) not in lines
    assert len(exposed) == 8


@pytest.mark.parametrize(
    ("start", "end", "steps"),
    [
        ("role `support-agent`", "administrator of account 123456789012", 2),
        ("user `deploy-agent`", "administrator of account 123456789012", 1),
        ("role `release`", "administrator of account 123456789012", 1),
        ("policy `main`", "administrator of account 123456789012", 1),
        ("agents/invoice-agent`", "administrator of the cluster", 2),
        ("`service account agents/operator`", "administrator of the cluster", 1),
        ("report-agent@harborlane-dev", "terraform@harborlane-prod", 1),
        ("chat-agent@harborlane-prod", "terraform@harborlane-prod", 1),
    ],
)
def test_each_path_to_more_rights_is_spelt_out(found: list[Json], start: str, end: str, steps: int) -> None:
    """Step by step, with what closes it."""
    paths = [
        one
        for one in of_kind(found, FindingKind.ESCALATION_PATH)
        if start in one["says"] and end in one["says"]
    ]
    assert paths
    assert {len(one["steps"]) for one in paths} == {steps}
    assert all(one["severity"] == "critical" and one["remediation"] for one in paths)


def test_a_role_that_its_boundary_holds_back_has_no_path(found: list[Json]) -> None:
    """AWS role `report-agent` may pass roles by its policy, and not by its permissions boundary."""
    assert not [
        one
        for one in of_kind(found, FindingKind.ESCALATION_PATH)
        if one["about"].endswith("role/report-agent")
    ]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (FindingKind.UNGOVERNED_AGENT, "`support-agent` (langchain)"),
        (FindingKind.UNGOVERNED_AGENT, "`invoice-agent` (openai-agents)"),
        (FindingKind.UNGOVERNED_AGENT, "`invoice_clerk` (crewai)"),
        (FindingKind.UNGOVERNED_SERVER, "`terraform`"),
        (FindingKind.LOOKALIKE_PACKAGE, "@playwrigth/mcp"),
        (FindingKind.POISONED_TOOL, "`forecast`"),
        (FindingKind.TOXIC_COMBINATION, "`claude-code`"),
        (FindingKind.OPEN_CONNECTION, "mail-tools.harborlane.example"),
        (FindingKind.WIDE_AUTHORITY, "danger-full-access"),
        (FindingKind.WIDE_AUTHORITY, "privileged container"),
        (FindingKind.WIDE_AUTHORITY, "may read and write all of `/`"),
        (FindingKind.WIDE_AUTHORITY, "`roles/owner`"),
        (FindingKind.UNBOUNDED_ARGUMENTS, "run_shell(command)"),
        (FindingKind.UNPINNED_COMMAND, "`third-party/agent-action@main`"),
        (FindingKind.ENVIRONMENT_CROSSED, "report-agent@harborlane-dev"),
    ],
)
def test_what_else_was_planted_is_found(found: list[Json], kind: FindingKind, says: str) -> None:
    """Agents, servers, tools, settings and rights."""
    assert [one for one in of_kind(found, kind) if says in one["says"]]


def test_the_report_begins_with_who_is_at_work(told: dict[str, str]) -> None:
    """Each agent with its framework, its owner, what it reaches, the worst, and what to do first."""
    story = told["text"].partition("Findings about")[0]
    stories = {part.split("\n")[0].partition("  ")[0]: part for part in re.split(r"\n\n  (?=\S)", story)}
    assert {"jon's codex", "mira's claude-code, cursor", "support-agent", "deploy-agent"} <= stories.keys()
    for name, words in {
        "support-agent": (
            "langchain",
            "owner @harborlane/support",
            "PostgreSQL at db.prod",
            "account 123456789012",
        ),
        "jon's codex": ("owner jon", "AWS as AKIA...", "lease an AWS session"),
        "mira's claude-code, cursor": ("owner mira", "PostgreSQL at db.prod", "stands in `laptops/mira/"),
        "invoice_clerk, invoice-agent": (
            "crewai",
            "no owner known",
            "administrator of the cluster",
            "Stripe",
        ),
        "deploy-agent": ("no owner known", "iam:PassedToService"),
        "operator": ("Kubernetes service account", "remove `escalate`"),
    }.items():
        for word in (*words, "worst", "first"):
            assert word in re.sub(r"\n\s+", " ", stories[name]), (name, word)


@pytest.mark.parametrize("form", FORMS)
def test_no_form_shows_a_secret(told: dict[str, str], form: str) -> None:
    """Nor the part before its last four characters; an id of a key is its ends alone."""
    for file, pattern in SECRETS:
        values = re.findall(pattern, (SPRAWL / file).read_text())
        assert values, file
        for value in values:
            assert value[:-4] not in told[form], file
