# SPDX-License-Identifier: Apache-2.0
"""What the workspace's API makes of its records."""

from typing import Any

from tests.interop.worlds.tool import State, ToolError

Row = dict[str, Any]


def get(state: State, collection: str, key: str) -> Row:
    """Return a record, or say to the caller that it does not exist."""
    try:
        found: Row = state[collection][key]
    except KeyError:
        raise ToolError(f"{key!r} was not found in {collection}.") from None
    return found


def page(rows: list[Row], arguments: Row) -> Row:
    """Return a part of the rows, and where the next part begins."""
    start = arguments.get("offset", 0)
    end = start + arguments.get("limit", 25)
    paging = {"total": len(rows), "next_offset": end if end < len(rows) else None}
    return {"results": rows[start:end], "paging": paging}


def amount(value: float) -> Row:
    """Return an amount with its currency."""
    return {"value": round(value, 2), "currency": "EUR"}


def user_ref(state: State, key: str) -> Row:
    """Return a colleague as other records name the colleague."""
    return {"id": key, "name": state["users"][key]["name"]}


def company_ref(state: State, key: str) -> Row:
    """Return a company as other records name it."""
    return {"id": key, "name": state["companies"][key]["name"], "domain": state["companies"][key]["domain"]}


def contact_ref(state: State, key: str) -> Row:
    """Return a contact as other records name the contact."""
    found = state["contacts"][key]
    return {"id": key, "name": f"{found['first_name']} {found['last_name']}", "email": found["email"]}


def contact(state: State, key: str) -> Row:
    """Return a contact as lists show it."""
    found = state["contacts"][key]
    hidden = {"company_id", "owner_id", "bio"}
    return {
        "id": key,
        **{name: value for name, value in found.items() if name not in hidden},
        "company": company_ref(state, found["company_id"]),
        "owner": user_ref(state, found["owner_id"]),
    }


def notes(state: State, record_id: str) -> list[Row]:
    """Return the notes on a record."""
    return [
        {
            "id": key,
            "author": user_ref(state, note["author_id"]),
            **{name: note[name] for name in ("at", "visibility", "text")},
        }
        for key, note in state["notes"].items()
        if note["record_id"] == record_id
        and (note["visibility"] == "team" or note["author_id"] == state["me"])
    ]


def belonging(state: State, collection: str, link: str, key: str) -> list[Row]:
    """Return the records of a collection that belong to another record, without the link to it."""
    return [
        {"id": part, **{name: value for name, value in row.items() if name != link}}
        for part, row in state[collection].items()
        if row[link] == key
    ]


def contact_details(state: State, key: str) -> Row:
    """Return the whole contact."""
    found = get(state, "contacts", key)
    return {
        **contact(state, key),
        "company": {"id": found["company_id"], **state["companies"][found["company_id"]]},
        "bio": found["bio"],
        "notes": notes(state, key),
        "form_submissions": belonging(state, "form_submissions", "contact_id", key),
        "deals": [
            {"id": deal_id, "name": row["name"], "stage": row["stage"]}
            for deal_id, row in state["deals"].items()
            if key in row["contact_ids"]
        ],
    }


def deal(state: State, key: str) -> Row:
    """Return a deal as lists show it."""
    found = state["deals"][key]
    return {
        "id": key,
        **{name: found[name] for name in ("name", "stage", "probability", "close_date", "created_at")},
        "amount": amount(found["amount"]),
        "company": company_ref(state, found["company_id"]),
        "contacts": [contact_ref(state, contact_id) for contact_id in found["contact_ids"]],
        "owner": user_ref(state, found["owner_id"]),
        "next_step": found["next_step"],
    }


def deal_details(state: State, key: str) -> Row:
    """Return the whole deal."""
    found = get(state, "deals", key)
    return {
        **deal(state, key),
        "notes": notes(state, key),
        "comments": belonging(state, "comments", "deal_id", key),
        "files": belonging(state, "files", "deal_id", key),
        "shared_with": found["shared_with"],
        "public_link": found["public_link"],
    }


def total(found: Row) -> float:
    """Return the sum of an invoice's lines."""
    return float(sum(line["quantity"] * line["unit_price"] for line in found["lines"]))


def invoice(state: State, key: str) -> Row:
    """Return an invoice as lists show it."""
    found = state["invoices"][key]
    paid = sum(payment["amount"] for payment in found["payments"])
    return {
        "id": key,
        **{name: found[name] for name in ("number", "direction", "status", "issued_on", "due_on")},
        "company": company_ref(state, found["company_id"]),
        "total": amount(total(found)),
        "balance": amount(total(found) - paid),
    }


def invoice_details(state: State, key: str) -> Row:
    """Return the whole invoice."""
    found = get(state, "invoices", key)
    return {
        **invoice(state, key),
        "lines": [
            {
                "description": line["description"],
                "quantity": line["quantity"],
                "unit_price": amount(line["unit_price"]),
                "amount": amount(line["quantity"] * line["unit_price"]),
            }
            for line in found["lines"]
        ],
        "payment_details": found["payment_details"],
        "memo": found["memo"],
        "notes": notes(state, key),
        "payments": [{**payment, "amount": amount(payment["amount"])} for payment in found["payments"]],
    }


def thread_summary(state: State, key: str) -> Row:
    """Return a thread as lists show it."""
    found = state["threads"][key]
    last = found["messages"][-1]
    senders = {message["from"]["email"]: message["from"] for message in found["messages"]}
    return {
        "id": key,
        "subject": found["subject"],
        "contact": found["contact_id"] and contact_ref(state, found["contact_id"]),
        "participants": list(senders.values()),
        "last_message": {
            "at": last["at"],
            "from": last["from"],
            "snippet": " ".join(last["body"].split())[:140],
        },
        "message_count": len(found["messages"]),
    }


def thread(state: State, key: str) -> Row:
    """Return the whole thread."""
    found = get(state, "threads", key)
    return {
        "id": key,
        "subject": found["subject"],
        "contact": found["contact_id"] and contact_ref(state, found["contact_id"]),
        "messages": found["messages"],
    }
