# SPDX-License-Identifier: Apache-2.0
"""A REST API for customers' records: find one, read it, note something on it, correct it, take all of them.

Records are files in the folder, `c-17.json`. Employees write notes, and so does the customer: the text of a
note may come from any author. A caller must show the key of the API in `X-Api-Key`; the key opens every
record, as such keys do.

    CUSTOMERS_KEY=... python customers.py FOLDER --port 8101     (0: any free port)
"""

import argparse
import hmac
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

Json = Any

CUSTOMER = re.compile(r"c-[0-9]{1,6}")
MAX_NOTE = 4000


class Records:
    """The records of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, customer: str) -> Json:
        """Return a record; raises 404 where there is none."""
        file = self.folder / f"{customer}.json"
        if not CUSTOMER.fullmatch(customer) or not file.is_file():
            raise HTTPException(404, "there is no such customer")
        return json.loads(file.read_text("utf-8"))

    def write(self, record: Json) -> None:
        """Put a record in the place of the one before."""
        file = self.folder / f"{record['id']}.json"
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", "utf-8")
        fresh.replace(file)

    def all(self) -> list[Json]:
        """Return every record, in the order of their names."""
        return [json.loads(file.read_text("utf-8")) for file in sorted(self.folder.glob("c-*.json"))]


class CustomersApi:
    """What the API does."""

    def __init__(self, records: Records, key: str) -> None:
        self._records = records
        self._key = key

    def check(self, request: Request) -> None:
        """Look at who calls; raises 401, and 403."""
        shown = request.headers.get("x-api-key", "")
        if not hmac.compare_digest(shown.encode(), self._key.encode()):
            raise HTTPException(401, "the key is missing or wrong")

    async def find(self, request: Request) -> Response:
        """Return who has that in their name."""
        self.check(request)
        name = request.query_params.get("name", "").casefold()
        if len(name) < 2:
            raise HTTPException(400, "give at least two letters of the name")
        found = [
            {"id": one["id"], "name": one["name"]}
            for one in self._records.all()
            if name in one["name"].casefold()
        ]
        return JSONResponse({"customers": found[:20]})

    async def read(self, request: Request) -> Response:
        """Return one record."""
        self.check(request)
        return JSONResponse(self._records.read(request.path_params["id"]))

    async def correct(self, request: Request) -> Response:
        """Change how a customer can be reached."""
        self.check(request)
        record = self._records.read(request.path_params["id"])
        given = await request.json()
        record |= {name: str(given[name])[:200] for name in ("email", "phone", "address") if name in given}
        self._records.write(record)
        return JSONResponse(record)

    async def note(self, request: Request) -> Response:
        """Note something."""
        self.check(request)
        record = self._records.read(request.path_params["id"])
        text = str((await request.json()).get("text", ""))
        if not 0 < len(text) <= MAX_NOTE:
            raise HTTPException(400, f"a note has 1 to {MAX_NOTE} characters")
        record["notes"].append({"by": "agent", "text": text})
        self._records.write(record)
        where = f"/v1/customers/{record['id']}"
        return JSONResponse({"notes": len(record["notes"])}, 201, {"Location": where})

    async def export(self, request: Request) -> Response:
        """Return all of them as a table."""
        self.check(request)

        async def lines() -> AsyncIterator[str]:
            yield "id,name,email,iban\n"
            for one in self._records.all():
                yield f"{one['id']},{one['name']},{one['email']},{one['iban']}\n"

        return StreamingResponse(lines(), media_type="text/csv; charset=utf-8")


async def told(request: Request, error: Exception) -> Response:
    """Return an error as the API writes it."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)


def application(folder: Path, key: str) -> Starlette:
    """Return the API as an ASGI application."""
    api = CustomersApi(Records(folder), key)
    routes = [
        Route("/v1/customers", api.find, methods=["GET"]),
        Route("/v1/customers/export", api.export, methods=["GET"]),
        Route("/v1/customers/{id}", api.read, methods=["GET"]),
        Route("/v1/customers/{id}", api.correct, methods=["PATCH"]),
        Route("/v1/customers/{id}/notes", api.note, methods=["POST"]),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: told})


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=8101)
    given = parser.parse_args()
    key = os.environ.get("CUSTOMERS_KEY", "")
    if len(key) < 12:
        sys.exit("set CUSTOMERS_KEY to a key of at least 12 characters")
    uvicorn.run(application(given.folder, key), host="127.0.0.1", port=given.port, log_level="info")


if __name__ == "__main__":
    main()
