# SPDX-License-Identifier: Apache-2.0
"""Words that docstrings, comments, messages and pages do without, each with what to write instead."""

#: A pattern, in lower case, and what to write instead.
AVOIDED = {
    "nobody": "`no one`, or name who it is: no agent, no caller, no person",
    "whoever": "name who it is: the caller, the person who ..., an attacker who ...",
    "(?<!for )(?<!by )(?<!to )(?<!of )whom": "another order of words, or name who it is",
    "somebody": "a person, an operator, another process",
    "anybody": "any caller, any person",
    "everybody": "all callers, all people",
    "anew": "again",
    r"of (?:its|their|an) own(?! \w)": "its own, separate",
    "way out": "remediation, or name it",
    "forthwith": "at once",
    "thereof": "of it",
    "therein": "in it",
    "whereof": "of which",
}
