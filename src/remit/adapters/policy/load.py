# SPDX-License-Identifier: Apache-2.0
"""What every engine does when it loads policies: the tools that rules may name, and the first error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from remit.core.errors import ConfigInvalid
from remit.core.tasks.plan import PLAN_TOOL
from remit.core.tools.tool import Tool
from remit.ports.policy import Problem


def with_plan(tools: Sequence[Tool]) -> Sequence[Tool]:
    """Return the tools including remit's own plan tool: rules may refer to the plan in every check."""
    return tools if any(tool.id == PLAN_TOOL.id for tool in tools) else (*tools, PLAN_TOOL)


def raise_first(problems: Iterable[Problem]) -> None:
    """Raise `ConfigInvalid` with the first error, if there is one."""
    for problem in problems:
        if problem.severity == "error":
            raise ConfigInvalid(
                problem.text,
                file=problem.file,
                line=problem.line,
                key=problem.rule,
                remediation=problem.remediation,
            )
