# SPDX-License-Identifier: Apache-2.0
"""Text is read as it stands; values that a form hides are taken out of it, once."""

import base64
import json

import pytest

from remit.core.discovery.discovered import SourceKind
from remit.core.discovery.sources.text import MAX_PIECE, OVERLAP
from tests.clients.file_reads import line_of, piece_with, pieces_of

SECRET = "sword" + "fish-77"
CODED = base64.b64encode(SECRET.encode()).decode()
LOGIN = base64.b64encode(f"ana:{SECRET}".encode()).decode()
PEM = f"-----BEGIN KEY-----\n{SECRET}\n-----END KEY-----\n"


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("prompts/agent.prompt", SourceKind.PROSE),
        ("README.md", SourceKind.PROSE),
        ("src/app.py", SourceKind.CODE),
        (".env", SourceKind.CONFIG),
        (".env.production", SourceKind.CONFIG),
        ("Dockerfile", SourceKind.CONFIG),
        ("docker/Dockerfile.dev", SourceKind.CONFIG),
        ("Jenkinsfile", SourceKind.CONFIG),
        (".gitlab-ci.yml", SourceKind.CONFIG),
        ("azure-pipelines.yml", SourceKind.CONFIG),
        ("agent.service", SourceKind.CONFIG),
        (".pypirc", SourceKind.CONFIG),
        (".aws/credentials", SourceKind.CONFIG),
        (".kube/config", SourceKind.CONFIG),
        ("prod.tfvars", SourceKind.CONFIG),
        ("hosts.yml", SourceKind.CONFIG),
        (".bash_history", SourceKind.CONFIG),
        ("app.log", SourceKind.LOG),
    ],
)
def test_plain_forms_are_one_piece_with_the_kind_of_their_name(file: str, kind: SourceKind) -> None:
    """The context of a secret stays beside it: nothing is taken apart without need."""
    (piece,) = pieces_of(file, f"# first\nAPI_TOKEN={SECRET}\nUSER=ana\n")
    assert (piece.kind, piece.place.line) == (kind, 1)
    assert f"API_TOKEN={SECRET}" in piece.text


def test_text_without_a_telling_name_is_told_by_its_content() -> None:
    """A script has its sign, a log its times; all else is prose."""
    stamped = "".join(f"2026-01-0{n} 10:00:00 started\n" for n in range(1, 5))
    kinds = [pieces_of("x", text)[0].kind for text in ("#!/bin/sh\nls\n", stamped, "Dear Ana,\n")]
    assert kinds == [SourceKind.CODE, SourceKind.LOG, SourceKind.PROSE]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_each_encoding_is_read(encoding: str) -> None:
    """PowerShell and Windows write UTF-16 with and without a mark."""
    text = f"first line of a note\r\npassword: {SECRET}\r\n"
    piece = piece_with(SECRET, pieces_of("note.txt", text.encode(encoding)))
    assert line_of(SECRET, piece) == 2


def test_bytes_that_are_no_text_are_not_read() -> None:
    """A binary file yields nothing, and a wrong byte costs itself alone."""
    assert pieces_of("a.bin", b"\x00\x01\x02secret" * 10) == []
    assert pieces_of("model.pkl", b"\x80\x04\x95\x00\x00c__builtin__\neval\n") == []
    assert piece_with(SECRET, pieces_of("a.txt", b"\xfd " + SECRET.encode())).place.line == 1


def test_a_secret_at_a_border_is_whole_in_one_piece_and_has_its_line() -> None:
    """Long texts are cut with an overlap, at lines or within a giant one."""
    for filler in ("word " * 20 + "\n", "word "):
        before = filler * ((MAX_PIECE - 6) // len(filler))
        text = before + SECRET + filler * (3 * MAX_PIECE // len(filler))
        pieces = pieces_of("a.md", text)
        holding = [one for one in pieces if SECRET in one.text]
        assert holding
        assert {line_of(SECRET, one) for one in holding} == {before.count("\n") + 1}
        assert all(len(one.text) <= MAX_PIECE for one in pieces)
        assert sum(len(one.text) for one in pieces) <= len(text) + len(pieces) * 2 * OVERLAP


def test_a_piece_of_a_giant_line_knows_its_column() -> None:
    """The column counts from the beginning of the line."""
    text = "a" * (MAX_PIECE + 100) + SECRET
    piece = pieces_of("a.md", text)[-1]
    assert piece.place.column + piece.text.index(SECRET) == MAX_PIECE + 101


def test_values_whose_name_stands_elsewhere_get_it() -> None:
    """Kubernetes, ECS and Terraform's state name a value in the field beside it, or above."""
    manifest = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: shop}}
spec:
  containers:
  - env:
    - name: DB_PASSWORD
      value: {SECRET}
"""
    task = {"containerDefinitions": [{"environment": [{"name": "DB_PASSWORD", "value": SECRET}]}]}
    state = {"version": 4, "outputs": {"db_password": {"value": SECRET, "type": "string"}}}
    for file, content in (
        ("shop.yaml", manifest),
        ("task.json", json.dumps(task, indent=1)),
        ("terraform.tfstate", json.dumps(state, indent=1)),
    ):
        piece = piece_with(SECRET, pieces_of(file, content))
        assert piece.names[-1].lower() == "db_password"
        assert SECRET in content.split("\n")[line_of(SECRET, piece) - 1]


def test_secrets_of_kubernetes_are_decoded() -> None:
    """`data` is base64, `stringData` is not; a login inside is decoded, too."""
    docker = base64.b64encode(json.dumps({"auths": {"r": {"auth": LOGIN}}}).encode()).decode()
    text = f"""apiVersion: v1
data:
  password: {CODED}
  .dockerconfigjson: {docker}
kind: Secret
metadata:
  name: db
"""
    pieces = pieces_of("secret.yaml", text)
    first, second = [one for one in pieces if SECRET in one.text]
    assert (first.text, first.names, first.place.line) == (SECRET, ("db", "data", "password"), 3)
    assert f"ana:{SECRET}" in second.text
    assert CODED not in "".join(one.text for one in pieces)
    listed = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [{"apiVersion": "v1", "kind": "Secret", "data": {"p": CODED}}],
    }
    assert piece_with(SECRET, pieces_of("all.json", listed)).text == SECRET


def test_values_with_escapes_are_unescaped_and_stand_on_their_line() -> None:
    """A key of a cloud account is one line of JSON and many of text."""
    text = json.dumps({"type": "service_account", "private_key": PEM}, indent=1)
    piece = piece_with(SECRET, pieces_of("adc.json", text))
    assert piece.text == PEM
    assert piece.one_line
    assert line_of(SECRET, piece) == 3


def test_logins_in_base64_are_decoded() -> None:
    """Docker's `auth` and npm's `_auth` are a user and a password."""
    assert (
        piece_with(SECRET, pieces_of("config.json", {"auths": {"r": {"auth": LOGIN}}})).text
        == f"ana:{SECRET}"
    )
    assert piece_with(SECRET, pieces_of(".npmrc", f"//r.example/:_auth={LOGIN}\n")).text == f"ana:{SECRET}"


def test_passwords_by_position_have_host_and_user_as_names() -> None:
    """`.netrc` and `.pgpass` have no names for their values."""
    netrc = piece_with(SECRET, pieces_of(".netrc", f"machine a.example\n  login ana\n  password {SECRET}\n"))
    assert (netrc.names, netrc.place.line) == (("a.example", "ana", "password"), 3)
    pgpass = piece_with("a:b", pieces_of(".pgpass", "# mine\ndb.example:5432:shop:ana:a\\:b\n"))
    assert (pgpass.names, pgpass.place.line) == (("db.example/shop", "ana", "password"), 2)


def test_histories_lose_the_times_and_keep_the_lines() -> None:
    """Bash, zsh and fish each write their own."""
    for file, text in (
        (".zsh_history", f": 1700000000:0;export A_TOKEN={SECRET}\n"),
        (".bash_history", f"#1700000000\nexport A_TOKEN={SECRET}\n"),
        ("fish_history", f"- cmd: export A_TOKEN={SECRET}\n  when: 1700000000\n"),
    ):
        piece = piece_with(SECRET, pieces_of(file, text))
        assert "1700000000" not in piece.text
        assert line_of(SECRET, piece) == text[: text.index(SECRET)].count("\n") + 1


def test_prompts_in_code_and_configuration_are_prose() -> None:
    """Detectors read a sentence there, and code around it."""
    prompt = f"You may log in. The password is {SECRET} for all."
    for file, text in (
        ("agent.py", f'x = 1\nSYSTEM_PROMPT = """\n{prompt}\n"""\n'),
        ("agent.ts", f"const a = {{ instructions: `{prompt}` }};\n"),
        ("agents.yaml", f"agents:\n  shop:\n    system_prompt: |\n      Hello.\n      {prompt}\n"),
        ("agents.json", json.dumps({"instructions": prompt})),
    ):
        piece = piece_with(SECRET, pieces_of(file, text))
        assert piece.kind is SourceKind.PROSE
        assert SECRET in text.split("\n")[line_of(SECRET, piece) - 1]


def test_cells_of_notebooks_are_code_prose_and_output() -> None:
    """Each cell is a piece; pictures are not read."""
    notebook = {
        "nbformat": 4,
        "metadata": {"note": "kept"},
        "cells": [
            {"cell_type": "markdown", "source": ["# Notes\n", "for all"]},
            {
                "cell_type": "code",
                "source": ["import os\n", f"os.environ['KEY'] = '{SECRET}'"],
                "outputs": [
                    {"output_type": "stream", "text": ["token whale-99\n"]},
                    {"data": {"image/png": "iVBORw0KGgoAAAA", "text/plain": ["'shark-11'"]}},
                ],
            },
        ],
    }
    text = json.dumps(notebook, indent=1)
    pieces = pieces_of("a.ipynb", text)
    cell = piece_with(SECRET, pieces)
    assert (cell.kind, cell.place.inside) == (SourceKind.CODE, "cell 2")
    assert SECRET in text.split("\n")[line_of(SECRET, cell) - 1]
    assert piece_with("whale-99", pieces).place.inside == "cell 2 output"
    assert piece_with("# Notes", pieces).kind is SourceKind.PROSE
    assert piece_with("shark-11", pieces).kind is SourceKind.LOG
    assert not [one for one in pieces if "iVBORw0KGgo" in one.text]


def test_what_is_taken_out_is_not_looked_at_twice() -> None:
    """Each text of a document is in one piece."""
    text = json.dumps({"auths": {"r": {"auth": LOGIN}}, "pem": PEM, "plain": "kept-as-it-is"}, indent=1)
    joined = "\n".join(one.text for one in pieces_of("config.json", text))
    assert joined.count(SECRET) == 2  # the login and the key
    assert joined.count("kept-as-it-is") == 1
    assert LOGIN not in joined


@pytest.mark.parametrize(
    ("file", "begin", "end"),
    [
        ("deep.json", '{"role":' * 200_000, ""),
        ("deep.jsonl", '{"messages":' * 2_000, "}" * 2_000),
        ("deep.json", '{"role": "user", "content":' + '{"a":' * 600, "}" * 601),
        ("deep.yaml", "prompt: " + "[" * 100_000, ""),
        ("deep.yaml", "prompt:\n" + "- " * 100_000, ""),
        ("deep.tf", "Statement = jsonencode(" + "{ a = [ " * 20_000, ""),
    ],
)
def test_what_is_nested_too_deeply_is_read_as_text(file: str, begin: str, end: str) -> None:
    """Nothing recurses as deep as a file wants, and nothing in it is lost."""
    assert any(SECRET in one.text for one in pieces_of(file, f'{begin}"{SECRET}"{end}'))


def test_a_notebook_of_many_cells_in_one_line_is_read() -> None:
    """Work grows with the size, not with its square."""
    cell = {"cell_type": "code", "source": ["x = 1\n"], "outputs": []}
    notebook = {"nbformat": 4, "cells": [cell] * 20_000 + [{**cell, "source": [f"k = '{SECRET}'"]}]}
    assert piece_with(SECRET, pieces_of("a.ipynb", notebook)).place.inside == "cell 20001"


def test_what_is_beside_the_texts_of_cells_is_read_too() -> None:
    """Metadata of a cell, and a value between lines; the cell that a cut notebook leaves open counts."""
    cell = {"cell_type": "code", "metadata": {"k": f"k = '{SECRET}'"}, "source": ["a = 1\n"], "outputs": []}
    assert piece_with(SECRET, pieces_of("a.ipynb", {"nbformat": 4, "cells": [cell]})).place.inside == ""
    mixed = {**cell, "metadata": {}, "source": ["a\n", {"k": f"k = '{SECRET}'"}, "b\n"]}
    assert piece_with(SECRET, pieces_of("a.ipynb", {"nbformat": 4, "cells": [mixed]})).place.inside == ""
    cut = json.dumps({"nbformat": 4, "cells": [cell, {**cell, "source": [f"k = '{SECRET}'\n"]}]})
    cut = cut[: cut.rindex(SECRET) + len(SECRET) + 4]
    assert "cell 2" in [one.place.inside for one in pieces_of("a.ipynb", cut) if SECRET in one.text]
