# SPDX-License-Identifier: Apache-2.0
"""A small bundle with one file of tools that uses most of their words."""

from __future__ import annotations

from pathlib import Path

from remit.config import load_bundle, load_config
from remit.core.tools.tool import Tool

CONFIG = """\
upstreams: {mail: {url: 'https://mail.example/mcp'}}
zones: {partner: {meaning: what partners send, max_crossings: 1}, office: {}}
groups: {board: [ana@example.com]}
"""
SEND = """\
upstream: mail
tools:
  send:
    effect: irreversible
    audience: external
    labels: {class: internal, trust: trusted}
    arguments:
      to: {role: destination}
      cc: {role: destination}
      attachments[].file_id: {role: selector, hands_over: true}
      password: {secret: true}
      patient: {role: selector, personal: true}
    asked_by: [Mail, send on]
    repeats: true
    resource: outbox/{to}
    when:
      - arguments:
          to: {email_domain: [example.com]}
          cc: {optional: {exact: null}}
        audience: internal
        effect: reversible
      - arguments: {to: {exact: me@example.com}}
        audience: self
  inbox:
    effect: none
    audience: self
    labels: {class: confidential, trust: untrusted, categories: [pii]}
    fields:
      messages[].id: {trust: trusted}
      body:
        - {trust: trusted, when: {from: {email_domain: [example.com]}}, zone: office}
        - {trust: untrusted, zone: partner}
"""


def folder(tmp_path: Path, tools: str = SEND, config: str = CONFIG) -> Path:
    """Write a bundle with one file of tools."""
    files = {
        "remit.yaml": config,
        "policies/first.cedar": "permit (principal, action, resource);\n",
        "tools/mail.yaml": tools,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def tools_of(tmp_path: Path, tools: str = SEND) -> dict[str, Tool]:
    """Load a file of tools."""
    return load_bundle(load_config(folder(tmp_path, tools))).tools
