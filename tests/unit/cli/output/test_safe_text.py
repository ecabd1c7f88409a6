# SPDX-License-Identifier: Apache-2.0
"""What others wrote, as a terminal and a configuration get it."""

import json
import unicodedata

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from remit.cli.output import terminal as show
from remit.core.safe_text import escaped, plain


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


@pytest.mark.parametrize("hidden", ["\u034f", "\u115f", "\u3164", "\uffa0", "\u2800", "\ufe00", "\U000e0100"])
def test_a_letter_without_a_shape_is_written_out(hidden: str) -> None:
    """A blank that counts as a letter makes two texts that look alike, or carries a message unseen."""
    assert plain(f"a{hidden}b") == f"a\\u{{{ord(hidden):x}}}b"
    assert hidden not in escaped(json.dumps([hidden], ensure_ascii=False))


def test_marks_that_pile_up_are_written_out_and_languages_are_not() -> None:
    """A pile of marks covers the lines above and below; letters with the marks of a language stay."""
    assert plain("a" + "\u0338" * 9).count("\u0338") == 4
    for said in ("ngu\u031b\u0303", "\u05e9\u05c1\u05bc\u05b8", "\u0e17\u0e35\u0e48", "\u2764\ufe0f"):
        assert plain(said) == said
