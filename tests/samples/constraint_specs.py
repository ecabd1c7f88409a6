# SPDX-License-Identifier: Apache-2.0
"""Constraints, arguments and ceilings of every shape, for hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from remit.core.errors import ConfigInvalid
from remit.core.tasks.grant import Ceilings
from remit.core.tools.constraint import load

# A small world, so that values meet constraints often.
NAMES = st.sampled_from(["a", "b", "A", "ab", "x", ".a", "a~1"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join) | st.sampled_from([".", "/", "/a", "/a/b"])
TEXTS = st.sampled_from(["a", "ab", "A", "a ", "", "b", "a\n", "\uff41", "a@b.example", "a@x.b.example"])
NUMBERS = st.integers(-3, 3) | st.sampled_from([0.5, 1.0, -0.0, 2.5])
URLS = st.sampled_from(
    ["http://b.example/", "https://x.b.example:8443/", "https://b.example:443/", "http://1.2.3.4/"]
)
SCALARS = PATHS | TEXTS | NUMBERS | URLS | st.booleans() | st.none()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("pq"), inner, max_size=2),
    max_leaves=4,
)
DOMAINS = st.lists(
    st.sampled_from(["b.example", ".b.example", "x.b.example", ".x.b.example"]), min_size=1, max_size=2
)
HOSTS = st.lists(
    st.sampled_from(
        ["b.example", ".b.example", "x.b.example:8443", ".b.example:8443", "1.2.3.4", "b.example:443"]
    ),
    min_size=1,
    max_size=2,
)
GLOBS = st.lists(st.sampled_from(["a", "*", "**", "?", "a*", ".a", "b"]), min_size=1, max_size=3).map(
    "/".join
)


def _bounds(low: Any, high: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from([low, high]), st.integers(0, 3), min_size=1)


LEAVES = st.one_of(
    VALUES.map(lambda v: {"exact": v}),
    st.lists(SCALARS, min_size=1, max_size=3).map(lambda v: {"one_of": v}),
    st.sampled_from(["a", "b", "a@", "http"]).map(lambda v: {"prefix": v}),
    PATHS.map(lambda v: {"path_under": v}),
    (GLOBS | GLOBS.map("/{}".format)).map(lambda v: {"glob": v}),
    st.sampled_from(["a.*", "(?i)a+", "[ab]*", "(?s).*", "a/(a|b)"]).map(lambda v: {"pattern": v}),
    st.tuples(st.sampled_from(["min", "exclusive_min"]), NUMBERS).map(lambda v: {"range": dict([v])}),
    st.tuples(st.sampled_from(["max", "exclusive_max"]), NUMBERS).map(lambda v: {"range": dict([v])}),
    _bounds("min", "max").map(lambda v: {"length": v}),
    DOMAINS.map(lambda v: {"email_domain": v}),
    HOSTS.map(lambda v: {"url_host": v}),
    HOSTS.map(lambda v: {"url_host": {"hosts": v, "schemes": ["https"]}}),
    st.just({"anything": {}}),
)


def _compose(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        several.map(lambda v: {"all": v}),
        several.map(lambda v: {"any": v}),
        inner.map(lambda v: {"not": v}),
        inner.map(lambda v: {"each": v}),
        st.dictionaries(st.sampled_from("pq"), inner | inner.map(lambda v: {"optional": v}), max_size=2).map(
            lambda v: {"fields": v}
        ),
    )


def _loads(spec: Any) -> bool:
    try:
        load(spec)
    except ConfigInvalid:
        return False
    return True


TREES = st.recursive(LEAVES, _compose, max_leaves=6).filter(_loads)
SPECS = TREES | TREES.map(lambda v: {"optional": v})
ARGUMENTS = st.dictionaries(st.sampled_from(["p", "q", "P"]), VALUES, max_size=3)
CEILINGS = st.builds(
    Ceilings,
    calls=st.none() | st.integers(0, 5),
    amount=st.dictionaries(st.sampled_from(["p", "q"]), st.integers(0, 3), max_size=1),
    result_class=st.none() | st.sampled_from(["public", "internal"]),
)
