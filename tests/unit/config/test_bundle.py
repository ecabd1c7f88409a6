# SPDX-License-Identifier: Apache-2.0
"""The bundle: what its files mean together, and its digest."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from remit.config import load_bundle, load_config, problems
from remit.config.scaffold import scaffold
from remit.config.schema import REFERENCE, SCHEMAS, generate
from remit.core.errors import ConfigInvalid
from remit.core.label import Trust
from remit.core.policy.bundle import Bundle, bundle_digest
from remit.core.tools.tool import Effect, Tier

FILES = {
    "remit.yaml": "upstreams: {files: {command: [python, files.py]}, mail: {url: 'https://mail.example/mcp'}}\n"
    "zones: {dms: {meaning: the document system}}\n",
    "policies/first.cedar": "permit (principal, action, resource);\n",
    "tools/files.yaml": """\
upstream: files
tools:
  read:
    effect: none
    audience: self
    labels: {class: internal, categories: [pii], trust: trusted, zone: dms}
    arguments: {path: {role: selector}}
    record: "{path}"
  "resources:read": {effect: none, audience: self}
""",
    "tasks/read.yaml": """\
task: read
purpose: Read one file
run_by: [reader, "group:bots"]
requested_by: [ana@example.org, "group:legal", "agent:desk"]
parameters:
  file: {constraint: {pattern: "[a-z]+"}}
deadline: 10m
budgets: {calls: 5, result_bytes: 2 MiB}
grants:
  - tool: files/read
    arguments:
      path: {exact: "docs/{file}.md"}
""",
}


def write(folder: Path, changed: dict[str, str | None] | None = None) -> Path:
    """Write the sample bundle with some files changed, or left out where `None`."""
    for name, text in {**FILES, **(changed or {})}.items():
        if text is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    return folder


def bundle(folder: Path, changed: dict[str, str | None] | None = None) -> Bundle:
    """Load the sample bundle with some files changed."""
    return load_bundle(load_config(write(folder, changed)))


def test_a_bundle_holds_what_its_files_say(tmp_path: Path) -> None:
    """Tools are by id, task types by name, policies in the order of their files."""
    got = bundle(tmp_path, {"policies/a/second.cedar": "forbid (principal, action, resource);"})
    read = got.tools["files/read"]
    assert (read.effect, read.audience.name, read.tier) == (Effect.NONE, "self", Tier.ASSISTANT)
    assert read.label.data_class == "internal"
    assert (read.label.categories, read.label.zones) == (frozenset({"pii"}), frozenset({"dms"}))
    assert read.described
    task = got.task_types["read"]
    assert (task.deadline_s, task.budgets.calls, task.budgets.result_bytes) == (600, 5, 2 * 2**20)
    assert task.label.trust is Trust.TRUSTED
    grant = task.grants[0].instantiate({"file": "report"})
    assert grant.permits({"path": "docs/report.md"}) == ()
    assert grant.permits({"path": "docs/other.md"}) != ()
    assert [source.file for source in got.policies] == ["policies/a/second.cedar", "policies/first.cedar"]


def test_what_is_not_said_of_a_tool_is_the_worst(tmp_path: Path) -> None:
    """A tool without labels gives untrusted data of the highest class; so does an undescribed one."""
    got = bundle(tmp_path)
    label = got.tools["files/resources:read"].label
    assert (label.data_class, label.trust) == ("restricted", Trust.UNTRUSTED)
    other = got.tool("mail", "send")
    assert (other.described, other.effect, other.audience.name) == (False, Effect.IRREVERSIBLE, "external")


def test_equal_files_have_equal_digests_wherever_they_are(tmp_path: Path) -> None:
    """The digest depends on names and bytes alone, and any changed byte of any file changes it."""
    one, two = bundle(tmp_path / "one"), bundle(tmp_path / "two")
    assert one.digest == two.digest == bundle_digest(one.files)
    for number, name in enumerate(FILES):
        other = bundle(tmp_path / f"three{number}", {name: FILES[name] + " "})
        assert other.digest != one.digest


def test_a_configuration_that_changed_meanwhile_is_not_mixed_in(tmp_path: Path) -> None:
    """A bundle is read with the very `remit.yaml` that the configuration was read from, or not at all."""
    config = load_config(write(tmp_path))
    (tmp_path / "remit.yaml").write_text(FILES["remit.yaml"] + "tenant: other\n")
    with pytest.raises(ConfigInvalid, match="changed while remit read it"):
        load_bundle(config)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"policies/first.cedar": None}, "folder `policies`"),
        (
            {"policies/first.cedar": None, "policies/n.md": ""},
            "has no policy, so nothing would be permitted",
        ),
        ({"policies/x.rego": "package x"}, "policies/x.rego: would be ignored; rename it to `*.cedar`"),
        ({"policies/x.Cedar": "x"}, "policies/x.Cedar: would be ignored"),
        (
            {"remit.yaml": FILES["remit.yaml"] + "tools: missing\n"},
            "remit.yaml:3: `tools`: folder `missing` does not exist; create `missing/`, or run `remit init`",
        ),
        (
            {"remit.yaml": "upstreams:\n  bills:\n    url: http://x.example\n    openapi: bills.json\n"},
            "remit.yaml:4: `upstreams.bills.openapi`: file `bills.json` does not exist; put the",
        ),
        ({"remit.yaml": FILES["remit.yaml"] + "tasks: ../t\n"}, "`tasks`: `../t` is not below the folder"),
        (
            {"tools/again.yaml": "upstream: files\ntools:\n  read: {}\n"},
            "`tools.read`: tool `files/read` is defined twice, first in tools/again.yaml:3",
        ),
        (
            {"tasks/again.yaml": FILES["tasks/read.yaml"]},
            "tasks/read.yaml:1: `task`: task type `read` is defined twice, first in tasks/again.yaml:1",
        ),
        (
            {"tools/x.yaml": "upstream: fils\ntools: {a: {}}\n"},
            "`fils` is not an upstream of `remit.yaml`; did you mean `files`?",
        ),
        (
            {"tools/x.yaml": "upstream: files\ntools: {'resource:read': {}}\n"},
            "did you mean `resources:read`?",
        ),
        (
            {"tools/x.yaml": "upstream: files\ntools: {a: {effct: none}}\n"},
            "`tools.a.effct`: unknown key; did you mean `effect`?",
        ),
        ({"tools/x.yaml": "upstream: files\ntools: {a: {effect: no}}\n"}, "`no` is not a known value"),
        ({"tools/x.yaml": "upstream: files\ntools: {a: {audience: all}}\n"}, "`all` is not an audience"),
        (
            {"tools/x.yaml": "upstream: files\ntools: {a: {labels: {class: secret}}}\n"},
            "`secret` is not a data class",
        ),
        (
            {"tools/x.yaml": "upstream: files\ntools:\n  a: {record: '{pth}', arguments: {path: {}}}\n"},
            "tools/x.yaml:3: `tools.a.record`: `{pth}` is not one of its arguments; did you mean `{path}`?",
        ),
        (
            {"tools/x.yaml": "upstream: files\ntools: {a: {own_conversation: true}}\n"},
            "cannot be combined with an effect",
        ),
        (
            {"tools/x.yaml": "upstream: x\ntools: {a: {fields: {mail: {own: true, trust: untrusted}}}}\n"},
            "`tools.a.fields.mail.own`: cannot be the person's own",
        ),
    ],
)
def test_each_mistake_in_a_folder_is_one_line(
    tmp_path: Path, changed: dict[str, str | None], said: str
) -> None:
    """Missing folders, files that would not be read, duplicates and unknown words are named."""
    found = [str(problem) for problem in problems(write(tmp_path, changed))]
    assert any(said in line for line in found), found
    assert all("\n" not in line for line in found)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "docs/{file}.md",
            "docs/{fil}.md",
            "tasks/read.yaml:12: `grants[0].arguments.path.exact`: `{fil}` is not one of the parameters; did",
        ),
        ("files/read\n", "filez/read\n", "tasks/read.yaml:10: `grants[0].tool`: `filez` is not an upstream"),
        ("files/read\n", "files/raed\n", "did you mean `files/read`?"),
        ("files/read\n", "files/*\n", "is not a tool name"),
        (
            "{exact: ",
            "{exakt: ",
            "read.yaml:12: `grants[0].arguments.path.exakt`: unknown constraint `exakt`",
        ),
        ("    arguments:", "    argument:", "grants[0]"),
        (
            "[reader, ",
            "['*', ",
            "`*` is not a valid name; write an agent's name or `group:name`; there are no wildcards",
        ),
        ("ana@example.org", "'*'", "`requested_by[0]`: `*` is not a valid name"),
        ("10m", "10 minutes", "tasks/read.yaml:7: `deadline`: must be a duration"),
        ("calls: 5", "calls: -5", "`budgets.calls`: is too small"),
        ("2 MiB", "2 MB/s", "`budgets.result_bytes`: must be a size"),
        ('pattern: "[a-z]+"', 'pattern: "["', "tasks/read.yaml:6: `parameters.file.constraint"),
        ("  file: {", "  file: {default: 7, ", "`parameters.file`: parameter `file` must be of type string"),
        ("  file: {", "  file: {default: A1, ", "`parameters.file.default`: does not satisfy the constraint"),
        ("  file: {", "  file: {typ: string, ", "`parameters.file.typ`: unknown key; did you mean `type`?"),
        ("purpose: Read one file\n", "", "`purpose`: is missing"),
    ],
)
def test_each_mistake_in_a_task_type_is_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    """Placeholders, tools, constraints, people and quantities that mean nothing are named."""
    text = FILES["tasks/read.yaml"]
    assert old in text
    found = [
        str(problem) for problem in problems(write(tmp_path, {"tasks/read.yaml": text.replace(old, new)}))
    ]
    assert len(found) == 1, found
    assert said in found[0]
    assert found[0].startswith("tasks/read.yaml:")


def schema_of(page: str) -> dict[str, Any]:
    """A generated schema."""
    got: dict[str, Any] = json.loads(generate()[page])
    return got


@pytest.mark.parametrize("page", SCHEMAS)
def test_the_published_schemas_are_schemas(page: str) -> None:
    """Each is valid JSON Schema, draft 2020-12."""
    jsonschema.Draft202012Validator.check_schema(schema_of(page))


@pytest.mark.parametrize(
    ("page", "file"),
    [
        ("reference/schemas/remit.json", "remit.yaml"),
        ("reference/schemas/tools.json", "tools/files.yaml"),
        ("reference/schemas/tasks.json", "tasks/read.yaml"),
    ],
)
def test_what_the_reader_takes_the_schema_takes(page: str, file: str) -> None:
    """The sample is valid by the published schema, and an unknown key is not."""
    value = YAML(typ="safe", pure=True).load(FILES[file])
    validator = jsonschema.Draft202012Validator(schema_of(page))
    assert not list(validator.iter_errors(value))
    assert list(validator.iter_errors({**value, "unknown": 1}))


def test_the_reference_names_every_key() -> None:
    """The generated page has a row for keys of all three files."""
    page = generate()[REFERENCE]
    for key in ("listen.port", "upstreams.*.mode", "tools.*.arguments.*.role", "parameters.*.constraint"):
        assert f"| `{key}` |" in page


def test_what_init_writes_is_valid_as_it_is(tmp_path: Path) -> None:
    """The scaffold has no problems, and making it again overwrites nothing."""
    written = scaffold(tmp_path)
    assert tmp_path / "remit.yaml" in written
    assert problems(tmp_path) == []
    got = load_bundle(load_config(tmp_path))
    assert got.task_types["tidy-note"].grants
    with pytest.raises(ConfigInvalid, match="already exists"):
        scaffold(tmp_path)
