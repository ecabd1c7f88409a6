# SPDX-License-Identifier: Apache-2.0
"""The section `evidence`: each sink has its keys, and whether people are named is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from remit.compose.evidence.assembly import evidence_settings
from remit.config import examine_config, load_config

BEGIN = "upstreams: {notes: {url: 'https://notes.example.org/mcp'}}\n"


def written(folder: Path, *exports: str) -> None:
    """Write a configuration with exports `one`, `two`, and so on."""
    named = "\n".join(
        f"    {name}: {one}" for name, one in zip(("one", "two", "three", "four"), exports, strict=False)
    )
    (folder / "remit.yaml").write_text(f"{BEGIN}evidence:\n  exports:\n{named}\n")


@pytest.mark.parametrize(
    ("export", "at", "said"),
    [
        ("{to: file, path: a.jsonl}", ".people", "missing"),
        ("{to: printer, people: true}", ".to", ""),
        ("{to: file, people: true}", "", "no `path`"),
        ("{to: https, people: true}", "", "no `url`"),
        ("{to: file, people: true, path: a, url: 'https://siem.example'}", ".url", "no effect"),
        ("{to: https, people: true, url: 'http://siem.example'}", ".url", "https"),
        ("{to: syslog, people: true, host: siem.example}", ".host", "address"),
        ("{to: syslog, people: true, host: 'siem.example:99999'}", ".host", "address"),
        ("{to: syslog, people: true, host: 'siem.example:514', tls: false, tls_ca: a}", ".tls_ca", "TLS"),
        ("{to: file, people: true, path: a, values: [argument]}", ".values", "`argument`"),
        ("{to: https, people: true, url: 'https://s.example', headers: {Authorization: Bearer abcdefghij}}",
         ".headers.Authorization", "literal secret"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_a_problem(tmp_path: Path, export: str, at: str, said: str) -> None:
    """With the key and the remediation, and never the secret."""
    written(tmp_path, export)
    (problem,) = examine_config(tmp_path)[1]
    assert problem.key == f"evidence.exports.one{at}"
    assert said in problem.message
    assert problem.remediation
    assert "abcdefghij" not in f"{problem.message}{problem.remediation}"


def test_one_file_has_one_export(tmp_path: Path) -> None:
    """Two exports would mix their lines."""
    written(tmp_path, "{to: file, people: true, path: a}", "{to: file, people: false, path: a}")
    (problem,) = examine_config(tmp_path)[1]
    assert problem.key == "evidence.exports.two.path"


def test_each_kind_of_sink_is_made(tmp_path: Path) -> None:
    """Nothing is opened, and no secret is read, before there is something to send."""
    written(
        tmp_path,
        "{to: file, people: true, path: a.jsonl, fsync: never, rotate: 1 MiB}",
        "{to: https, people: true, url: 'https://s.example', headers: {Authorization: 'Bearer env:NO_SUCH'}}",
        "{to: syslog, people: false, host: '[::1]:6514', values: [arguments]}",
        "{to: otlp, people: false, url: 'https://o.example/v1/logs', lag: 1h}",
    )
    made = evidence_settings(load_config(tmp_path)).exports
    assert [type(one.sink).__name__ for one in made.values()] == [
        "FileSink",
        "HttpsSink",
        "SyslogSink",
        "OtlpSink",
    ]
    assert [one.people for one in made.values()] == [True, True, False, False]
    assert made["three"].values == {"arguments"}
    assert made["four"].lag.total_seconds() == 3600
