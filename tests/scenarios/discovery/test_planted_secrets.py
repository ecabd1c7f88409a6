# SPDX-License-Identifier: Apache-2.0
"""Threat: a report, a page or a log tells a secret, wherever in a scanned file it stood."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec
import pytest

from remit.cli.discover.markdown import markdown
from remit.cli.discover.ocsf import ocsf
from remit.cli.discover.page import page
from remit.cli.discover.sarif import sarif
from remit.cli.discover.story import show
from remit.cli.discover.wire import wire
from remit.compose.discovery.scans import discovery_scans
from remit.core.discovery.delivery import facts_of, subject_of
from remit.core.discovery.secrets.masks import without_drawn_words
from remit.services.discovery.scans import ScanRequest
from tests.samples.planted_secrets import plant

SPRAWL = Path(__file__).parents[3] / "examples/sprawl"


def test_no_planted_secret_is_told_in_any_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Every field of every source, in every format, the console's facts, the log and the memory."""
    tree, state = tmp_path / "tree", tmp_path / "state"
    state.mkdir(mode=0o700)
    planted = plant(SPRAWL, tree, seed=5)
    assert len(planted) > 1_000
    request = ScanRequest(base=str(tree), roots=(str(tree),), scope="tree")
    with caplog.at_level(logging.DEBUG):
        report = discovery_scans(key=b"k" * 32, folder=state, processes=2).scan(request)
        show(report, everything=True)
    assert len(report.found) > 300
    console = [(subject_of(one.finding), facts_of(one.finding)) for one in report.found]
    values = (report, wire(report), sarif(report), list(ocsf(report)), console)
    told = [msgspec.json.encode(one).decode() for one in values]
    told += [markdown(report), page(report), capsys.readouterr().out, caplog.text]
    text = "\n".join(told)
    assert [one.where for one in planted if any(form in text for form in one.forms)] == []
    # The memory finds a file by its path.
    kept = b"".join(one.read_bytes() for one in state.iterdir()).decode("latin-1")
    fields = [one for one in planted if not one.where.endswith("its folder")]
    assert [one.where for one in fields if any(form in kept for form in one.forms)] == []


@pytest.mark.parametrize(
    "name",
    [
        "arn:aws:iam::123456789012:role/shop-DeployRole-1A2B3C4D5E6F7",
        "AROAEXAMPLEABCDEFGHIJ",
        "third-party/agent-action@main",
        "projects/harborlane-prod",
        "mcpServers.files.env.GITHUB_PERSONAL_ACCESS_TOKEN",
        "11111111-1111-4111-8111-111111111111.jsonl",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "lambda:CreateFunction20150331",
        "Company's AgentFactory2 doesn't answer",
        "credential:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f",
        "s3://acme-Terraform-state-eu-central-1/prod/terraform.tfstate",
    ],
)
def test_names_stay_as_they_are(name: str) -> None:
    """A report in which names are masked is of no use."""
    assert without_drawn_words(name) == name
