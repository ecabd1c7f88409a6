# SPDX-License-Identifier: Apache-2.0
"""Argument constraints: a grant's conditions on one argument of a call.

The written form is a mapping of one key, the kind:

    exact: v                the value v, type included
    one_of: [v, ...]        one of these
    prefix: text            a string that begins so (for paths: path_under)
    path_under: dir         a path in normal form, this directory or inside it
    glob: a/*/**/b?.md      a path in normal form that matches as a whole
    pattern: regexp         a string that matches as a whole (RE2)
    range: {min, max, exclusive_min, exclusive_max}        a number
    length: {min, max}      of a string or an array
    email_domain: [d, ...]  exactly one mail address, in one of these domains
    url_host: [h, ...]      an absolute URL with one of these hosts (or {hosts, schemes})
    each: c                 an array whose every element fits
    fields: {name: c}       an object with these fields only
    all: [c, ...]   any: [c, ...]   not: c
    optional: c             the argument may be absent
    anything: {}            every value, or none

A judgement has three possible answers, and only `Verdict.YES` permits. `load` parses a constraint that a
person wrote, `decode` one from a token or the store.
"""

from remit.core.tools.constraint.address import EmailDomain, UrlHost
from remit.core.tools.constraint.base import Constraint, Verdict, shown
from remit.core.tools.constraint.composed import (
    AllOf,
    AnyOf,
    Anything,
    Not,
    NotUnderstood,
    OptionalArgument,
)
from remit.core.tools.constraint.parsing import KINDS, decode, load
from remit.core.tools.constraint.path import Glob, PathUnder, path_fault
from remit.core.tools.constraint.placeholder import Parameters, fill, fill_value, names_in, sample
from remit.core.tools.constraint.prefix import Prefix
from remit.core.tools.constraint.structure import Each, Fields, Length, Range
from remit.core.tools.constraint.subset import Subset, is_subset
from remit.core.tools.constraint.text import Exact, OneOf, Pattern, folded, hidden

__all__ = [
    "KINDS",
    "AllOf",
    "AnyOf",
    "Anything",
    "Constraint",
    "Each",
    "EmailDomain",
    "Exact",
    "Fields",
    "Glob",
    "Length",
    "Not",
    "NotUnderstood",
    "OneOf",
    "OptionalArgument",
    "Parameters",
    "PathUnder",
    "Pattern",
    "Prefix",
    "Range",
    "Subset",
    "UrlHost",
    "Verdict",
    "decode",
    "fill",
    "fill_value",
    "folded",
    "hidden",
    "is_subset",
    "load",
    "names_in",
    "path_fault",
    "sample",
    "shown",
]
