# SPDX-License-Identifier: Apache-2.0
"""The section `policy`: which language decides, and where."""

from pathlib import Path

import pytest

from remit.config import examine_bundle, examine_config, load_bundle, load_config
from remit.config.scaffold import scaffold
from tests.samples.policy_requests import TEMPLATES

BEGIN = "upstreams: {notes: {url: 'https://notes.example.org/mcp'}}\n"


@pytest.mark.parametrize(
    ("section", "key", "said"),
    [
        ("{kind: opa}", "policy", "server"),
        ("{kind: rego, server: {url: 'https://opa.example.org'}}", "policy", "only `kind: opa`"),
        ("{kind: opa, server: {url: 'http://opa.example.org'}}", "policy.server.url", "https"),
        ("{kind: opa, server: {url: 'nonsense'}}", "policy.server.url", "address"),
        ("{kind: prolog}", "policy.kind", ""),
    ],
)
def test_what_does_not_go_together_is_a_problem(tmp_path: Path, section: str, key: str, said: str) -> None:
    """With the key and the remediation."""
    (tmp_path / "remit.yaml").write_text(f"{BEGIN}policy: {section}\n")
    (problem,) = examine_config(tmp_path)[1]
    assert problem.key == key
    assert said in problem.message
    assert problem.remediation


@pytest.mark.parametrize("url", ["http://127.0.0.1:8181", "https://opa.example.org"])
def test_a_server_on_this_machine_needs_no_certificate(tmp_path: Path, url: str) -> None:
    """A server beside remit is asked over plain HTTP; any other one over HTTPS."""
    (tmp_path / "remit.yaml").write_text(f"{BEGIN}policy: {{kind: opa, server: {{url: '{url}'}}}}\n")
    assert examine_config(tmp_path)[1] == []


def test_the_first_policies_can_be_in_rego(tmp_path: Path) -> None:
    """With the same remaining files, and the policies of one language only."""
    scaffold(tmp_path / "cedar")
    scaffold(tmp_path / "rego", engine="rego")
    cedar, rego = (load_bundle(load_config(tmp_path / name)) for name in ("cedar", "rego"))
    assert rego.tools == cedar.tools
    assert {one.file for one in rego.policies} == {
        f"policies/{path.name}" for path in (TEMPLATES / "rego").iterdir()
    }
    assert {Path(one.file).stem for one in rego.policies} == {Path(one.file).stem for one in cedar.policies}
    assert load_config(tmp_path / "rego").policy.kind == "rego"


def test_policies_of_another_language_are_a_problem(tmp_path: Path) -> None:
    """A file that would be ignored could be the one that refuses."""
    scaffold(tmp_path, engine="rego")
    (tmp_path / "policies" / "more.cedar").write_text("forbid (principal, action, resource);\n")
    (problem,) = examine_bundle(load_config(tmp_path))[1]
    assert "would be ignored" in problem.message


def test_a_change_of_the_engine_waits_for_a_restart(tmp_path: Path) -> None:
    """The path of the policies does not: `remit policy apply` reads it."""
    configs = []
    for section in ("{kind: cedar}", "{kind: cedar, path: other}", "{kind: rego}"):
        (tmp_path / "remit.yaml").write_text(f"{BEGIN}policy: {section}\n")
        configs.append(load_config(tmp_path))
    running, path, engine = configs
    assert path.waiting(running) == ()
    assert engine.waiting(running) == ("policy",)
