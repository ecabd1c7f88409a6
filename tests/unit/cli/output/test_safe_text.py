# SPDX-License-Identifier: Apache-2.0
"""What others wrote, as a terminal and a configuration get it."""

import json
import unicodedata

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from remit.cli.output import terminal as show
from remit.core.safe_text import escaped


@given(st.dictionaries(st.text(), st.text(), max_size=4))
def test_escaped_json_means_the_same(value: object) -> None:
    """As JSON, and as YAML where it is written for that; and nothing in it is hidden."""
    text = escaped(json.dumps(value, ensure_ascii=False))
    assert json.loads(text) == value
    assert not any(unicodedata.category(letter) in ("Cc", "Cf", "Co", "Cn", "Zl", "Zp") for letter in text)
    assert yaml.safe_load(escaped(json.dumps(value, ensure_ascii=False), yaml=True)) == value


def test_json_on_a_terminal_does_nothing_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    """An approver looks at what an agent wrote: U+009B begins a command to many terminals, as ESC [ does."""
    said = "\x9b2J\x9b31m \x7f \u202egnp.exe \U000e0041 ok: é 漢"
    show.answer({"text": said})
    out = capsys.readouterr().out
    assert not {"\x9b", "\x7f", "\u202e", "\U000e0041"} & set(out)
    assert json.loads(out) == {"text": said}
    assert "é 漢" in out
