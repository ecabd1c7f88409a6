# SPDX-License-Identifier: Apache-2.0
"""Write what clients see of each world's tools.

python -m tests.interop.worlds schemas
"""

import argparse
import json

from tests.interop.worlds.tool import HERE, World, names, world


def schemas(found: World) -> str:
    """Return the tools of a world as JSON, as a client lists them."""
    listed = [
        {
            "name": tool.name,
            "description": tool.description,
            "inputSchema": tool.input_schema,
            **({"outputSchema": tool.output_schema} if tool.output_schema else {}),
        }
        for tool in found.TOOLS
    ]
    return json.dumps(listed, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.interop.worlds")
    parser.add_argument("what", choices=["schemas"])
    parser.parse_args()
    for name in names():
        (HERE / name / "schemas.json").write_text(schemas(world(name)), encoding="utf-8")


if __name__ == "__main__":
    main()
