# SPDX-License-Identifier: Apache-2.0
"""Tries what an agent could do without remit: reach an upstream, read a file, start a program.

`remit doctor --bypass` sends this file to the agent's place, where only Python is needed: no module of remit,
and nothing that is newer than Python 3.8. It changes nothing, and reads no more than a first byte. A call of
`main` with the targets is appended: a shell on the way, such as that of `ssh`, would change an argument.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import ssl
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

WAIT_S = 5
MAX_WORDS = 200
ASKED = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "remit-doctor", "version": "1"},
    },
}


def reach(target: Any) -> str:
    """Return `answers`, `refuses` (a credential is needed), `connects`, or why there is no way."""
    said = [_connected(target["url"])]
    if target["kind"] != "port":
        if said == ["connects"]:
            said.append(_asked(target, {}))
        if urllib.request.getproxies():
            said.append(_asked(target, urllib.request.getproxies()))
    for one in ("answers", "refuses", "connects"):
        if one in said:
            return one
    return said[0]


def _connected(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "postgresql": 5432, "postgres": 5432}.get(parts.scheme, 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=WAIT_S).close()
    except OSError as fault:
        return fault.strerror or str(fault)
    return "connects"


def _asked(target: Any, proxies: Any) -> str:
    body = json.dumps(ASKED).encode() if target["kind"] == "mcp" else None
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    request = urllib.request.Request(target["url"], data=body, headers=headers)  # noqa: S310 - of the configuration
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
    try:
        with opener.open(request, timeout=WAIT_S):
            return "answers"
    except urllib.error.HTTPError as fault:
        return "refuses" if fault.code in (401, 403, 407) else "answers"
    except (OSError, ValueError, http.client.HTTPException) as fault:
        # Another protocol, or no answer in time: `reach` has connected before.
        why = getattr(fault, "reason", fault)
        return "connects" if isinstance(why, ssl.SSLError) else str(why)[:MAX_WORDS]


def try_one(target: Any) -> str:
    """Return what came of one target."""
    if target["kind"] in ("mcp", "http", "port"):
        return reach(target)
    if target["kind"] == "program":
        found = shutil.which(target["program"], path=os.environ.get("PATH", os.defpath))
        return "starts" if found else "it is not here"
    if target["kind"] == "process":
        return "reads" if _reads(f"/proc/{target['pid']}/environ") else "it cannot be looked into"
    if target["kind"] == "file" and os.access(target["path"], os.W_OK):
        return "writes"
    return "reads" if _reads(target["path"]) else "it cannot be read"


def _reads(path: str) -> bool:
    if os.path.isdir(path):
        return os.access(path, os.R_OK | os.X_OK)
    try:
        with open(path, "rb") as opened:
            opened.read(1)
    except OSError:
        return False
    return True


def main(listed: str) -> None:
    """Try the targets that a JSON text lists; print who this is and what came of each, as JSON."""
    targets = json.loads(listed)
    with ThreadPoolExecutor(16) as beside:
        came = list(beside.map(try_one, targets))
    user = os.geteuid() if hasattr(os, "geteuid") else None
    sys.stdout.write(json.dumps({"user": user, "host": socket.gethostname(), "came": came}))
