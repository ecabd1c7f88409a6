# SPDX-License-Identifier: Apache-2.0
"""A REST agent that knows nothing of remit: it asks one address after another, and prints what came back.

    remit run ... -- python agent.py "GET customers/customers/c-17" 'POST payments/payments {"payee": "..."}'

The addresses lie below `REMIT_HTTP_URL`; there is no token, and no credential of any API.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from typing import Any

Json = Any


def ask(base: str, line: str) -> Json:
    """Make one request, written as method, address and body."""
    method, _, rest = line.partition(" ")
    address, _, body = rest.partition(" ")
    request = urllib.request.Request(f"{base}/{address}", method=method)  # noqa: S310 - remit's own address
    if body:
        request.data = body.encode()
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            status, headers, content = answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as refused:
        status, headers, content = refused.code, refused.headers, refused.read()
    kind = headers.get_content_type()
    said = json.loads(content) if kind.endswith("json") else content.decode()
    return {"asked": line, "status": status, "location": headers.get("Location", ""), "said": said}


def main() -> None:
    """Ask, in order."""
    # A proxy of the environment is none of ours.
    urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))
    for line in sys.argv[1:]:
        print(json.dumps(ask(os.environ["REMIT_HTTP_URL"], line)))


if __name__ == "__main__":
    main()
