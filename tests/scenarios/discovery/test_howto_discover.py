# SPDX-License-Identifier: Apache-2.0
"""The how-tos of discovery work as they are written: a laptop, a commit, a pipeline, a fleet."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
import yaml

from remit.config import load_config
from tests.architecture.tree import ROOT
from tests.secrets_corpus.values import SECRETS

SECRET = SECRETS["ghp"](Random(11))
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)


def page(name: str) -> str:
    """Return a how-to."""
    return (ROOT / f"docs/howto/{name}.md").read_text(encoding="utf-8")


def commands(text: str) -> list[str]:
    """Return the commands of a page that stand alone, without what explains them."""
    return [one.partition(" #")[0].strip() for one in re.findall(r"^    (remit .*)$", text, re.MULTILINE)]


class Machine:
    """A person's machine: a fresh home, and what was installed."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "src"),
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    def shell(self, command: str, folder: Path, *, code: int = 0) -> str:
        """Run a command as it is written; return what it said."""
        done = subprocess.run(
            command,
            shell=True,
            cwd=folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{command}: {done.stdout[-2000:]}"
        assert SECRET not in done.stdout
        return done.stdout

    def repository(self, folder: Path) -> Path:
        """Return a repository without commits."""
        folder.mkdir(parents=True)
        self.shell(
            "git init -q -b main && git config user.name a && git config user.email a@b.example", folder
        )
        return folder


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a machine with a fresh home."""
    home = tmp_path / "home"
    home.mkdir()
    return Machine(home)


def test_the_page_for_a_laptop(machine: Machine) -> None:
    """Each command, the places that it names, and what it leaves out."""
    shutil.copytree(ROOT / "examples/sprawl/laptops/mira", machine.home, dirs_exist_ok=True)
    crm = machine.repository(machine.home / "work/crm")
    (crm / "settings.env").write_text(f"GITHUB_TOKEN={SECRET}\n")
    machine.shell("git add -A && git commit -qm one && git rm -q settings.env && git commit -qm two", crm)
    (machine.home / ".remitignore").write_text(".cursor/\n")
    text = page("discover-on-a-laptop")
    written = commands(text)
    assert len(written) == 4
    said = {one: machine.shell(one, machine.home) for one in written}
    assert "owner" in said["remit discover ~"]
    assert ".cursor" not in said["remit discover ~ --all"]
    assert "<html" in (machine.home / "discovered.html").read_text()
    assert "settings.env" in said["remit discover ~/work/crm --history"]
    (state,) = re.findall(r"`~/(\.local/state/remit/discovery)`", text)
    assert (machine.home / state / "fingerprint.key").stat().st_mode & 0o077 == 0
    (example,) = re.findall(r"`(remit discover examples/sprawl)`", text)
    assert "mira's claude-code" in machine.shell(example, ROOT)


def test_the_page_for_commits(machine: Machine) -> None:
    """The hook of Git as it is written refuses a secret, and passes without it."""
    project = machine.repository(machine.home / "project")
    (lines,) = re.findall(r"((?:^    (?:#!|exec).*\n)+)", page("discover-before-a-commit"), re.MULTILINE)
    hook = project / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(re.sub(r"^    ", "", lines, flags=re.MULTILINE))
    hook.chmod(0o755)
    (project / ".env").write_text(f"GITHUB_TOKEN={SECRET}\n")
    assert ".env" in machine.shell("git add -A && git commit -qm first", project, code=1)
    (project / ".env").write_text("GITHUB_TOKEN=${GITHUB_TOKEN}\n")
    machine.shell("git add -A && git commit -qm first", project)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pre-commit") is None, reason="pre-commit of PyPI is not installed")
def test_the_page_for_commits_with_pre_commit(machine: Machine) -> None:
    """Its file as it is written, with this repository in the place of the released one."""
    project = machine.repository(machine.home / "project")
    (text,) = BLOCK.findall(page("discover-before-a-commit"))
    head = machine.shell("git rev-parse HEAD", ROOT).strip()
    text = text.replace("https://github.com/OWNER/remit", str(ROOT)).replace("v1.0.0", head)
    (project / ".pre-commit-config.yaml").write_text(text)
    del machine.environment["PYTHONPATH"]
    machine.shell("pre-commit install", project)
    (project / ".env").write_text(f"GITHUB_TOKEN={SECRET}\n")
    assert "exit code: 4" in machine.shell("git add -A && git commit -qm first", project, code=1)
    (project / ".env").write_text("GITHUB_TOKEN=${GITHUB_TOKEN}\n")
    machine.shell("git add -A && git commit -qm first", project)


def test_the_page_for_pipelines(machine: Machine) -> None:
    """A baseline holds what is there; both recipes pass with it, and fail on what is new."""
    text = page("discover-in-ci")
    project = machine.repository(machine.home / "project")
    (project / "old.env").write_text(f"GITHUB_TOKEN={SECRET}\n")
    machine.shell("git add -A && git commit -qm first", project)
    plain, begin = commands(text)
    machine.shell(plain, project, code=4)
    end = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=90)
    machine.shell(re.sub(r"--until \S+", f"--until {end}", begin), project)
    (add,) = re.findall(r"^    (git add .*)$", text, re.MULTILINE)
    machine.shell(add, project)
    github, gitlab = map(yaml.safe_load, BLOCK.findall(text))
    steps = [one["run"] for one in github["jobs"]["discover"]["steps"] if "run" in one]
    recipes = [one for one in (*steps, *gitlab["discover"]["script"]) if not one.startswith("pip install")]
    assert len(recipes) == 2
    for one in recipes:
        machine.shell(one, project)
    assert json.loads((project / "discover.sarif").read_text())["version"] == "2.1.0"
    assert gitlab["discover"]["artifacts"]["paths"] == ["discover.md"]
    assert (project / "discover.md").exists()
    for made in ("discover.sarif", "discover.md"):
        (project / made).unlink()
    (project / "new.env").write_text(f"GITHUB_TOKEN={SECRETS['ghp'](Random(12))}\n")
    for one in recipes:
        machine.shell(one, project, code=4)


def test_the_page_for_a_fleet(machine: Machine) -> None:
    """Events in a spool, one key on two machines, and the section of the configuration."""
    text = page("discover-in-a-fleet")
    spool = machine.home / "spool"
    spool.mkdir()
    (form,) = re.findall(r'`(\{"baseline": 1.*?\})`', text, re.DOTALL)
    key = machine.home / "key.json"
    key.write_text(form.replace("64 hexadecimal digits", "5a" * 32))
    named: list[set[str]] = []
    for host in ("one", "two"):
        for root in ("home", "srv"):
            folder = machine.home / host / root / host
            folder.mkdir(parents=True)
            (folder / ".env").write_text(f"GITHUB_TOKEN={SECRET}\n")
        (command,) = commands(text)
        command = command.replace("/var/spool/remit", str(spool))
        for root in ("/home", "/srv"):
            command = command.replace(f" {root} ", f" {machine.home / host}{root} ")
        machine.shell(f"{command} --baseline {key} --no-memory", machine.home)
        events = [json.loads(one) for one in (spool / "discovered.jsonl").read_text().splitlines()]
        assert {one["class_uid"] for one in events} <= {2004, 2006}
        named.append({one["finding_info"]["uid"] for one in events})
    assert named[0] & named[1], "one secret on two machines is one secret"
    (config,) = BLOCK.findall(text)
    folder = machine.home / "remit"
    folder.mkdir()
    (folder / "remit.yaml").write_text(f"{config}upstreams:\n  files: {{url: 'http://127.0.0.1:1/mcp'}}\n")
    assert load_config(folder).discovery.paths
