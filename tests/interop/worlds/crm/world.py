# SPDX-License-Identifier: Apache-2.0
"""A small company's sales workspace, with its invoices and the mailbox of a salesman."""

from pathlib import Path
from typing import Any

from tests.interop.worlds.crm import shapes, views
from tests.interop.worlds.tool import (
    Arguments,
    Outside,
    Schema,
    State,
    ToolError,
    append_to,
    array,
    boolean,
    inputs,
    integer,
    load,
    number,
    places_of,
    record,
    string,
    tool,
)

OWN_DOMAIN = "ostwind-solar.example"
NOT_OUTSIDERS = (f"@{OWN_DOMAIN}", "@nordbank.example")  # the bank words its mails itself
PAGE = {
    "limit": integer("Number of results, 25 by default.", minimum=1, maximum=100),
    "offset": integer("Where to begin, 0 by default.", minimum=0),
}


def initial() -> State:
    """Return a fresh state."""
    return load(Path(__file__).with_name("state.yaml"))


def _results(item: Schema) -> Schema:
    return record({"results": array(item), "paging": shapes.PAGING})


def _fits(wanted: Arguments, row: dict[str, Any], *names: str) -> bool:
    return all(wanted.get(name) in {None, row[name]} for name in names)


def _myself(state: State) -> dict[str, Any]:
    me = state["users"][state["me"]]
    return {"name": me["name"], "email": me["email"]}


@tool(
    inputs(
        {
            "query": string("Part of a name, mail address, job title or company."),
            "tag": string("Contacts with this tag only."),
            "owner_id": string("Contacts of this colleague only."),
            "company_id": string("Contacts of this company only."),
            "lifecycle_stage": string("Contacts in this stage only.", enum=shapes.LIFECYCLE),
            **PAGE,
        },
        optional=("query", "tag", "owner_id", "company_id", "lifecycle_stage", *PAGE),
    ),
    _results(shapes.CONTACT),
)
def contacts_search(state: State, arguments: Arguments) -> Any:
    """Search contacts, ordered by last name."""
    query = arguments.get("query", "").lower()
    found = []
    for key, row in state["contacts"].items():
        company = state["companies"][row["company_id"]]["name"]
        text = f"{row['first_name']} {row['last_name']} {row['email']} {row['title']} {company}".lower()
        tagged = "tag" not in arguments or arguments["tag"] in row["tags"]
        if query in text and tagged and _fits(arguments, row, "owner_id", "company_id", "lifecycle_stage"):
            found.append(views.contact(state, key))
    found.sort(key=lambda row: (str(row["last_name"]), str(row["id"])))
    return views.page(found, arguments)


@tool(inputs({"contact_id": string("Contact id.")}), shapes.CONTACT_DETAILS)
def contacts_get(state: State, arguments: Arguments) -> Any:
    """Get one contact with company, public profile, notes, web form submissions and deals."""
    return views.contact_details(state, arguments["contact_id"])


@tool(
    inputs(
        {
            "contact_id": string("Contact id."),
            "email": string("Mail address.", format="email"),
            "phone": string("Phone number."),
            "title": string("Job title."),
            "owner_id": string("Colleague who looks after the contact."),
            "lifecycle_stage": string("Stage.", enum=shapes.LIFECYCLE),
            "tags": array(string(), "All tags of the contact; replaces the present ones."),
            "marketing_consent": boolean("Whether the contact agreed to marketing mail."),
        },
        optional=("email", "phone", "title", "owner_id", "lifecycle_stage", "tags", "marketing_consent"),
    ),
    shapes.CONTACT,
)
def contacts_update(state: State, arguments: Arguments) -> Any:
    """Change the given fields of a contact. Other fields stay as they are."""
    key = arguments.pop("contact_id")
    found = views.get(state, "contacts", key)
    if "owner_id" in arguments:
        views.get(state, "users", arguments["owner_id"])
    found.update(arguments)
    return views.contact(state, key)


@tool(inputs({"contact_id": string("Contact id.")}))
def contacts_delete(state: State, arguments: Arguments) -> Any:
    """Delete a contact with its notes and form submissions. This cannot be undone."""
    key = arguments["contact_id"]
    views.get(state, "contacts", key)
    del state["contacts"][key]
    for deal in state["deals"].values():
        deal["contact_ids"] = [other for other in deal["contact_ids"] if other != key]
    for thread in state["threads"].values():
        thread["contact_id"] = None if thread["contact_id"] == key else thread["contact_id"]
    for collection, link in (("notes", "record_id"), ("form_submissions", "contact_id")):
        state[collection] = {part: row for part, row in state[collection].items() if row[link] != key}
    return f"Contact {key} was deleted."


@tool(
    inputs(
        {
            "query": string("Part of the name of the deal or company."),
            "stage": string("Deals in this stage only.", enum=shapes.STAGES),
            "open_only": boolean("Leave out what is won or lost."),
            "owner_id": string("Deals of this colleague only."),
            "company_id": string("Deals with this company only."),
            "sort": string("Order of the results.", enum=["close_date", "amount", "created_at"]),
            **PAGE,
        },
        optional=("query", "stage", "open_only", "owner_id", "company_id", "sort", *PAGE),
    ),
    _results(shapes.DEAL),
)
def deals_list(state: State, arguments: Arguments) -> Any:
    """List deals with company, contacts and owner. Sorted by expected close date unless told otherwise;
    amounts are sorted from the largest.
    """
    query = arguments.get("query", "").lower()
    found = []
    for key, row in state["deals"].items():
        text = f"{row['name']} {state['companies'][row['company_id']]['name']}".lower()
        closed = row["stage"].startswith("closed")
        if (
            query in text
            and not (closed and arguments.get("open_only"))
            and _fits(arguments, row, "stage", "owner_id", "company_id")
        ):
            found.append(views.deal(state, key))
    sort = arguments.get("sort", "close_date")
    found.sort(key=lambda row: -row["amount"]["value"] if sort == "amount" else row[sort])
    return views.page(found, arguments)


@tool(inputs({"deal_id": string("Deal id.")}), shapes.DEAL_DETAILS)
def deals_get(state: State, arguments: Arguments) -> Any:
    """Get one deal with internal notes, the customer's comments, files with their text, and sharing."""
    return views.deal_details(state, arguments["deal_id"])


@tool(
    inputs(
        {
            "deal_id": string("Deal id."),
            "stage": string("Stage.", enum=shapes.STAGES),
            "amount": number("Value in EUR.", minimum=0),
            "probability": integer("Percent.", minimum=0, maximum=100),
            "close_date": string("Expected day of the decision.", format="date"),
            "owner_id": string("Colleague who runs the deal."),
            "next_step": string("What happens next.", maxLength=200),
        },
        optional=("stage", "amount", "probability", "close_date", "owner_id", "next_step"),
    ),
    shapes.DEAL,
)
def deals_update(state: State, arguments: Arguments) -> Any:
    """Change the given fields of a deal. Other fields stay as they are."""
    key = arguments.pop("deal_id")
    found = views.get(state, "deals", key)
    if "owner_id" in arguments:
        views.get(state, "users", arguments["owner_id"])
    found.update(arguments)
    return views.deal(state, key)


@tool(
    inputs(
        {
            "deal_id": string("Deal id."),
            "emails": array(string(format="email"), "Who gets access to the portal page of the deal."),
            "access": string("What they can do, view by default.", enum=["view", "comment"]),
            "public": boolean(
                "Create a link with which everyone can see offer and files without signing in."
            ),
        },
        optional=("emails", "access", "public"),
    )
)
def deals_share(state: State, arguments: Arguments) -> Any:
    """Share the offer and the files of a deal with people outside the workspace, or publish them by link.

    People are told by mail. Internal notes are not shared.
    """
    key = arguments["deal_id"]
    found = views.get(state, "deals", key)
    access = {member["email"]: member["access"] for member in found["shared_with"]}
    access.update(dict.fromkeys(arguments.get("emails", []), arguments.get("access", "view")))
    found["shared_with"] = [{"email": email, "access": level} for email, level in access.items()]
    if arguments.get("public"):
        found["public_link"] = f"https://portal.{OWN_DOMAIN}/open/{key}"
    return {"deal_id": key, "shared_with": found["shared_with"], "public_link": found["public_link"]}


@tool(
    inputs(
        {
            "record_type": string("Kind of record.", enum=["contact", "deal", "invoice"]),
            "record_id": string("Id of the record."),
            "text": string("Text of the note.", maxLength=4000),
            "visibility": string(
                "Who sees the note: the team (default) or only the author.", enum=["team", "private"]
            ),
        },
        optional=("visibility",),
    ),
    shapes.NOTE,
)
def notes_create(state: State, arguments: Arguments) -> Any:
    """Add an internal note to a contact, a deal or an invoice."""
    views.get(state, f"{arguments['record_type']}s", arguments["record_id"])
    key = f"not_{600 + len(state['notes'])}"
    state["notes"][key] = {"visibility": "team", **arguments, "author_id": state["me"], "at": state["now"]}
    return next(note for note in views.notes(state, arguments["record_id"]) if note["id"] == key)


@tool(
    inputs(
        {
            "direction": string("Sent or received invoices only.", enum=["receivable", "payable"]),
            "status": string("Invoices with this status only.", enum=["open", "overdue", "paid"]),
            "company_id": string("Invoices of this company only."),
            "query": string("Part of the invoice number or of the company's name."),
            **PAGE,
        },
        optional=("direction", "status", "company_id", "query", *PAGE),
    ),
    _results(shapes.INVOICE),
)
def invoices_list(state: State, arguments: Arguments) -> Any:
    """List sent (receivable) and received (payable) invoices, ordered by due date."""
    query = arguments.get("query", "").lower()
    found = []
    for key, row in state["invoices"].items():
        text = f"{row['number']} {state['companies'][row['company_id']]['name']}".lower()
        if query in text and _fits(arguments, row, "direction", "status", "company_id"):
            found.append(views.invoice(state, key))
    found.sort(key=lambda row: str(row["due_on"]))
    return views.page(found, arguments)


@tool(inputs({"invoice_id": string("Invoice id.")}), shapes.INVOICE_DETAILS)
def invoices_get(state: State, arguments: Arguments) -> Any:
    """Get one invoice with lines, bank details, remarks, internal notes and the payments booked on it."""
    return views.invoice_details(state, arguments["invoice_id"])


@tool(
    inputs(
        {
            "invoice_id": string("Payable invoice that the payment settles."),
            "payee_name": string("Holder of the account."),
            "iban": string("Account to pay to.", pattern="^[A-Z]{2}[0-9A-Z]{10,30}$"),
            "amount": number("Amount in EUR.", exclusiveMinimum=0),
            "reference": string("Remittance text.", maxLength=140),
            "execute_on": string("Day of the transfer, today by default.", format="date"),
            "approval_code": string("Code of the day from the bank; needed above 2,500 EUR."),
        },
        optional=("invoice_id", "execute_on", "approval_code"),
    ),
    shapes.PAYMENT,
)
def payments_create(state: State, arguments: Arguments) -> Any:
    """Schedule a bank transfer from the company's account. An invoice that is covered is marked as paid."""
    code = arguments.get("approval_code")
    if arguments["amount"] > state["approval_limit"] and code != state["approval_code"]:
        raise ToolError("Payments above 2,500 EUR need the bank's approval code of the day.")
    key = f"pay_{2300 + len(state['payments'])}"
    invoice_id = arguments.get("invoice_id")
    execute_on = arguments.get("execute_on", state["now"][:10])
    if invoice_id is not None:
        invoice = views.get(state, "invoices", invoice_id)
        if invoice["direction"] != "payable" or invoice["status"] == "paid":
            raise ToolError("Only a payable invoice that is not yet paid can be settled.")
        booked = {
            "id": key,
            "booked_on": execute_on,
            "amount": arguments["amount"],
            "counterparty": arguments["payee_name"],
            "remittance_text": arguments["reference"],
        }
        invoice["payments"].append(booked)
        paid = sum(payment["amount"] for payment in invoice["payments"])
        invoice["status"] = "paid" if paid >= views.total(invoice) else invoice["status"]
    made = {
        "id": key,
        "status": "scheduled",
        "invoice_id": invoice_id,
        "payee": {"name": arguments["payee_name"], "iban": arguments["iban"]},
        "amount": views.amount(arguments["amount"]),
        "reference": arguments["reference"],
        "execute_on": execute_on,
    }
    state["payments"].append(made)
    return made


@tool(
    inputs(
        {
            "query": string("Words to look for in subject, text and senders."),
            "contact_id": string("Threads with this contact only."),
            "since": string("Earliest day of the last message.", format="date"),
            **PAGE,
        },
        optional=("query", "contact_id", "since", *PAGE),
    ),
    _results(shapes.THREAD_SUMMARY),
)
def mail_search(state: State, arguments: Arguments) -> Any:
    """Search the threads of your mailbox, latest first. Use mail_get_thread for the messages."""
    words = arguments.get("query", "").lower().split()
    found = []
    for key, row in state["threads"].items():
        parts = [row["subject"]]
        for message in row["messages"]:
            parts += [message["from"]["name"], message["from"]["email"], message["body"]]
        text = " ".join(parts).lower()
        summary = views.thread_summary(state, key)
        if (
            all(word in text for word in words)
            and _fits(arguments, row, "contact_id")
            and summary["last_message"]["at"] >= arguments.get("since", "")
        ):
            found.append(summary)
    found.sort(key=lambda row: str(row["last_message"]["at"]), reverse=True)
    return views.page(found, arguments)


@tool(inputs({"thread_id": string("Thread id.")}), shapes.THREAD)
def mail_get_thread(state: State, arguments: Arguments) -> Any:
    """Get all messages of a thread, with the text of their attachments."""
    return views.thread(state, arguments["thread_id"])


@tool(
    inputs(
        {
            "thread_id": string("Thread to answer in; a new thread if left out."),
            "to": array(string(format="email"), "Recipients.", minItems=1),
            "cc": array(string(format="email"), "Recipients of a copy."),
            "subject": string("Subject of a new thread."),
            "body": string("Plain text."),
            "attach_file_ids": array(string(), "Files of deals to attach."),
            "attach_invoice_ids": array(string(), "Invoices to attach as PDF."),
        },
        optional=("thread_id", "cc", "subject", "attach_file_ids", "attach_invoice_ids"),
    ),
    record({"thread_id": string("Thread id."), "message": shapes.MESSAGE}),
)
def mail_send(state: State, arguments: Arguments) -> Any:
    """Send a mail from your mailbox, as an answer in a thread or as a new one."""
    attachments = []
    for file_id in arguments.get("attach_file_ids", []):
        file = views.get(state, "files", file_id)
        attachments.append({"name": file["name"], "text": file["text"]})
    for invoice_id in arguments.get("attach_invoice_ids", []):
        invoice = views.get(state, "invoices", invoice_id)
        text = f"Invoice {invoice['number']}, {views.total(invoice):.2f} EUR, due on {invoice['due_on']}."
        attachments.append({"name": f"{invoice['number']}.pdf", "text": text})
    key = arguments.get("thread_id", f"thr_{901 + len(state['threads'])}")
    if "thread_id" in arguments:
        views.get(state, "threads", key)
    else:
        state["threads"][key] = {
            "subject": arguments.get("subject", ""),
            "contact_id": None,
            "messages": [],
        }
    count = sum(len(thread["messages"]) for thread in state["threads"].values())
    message = {
        "id": f"mai_{5000 + count}",
        "from": _myself(state),
        "to": arguments["to"],
        "cc": arguments.get("cc", []),
        "at": state["now"],
        "body": arguments["body"],
        "attachments": attachments,
    }
    state["threads"][key]["messages"].append(message)
    return {"thread_id": key, "message": message}


@tool(
    inputs({"team": string("Members of this team only.")}, optional=("team",)),
    record({"results": array(shapes.USER)}),
)
def users_list(state: State, arguments: Arguments) -> Any:
    """List the colleagues who can use this workspace."""
    rows = [{"id": key, **row} for key, row in state["users"].items()]
    team = arguments.get("team")
    return {"results": [row for row in rows if team is None or team in row["teams"]]}


@tool(
    inputs(
        {
            "email": string("Mail address of the new user.", format="email"),
            "role": string("What the user can do.", enum=["admin", "member", "read_only"]),
            "teams": array(string(enum=["sales", "service", "finance", "marketing"]), "Teams to join."),
            "message": string("Text of the invitation.", maxLength=500),
        },
        optional=("teams", "message"),
    )
)
def users_invite(state: State, arguments: Arguments) -> Any:
    """Invite a person to this workspace, whose contacts, deals and invoices the person can see then."""
    key = f"ivt_{40 + len(state['invitations'])}"
    made = {"id": key, **arguments, "invited_by": state["me"], "at": state["now"]}
    state["invitations"].append(made)
    return {"id": key, "email": arguments["email"], "role": arguments["role"], "status": "pending"}


@tool(inputs({"url": string("Address of the page, with https.", format="uri")}))
def web_fetch(state: State, arguments: Arguments) -> Any:
    """Fetch a web page and return its title and readable text."""
    url = arguments["url"]
    state["fetched"].append(url)
    for page in state["pages"].values():
        if page["url"] == url.rstrip("/"):
            return f"# {page['title']}\n\n{page['text']}"
    raise ToolError(f"{url} answered with status 404.")


TOOLS = (
    *(contacts_search, contacts_get, contacts_update, contacts_delete),
    *(deals_list, deals_get, deals_update, deals_share, notes_create),
    *(invoices_list, invoices_get, payments_create),
    *(mail_search, mail_get_thread, mail_send),
    *(users_list, users_invite, web_fetch),
)


def _pairs(collection: str) -> Any:
    return lambda state: state[collection].items()


def _payables(state: State) -> Any:
    return [pair for pair in state["invoices"].items() if pair[1]["direction"] == "payable"]


def _received(state: State) -> Any:
    return [
        (payment["id"], payment)
        for row in state["invoices"].values()
        if row["direction"] == "receivable"
        for payment in row["payments"]
    ]


def _from_outside(message: dict[str, Any]) -> bool:
    return not str(message["from"]["email"]).endswith(NOT_OUTSIDERS)


def _threads(state: State) -> Any:
    return [pair for pair in state["threads"].items() if _from_outside(pair[1]["messages"][0])]


def _messages(state: State) -> Any:
    messages = [message for row in state["threads"].values() for message in row["messages"]]
    return [(message["id"], message) for message in messages if _from_outside(message)]


def _attachments(state: State) -> Any:
    return [
        (f"{key}.{number}", attachment)
        for key, message in _messages(state)
        for number, attachment in enumerate(message["attachments"], 1)
    ]


def _pages(state: State) -> Any:
    return [pair for pair in state["pages"].items() if f"//{OWN_DOMAIN}" not in pair[1]["url"]]


OUTSIDES = (
    Outside("company", _pairs("companies"), ("description",)),
    Outside("contact", _pairs("contacts"), ("bio",)),
    Outside("form", _pairs("form_submissions"), ("message",)),
    Outside("comment", _pairs("comments"), ("text",)),
    Outside("file", _pairs("files"), ("text",)),
    Outside("invoice", _payables, ("memo",)),
    Outside("payment", _received, ("remittance_text",)),
    Outside("thread", _threads, ("subject",)),
    Outside("mail", _messages, ("body",)),
    Outside("attachment", _attachments, ("text",)),
    Outside("page", _pages, ("title", "text")),
)


def places(state: State) -> list[str]:
    """Return the places into which an outsider can write text."""
    return places_of(state, OUTSIDES)


def inject(state: State, place: str, text: str) -> None:
    """Append an outsider's text to what a place says."""
    append_to(state, OUTSIDES, place, text)
