# SPDX-License-Identifier: Apache-2.0
"""What the examples of gitleaks' rules come to under remit's detectors of secrets.

gitleaks has no file of examples: each rule hands texts to a check when its configuration is generated. Here
its module is copied from Go's module cache to a temporary folder, where the check tells the texts instead.
Many values are drawn again in each run, so counts differ a little from run to run.
"""

import json
import re
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from remit.core.discovery.discovered import FilePlace, Piece, SourceKind
from remit.core.discovery.secrets.detectors import SecretDetectors
from tests.interop.suite import ROOT

LATEST = ROOT / "build" / "secret-cases.json"
PUBLISHED = ROOT / "docs" / "reference" / "secret-cases.json"
VERSION = "v8.30.1"
MODULE = f"github.com/zricethezav/gitleaks/v8@{VERSION}"
_GENERATOR = Path("cmd") / "generate" / "config"
_TELLS = """package utils

import (
	"encoding/json"
	"os"

	"github.com/zricethezav/gitleaks/v8/config"
)

type told struct {
	Rule   string `json:"rule"`
	Path   string `json:"path"`
	Text   string `json:"text"`
	Secret bool   `json:"secret"`
}

func tell(one told) {
	if err := json.NewEncoder(os.Stdout).Encode(one); err != nil {
		panic(err)
	}
}

func Validate(rule config.Rule, secrets []string, others []string) *config.Rule {
	for _, text := range secrets {
		tell(told{rule.RuleID, "", text, true})
	}
	for _, text := range others {
		tell(told{rule.RuleID, "", text, false})
	}
	return &rule
}

func ValidateWithPaths(rule config.Rule, secrets map[string]string, others map[string]string) *config.Rule {
	for path, text := range secrets {
		tell(told{rule.RuleID, path, text, true})
	}
	for path, text := range others {
		tell(told{rule.RuleID, path, text, false})
	}
	return &rule
}
"""
#: A way to write a value next to a name that remit does not read as an assignment.
_FORMS = re.compile(r"\A<\w+>\n")
FORM = "an XML element over lines"
RULE = "a rule of which nothing is found: mostly ids, or UUIDs and digits after a vendor's name"
OTHER = "other values: short, of few kinds of characters, or without quotes or a name"


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text of a rule, and whether the rule's authors call it a secret."""

    rule: str
    path: str
    text: str
    secret: bool


class ExamplesUnavailable(Exception):
    """gitleaks' module, or Go to run it, cannot be had here."""


def examples() -> list[Example]:
    """Return the examples of all rules, which gitleaks' own generator tells."""
    go = shutil.which("go")
    if go is None:
        raise ExamplesUnavailable("gitleaks' examples are in its Go module and there is no Go here")
    module = json.loads(_said([go, "mod", "download", "-json", MODULE], ROOT))["Dir"]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "gitleaks"
        shutil.copytree(module, copy, copy_function=shutil.copyfile)
        for each in (copy, *copy.rglob("*")):
            each.chmod(0o755 if each.is_dir() else 0o644)
        (copy / _GENERATOR / "utils" / "validate.go").write_text(_TELLS, encoding="utf-8")
        told = _said([go, "run", "-mod=mod", ".", str(Path(folder) / "rules.toml")], copy / _GENERATOR)
    return [msgspec.json.decode(line, type=Example) for line in told.splitlines()]


def _said(command: list[str], place: Path) -> str:
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ExamplesUnavailable(f"`{' '.join(command[:3])}` said {done.stderr[-300:]}")
    return done.stdout


def counted(given: Sequence[Example]) -> dict[str, object]:
    """Return how many secrets are found, why others are not, and how many other texts are reported."""
    detectors = SecretDetectors(b"cases" * 8)
    found = [bool(list(detectors.find(_piece(each)))) for each in given]
    by_rule: dict[str, list[bool]] = defaultdict(list)
    for each, seen in zip(given, found, strict=True):
        if each.secret:
            by_rule[each.rule].append(seen)
    missed = dict.fromkeys((FORM, RULE, OTHER), 0)
    for each, seen in zip(given, found, strict=True):
        if each.secret and not seen:
            nothing = not any(by_rule[each.rule])
            missed[RULE if nothing else FORM if _FORMS.search(each.text) else OTHER] += 1
    return {
        "version": VERSION,
        "rules": len(by_rule),
        "rules found": sum(any(seen) for seen in by_rule.values()),
        "secrets": sum(map(len, by_rule.values())),
        "found": sum(map(sum, by_rule.values())),
        "missed": missed,
        "others": sum(not each.secret for each in given),
        "reported": sum(seen and not each.secret for each, seen in zip(given, found, strict=True)),
    }


def _piece(one: Example) -> Piece:
    return Piece(text=one.text, place=FilePlace(file=one.path or "text"), kind=SourceKind.CODE)


def measure(*, publish: bool) -> int:
    """Count, write what the examples came to, and return the exit code."""
    found: Mapping[str, object] = {"date": datetime.now(UTC).date().isoformat(), **counted(examples())}
    for path in (LATEST, PUBLISHED) if publish else (LATEST,):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0
