# SPDX-License-Identifier: Apache-2.0
"""The solver that Cedar's symbolic compiler calls: an SMT-LIB 2 program over cvc5's Python module.

The module comes as a wheel, the program `cvc5` does not. The compiler writes commands and waits after each
that has an answer. The process has limits and no network: `symbolic_compiler` starts it.
"""

from __future__ import annotations

import resource
import sys
from typing import Final

MAX_MEMORY_BYTES: Final = 2 << 30
#: The commands that have an answer. Cedar's compiler writes each on a line that begins with it.
_ANSWERED: Final = ("(check-sat", "(get-", "(exit", "(echo")
_TIME_LIMIT: Final = "--tlimit="


def main(arguments: list[str]) -> int:
    """Answer the commands on standard input; return the exit status."""
    import cvc5

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    solver = cvc5.Solver()
    for one in arguments:
        if one.startswith(_TIME_LIMIT):
            solver.setOption("tlimit", one.removeprefix(_TIME_LIMIT))
    parser = cvc5.InputParser(solver)
    pending: list[str] = []
    for line in sys.stdin:
        pending.append(line)
        if not line.startswith(_ANSWERED):
            continue
        parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, "".join(pending), "commands")
        pending.clear()
        while not (command := parser.nextCommand()).isNull():
            sys.stdout.write(command.invoke(solver, parser.getSymbolManager()))
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
