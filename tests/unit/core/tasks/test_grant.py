# SPDX-License-Identifier: Apache-2.0
"""Grants: what they permit, how they are filled in, narrowed and kept."""

import copy
from typing import Any

import msgspec
import pytest

from remit.core.errors import ConfigInvalid, Malformed
from remit.core.tasks.grant import MAX_LAYERS, Ceilings, Grant, GrantTemplate, narrow
from tests.refusals import refused


def _codes(grant: Grant, arguments: dict[str, Any]) -> list[str]:
    return [refusal.code for refusal in grant.permits(arguments)]


def test_a_grant_without_arguments_permits_the_bare_call_alone() -> None:
    """An argument that is not named is refused."""
    assert Grant("files/list").permits({}) == ()
    assert _codes(Grant("files/list"), {"path": "a"}) == ["argument-undeclared"]
    assert Grant("files/list", other_arguments=True).permits({"path": "a"}) == ()


def test_a_missing_argument_is_refused_unless_it_may_be_absent() -> None:
    """`optional` and `anything` are the two ways to be absent; `null` is not."""
    grant = Grant("x/y", {"a": {"exact": 1}, "b": {"optional": {"exact": 2}}, "c": {"anything": {}}})
    assert grant.permits({"a": 1}) == ()
    assert grant.permits({"a": 1, "b": 2, "c": [3]}) == ()
    assert _codes(grant, {"b": 2}) == ["argument-missing"]
    assert _codes(grant, {"a": 1, "b": None}) == ["argument-refused"]


def test_a_refusal_names_argument_rule_reason_and_way_out() -> None:
    """Everything that is wrong is said at once, in short words."""
    grant = Grant("files/read", {"path": {"path_under": "contracts"}})
    (refusal,) = grant.permits({"path": "contracts/../hr"})
    assert refusal.argument == "path"
    assert refusal.rule == '{"path_under":"contracts"}'
    assert refusal.text == "`path` contains a `.` or `..` segment; `path` must be under `contracts/`"
    assert len(grant.permits({"path": 1, "x": 2, "y": 3})) == 3


def test_the_layer_that_refuses_is_named() -> None:
    """0 is the grant's own, 1 its parent's."""
    parent = Grant("files/read", {"path": {"path_under": "a"}})
    child = parent.attenuate(Grant("files/read", {"path": {"glob": "**/*.md"}}))
    assert [refusal.layer for refusal in child.permits({"path": "b/x.md"})] == [1]
    assert [refusal.layer for refusal in child.permits({"path": "a/x.txt"})] == [0]


def test_an_amount_under_a_ceiling_must_be_countable() -> None:
    """Strings, negative amounts and absent ones would defeat the sum."""
    grant = Grant("pay/send", {"amount": {"anything": {}}}, ceilings=Ceilings(amount={"amount": 100}))
    assert grant.permits({"amount": 100}) == ()
    for call in (
        {"amount": -1},
        {"amount": "5"},
        {"amount": True},
        {"amount": 101},
        {},
        {"amount": float("nan")},
    ):
        assert _codes(grant, call) == ["amount-refused"]


def test_ceilings_are_the_smallest_of_all_layers() -> None:
    """A child cannot raise a bound, nor forget one."""
    parent = Grant("x/y", ceilings=Ceilings(calls=3, amount={"a": 5}, result_class="internal"))
    child = parent.attenuate(
        Grant("x/y", ceilings=Ceilings(calls=9, amount={"a": 7, "b": 1}, result_class="public"))
    )
    assert child.calls == 3
    assert child.amounts == {"a": 5, "b": 1}
    assert child.result_classes == ("public", "internal")


def test_simplification_keeps_the_narrower_of_two_comparable_layers() -> None:
    """A child that asks for less carries its own layer alone."""
    parent = Grant("files/read", {"path": {"path_under": "a"}})
    child = parent.attenuate(Grant("files/read", {"path": {"path_under": "a/b"}})).simplified()
    assert child == Grant("files/read", {"path": {"path_under": "a/b"}})
    wider = parent.attenuate(Grant("files/read", {"path": {"path_under": "."}})).simplified()
    assert wider.permits({"path": "b"})
    assert not wider.permits({"path": "a/c"})


def test_a_child_gets_only_tools_that_its_parent_holds() -> None:
    """The rest is refused with what could be asked for."""
    held = [
        Grant("files/read", {"path": {"path_under": "a"}}),
        Grant("files/read", {"path": {"path_under": "b"}}),
    ]
    grants, refusals = narrow(held, [Grant("files/read", other_arguments=True), Grant("files/write")])
    assert len(grants) == 2
    assert [refusal.code for refusal in refusals] == ["tool-not-granted"]
    assert "`files/read`" in refusals[0].text
    with refused("malformed", Malformed):
        held[0].attenuate(Grant("files/write"))


def test_endless_narrowing_ends() -> None:
    """Layers that imply each other collapse; others come to a bound."""
    grant = Grant("x/y", {"a": {"pattern": "a*"}})
    for _ in range(MAX_LAYERS * 2):
        grant = grant.attenuate(Grant("x/y", {"a": {"pattern": "a*"}}))

    def narrow_on(grant: Grant) -> None:
        for i in range(MAX_LAYERS * 2):
            grant = grant.attenuate(Grant("x/y", {"a": {"pattern": f"a*|x{i}"}}))

    with pytest.raises(Malformed, match="too often"):
        narrow_on(grant)


@pytest.mark.parametrize(
    "tool", ["", "read", "files/", "/read", "files/*", "files /x", "files/x\ny", "fil\u0435s/x"]
)
def test_a_grant_names_one_tool(tool: str) -> None:
    """There are no wildcards, blanks or letters of other scripts in a tool's name."""
    with pytest.raises(ConfigInvalid, match="is not a tool name"):
        Grant(tool)


def test_a_decoded_grant_of_a_newer_version_refuses() -> None:
    """An unknown constraint refuses, an unknown field is no grant at all."""
    raw = b'{"tool":"x/y","arguments":{"a":{"of_tomorrow":1}}}'
    grant = msgspec.json.decode(raw, type=Grant)
    (refusal,) = grant.permits({"a": 1})
    assert "does not understand" in refusal.text
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"tool":"x/y","only_on_sundays":true}', type=Grant)


def test_a_copy_of_a_grant_judges_as_the_grant_does() -> None:
    """Copies and replaced fields are compiled again."""
    grant = Grant("x/y", {"a": {"exact": 1}})
    for again in (copy.copy(grant), copy.deepcopy(grant), msgspec.structs.replace(grant)):
        assert again == grant
        assert again.permits({"a": 1}) == ()
        assert again.permits({"a": 2})
    other = msgspec.structs.replace(grant, arguments={"a": {"exact": 2}})
    assert other.permits({"a": 2}) == ()
    assert other != grant


def test_equal_grants_have_equal_digests_whatever_was_left_out() -> None:
    """Defaults written out, the order of keys and 1.0 for 1 make no difference."""
    a = msgspec.json.decode(b'{"tool":"x/y","arguments":{"a":{"exact":1},"b":{"exact":2}}}', type=Grant)
    b = msgspec.json.decode(
        b'{"ceilings":{"calls":null},"arguments":{"b":{"exact":2.0},"a":{"exact":1}},"tool":"x/y","ancestors":[]}',
        type=Grant,
    )
    assert a == b
    assert a.digest == b.digest
    assert a.digest != Grant("x/y", {"a": {"exact": True}, "b": {"exact": 2}}).digest


TEMPLATE = {
    "tool": "files/read",
    "arguments": {
        "path": {"path_under": "contracts/{contract}"},
        "limit": {"optional": {"range": {"min": 1, "max": "{limit}"}}},
        "amount": {"exact": "{amount}"},
    },
    "ceilings": {"calls": "{limit}"},
}


def test_a_template_is_filled_with_typed_values() -> None:
    """A number stays a number; a text is put where it stands."""
    template = GrantTemplate.load(TEMPLATE)
    assert template.placeholders == {"contract", "limit", "amount"}
    grant = template.instantiate({"contract": "C-42", "limit": 3, "amount": 9.5})
    assert grant.permits({"path": "contracts/C-42/a.md", "amount": 9.5, "limit": 3}) == ()
    assert grant.permits({"path": "contracts/C-43/a.md", "amount": 9.5})
    assert grant.permits({"path": "contracts/C-42/a.md", "amount": "9.5"})
    assert grant.calls == 3


def test_an_unknown_placeholder_is_named() -> None:
    """Before any task opens, and again when one does."""
    template = GrantTemplate.load(TEMPLATE)
    template.check({"contract", "limit", "amount", "other"})
    with pytest.raises(ConfigInvalid, match=r"`\{limit\}`"):
        template.check({"contract", "amount"})
    with pytest.raises(ConfigInvalid, match=r"`\{limit\}`"):
        template.instantiate({"contract": "C-42", "amount": 1})


@pytest.mark.parametrize(
    "value",
    ["", ".", "..", "a/b", "../hr", "a\\b", "~", "C:", "a\n", "a\0", "\uff0e\uff0e", "\u202ea", " a", "a ",
     "...", "%2e%2e", "a.", True, None, 1.5, ["a"], "\ud800"],
)  # fmt: skip
def test_a_parameter_that_could_be_more_than_one_name_is_refused(value: Any) -> None:
    """A path component is one plain name."""
    template = GrantTemplate("files/read", {"path": {"path_under": "contracts/{c}"}})
    with pytest.raises(ConfigInvalid, match="`c`"):
        template.instantiate({"c": value})


def test_a_parameter_that_is_declared_as_a_path_may_hold_several_names() -> None:
    """Still relative, and still in normal form."""
    template = GrantTemplate("files/read", {"path": {"path_under": "repos/{p}"}})
    grant = template.instantiate({"p": "a/b"}, paths={"p"})
    assert grant.permits({"path": "repos/a/b/c"}) == ()
    for value in ("../x", "a/../b", "/a", "a//b", "", "a/"):
        with refused("config-invalid", ConfigInvalid):
            template.instantiate({"p": value}, paths={"p"})


@pytest.mark.parametrize(
    ("spec", "value", "permitted", "refused"),
    [
        ({"glob": "a/{x}*"}, "*", "a/*b", "a/b"),
        ({"glob": "{x}/**"}, "[b]", "[b]/c", "b/c"),
        ({"pattern": "{x}+"}, "a.", "a.a.", "ab"),
        ({"pattern": "{x}"}, "a|b", "a|b", "a"),
        ({"pattern": r"\p{Greek}{1,2}{x}"}, "-", "\u03b1-", "-"),
        ({"exact": "{{x}} {x}"}, "v", "{x} v", "v v"),
        ({"exact": "{x}"}, "{y}", "{y}", "y"),
        ({"prefix": "C-{x}/"}, 42, "C-42/a", "C-4/a"),
    ],
)
def test_a_parameter_stands_for_itself(spec: Any, value: Any, permitted: str, refused: str) -> None:
    """Wildcards, operators and braces in it are plain characters."""
    grant = GrantTemplate("x/y", {"a": spec}).instantiate({"x": value})
    assert grant.permits({"a": permitted}) == ()
    assert grant.permits({"a": refused})


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ({"email_domain": ["{x}"]}, ".com"),
        ({"email_domain": ["{x}.example"]}, "evil.example,"),
        ({"url_host": ["{x}.example"]}, "evil.test/"),
        ({"url_host": ["{x}"]}, "evil.test:99"),
        ({"pattern": "[{x}]"}, "a"),
        ({"pattern": "[^{x}]"}, "a"),
        ({"pattern": r"\Q{x}\E"}, "a"),
        ({"range": {"max": "{x}"}}, "9"),
        ({"exact": "{x"}, "a"),
    ],
)
def test_a_parameter_cannot_widen_its_place(spec: Any, value: Any) -> None:
    """No dot for all names below, no second host, no place where a text would be read as a set."""
    with refused("config-invalid", ConfigInvalid):
        GrantTemplate("x/y", {"a": spec}).instantiate({"x": value})


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ({"tool": "files/read", "arguments": {"path": {"path_undr": "a"}}}, "t.arguments.path"),
        (
            {"tool": "files/read", "arguments": {"n": {"range": {"min": "{a}", "top": 3}}}},
            "t.arguments.n.range",
        ),
        ({"tool": "files/read", "ceilings": {"call": 3}}, "t.ceilings"),
        ({"tool": "files/read", "ceilings": {"calls": -1}}, "t.ceilings"),
        ({"tool": "files/read", "argument": {}}, "t"),
        ({"tool": "read"}, "t.tool"),
        ([], "t"),
    ],
)
def test_a_fault_in_a_written_grant_names_its_key(written: Any, key: str) -> None:
    """Placeholders do not hide the other mistakes of a template."""
    with pytest.raises(ConfigInvalid) as caught:
        GrantTemplate.load(written, "t")
    assert caught.value.key.startswith(key)
    with refused("config-invalid", ConfigInvalid):
        Grant.load(written, "t")


def test_a_grant_that_an_agent_asks_for_has_no_placeholders() -> None:
    """Braces in it are plain characters."""
    grant = Grant.load({"tool": "x/y", "arguments": {"a": {"exact": "{b}"}}})
    assert grant.permits({"a": "{b}"}) == ()
