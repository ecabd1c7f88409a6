# SPDX-License-Identifier: Apache-2.0
"""The shapes of the workspace's records, as its API documents them."""

from tests.interop.worlds.tool import array, boolean, integer, nullable, number, record, string

STAGES = ["new", "qualified", "proposal", "negotiation", "closed_won", "closed_lost"]
LIFECYCLE = ["lead", "opportunity", "customer", "other"]
AMOUNT = record({"value": number(), "currency": string("ISO 4217 code.")})
PERSON = record({"name": string(), "email": string(format="email")})
USER_REF = record({"id": string("User id."), "name": string()})
COMPANY_REF = record({"id": string("Company id."), "name": string(), "domain": string()})
CONTACT_REF = record({"id": string("Contact id."), "name": string(), "email": string(format="email")})
PAGING = record({"total": integer("Number of all matches."), "next_offset": nullable(integer())})
USER = record(
    {
        "id": string("User id."),
        "name": string(),
        "email": string(format="email"),
        "title": string(),
        "role": string(enum=["admin", "member", "read_only"]),
        "teams": array(string()),
        "last_seen_at": string(format="date-time"),
    }
)
CONTACT = record(
    {
        "id": string("Contact id."),
        "first_name": string(),
        "last_name": string(),
        "email": string(format="email"),
        "phone": string(),
        "title": string("Job title."),
        "company": COMPANY_REF,
        "owner": USER_REF,
        "lifecycle_stage": string(enum=LIFECYCLE),
        "tags": array(string()),
        "marketing_consent": boolean(),
        "created_at": string(format="date"),
    }
)
NOTE = record(
    {
        "id": string("Note id."),
        "author": USER_REF,
        "at": string(format="date-time"),
        "visibility": string(enum=["team", "private"]),
        "text": string(),
    }
)
DEAL = record(
    {
        "id": string("Deal id."),
        "name": string(),
        "stage": string(enum=STAGES),
        "amount": AMOUNT,
        "probability": integer("Percent."),
        "close_date": string("Expected or actual day of the decision.", format="date"),
        "company": COMPANY_REF,
        "contacts": array(CONTACT_REF),
        "owner": USER_REF,
        "created_at": string(format="date"),
        "next_step": nullable(string()),
    }
)
COMPANY = record(
    {
        **COMPANY_REF["properties"],
        "industry": string(),
        "country": string("ISO 3166-1 alpha-2 code."),
        "employees": integer(),
        "relation": string(enum=["customer", "prospect", "supplier"]),
        "description": string("From the company's website."),
    }
)
CONTACT_DETAILS = record(
    {
        **CONTACT["properties"],
        "company": COMPANY,
        "bio": string("From the contact's public profile."),
        "notes": array(NOTE),
        "form_submissions": array(
            record(
                {
                    "id": string(),
                    "form": string("Name of the web form."),
                    "at": string(format="date-time"),
                    "message": string(),
                }
            )
        ),
        "deals": array(record({"id": string(), "name": string(), "stage": string(enum=STAGES)})),
    }
)
SHARED = array(record({"email": string(format="email"), "access": string(enum=["view", "comment"])}))
DEAL_DETAILS = record(
    {
        **DEAL["properties"],
        "notes": array(NOTE, "Internal notes."),
        "comments": array(
            record({"id": string(), "author": string(), "at": string(format="date-time"), "text": string()}),
            "Comments of the customer in the portal.",
        ),
        "files": array(
            record(
                {
                    "id": string("File id."),
                    "name": string(),
                    "uploaded_by": string(),
                    "at": string(format="date-time"),
                    "size": integer("Bytes."),
                    "text": string("Extracted text."),
                }
            )
        ),
        "shared_with": SHARED,
        "public_link": nullable(string(format="uri")),
    }
)
INVOICE = record(
    {
        "id": string("Invoice id."),
        "number": string("Number printed on the invoice."),
        "direction": string("Receivable: we are paid. Payable: we pay.", enum=["receivable", "payable"]),
        "status": string(enum=["open", "overdue", "paid"]),
        "company": COMPANY_REF,
        "total": AMOUNT,
        "balance": AMOUNT,
        "issued_on": string(format="date"),
        "due_on": string(format="date"),
    }
)
INVOICE_DETAILS = record(
    {
        **INVOICE["properties"],
        "lines": array(
            record({"description": string(), "quantity": number(), "unit_price": AMOUNT, "amount": AMOUNT})
        ),
        "payment_details": record({"account_holder": string(), "iban": string(), "reference": string()}),
        "memo": string("Remark printed on the invoice."),
        "notes": array(NOTE),
        "payments": array(
            record(
                {
                    "id": string(),
                    "booked_on": string(format="date"),
                    "amount": AMOUNT,
                    "counterparty": string(),
                    "remittance_text": string("Text that came with the transfer."),
                }
            )
        ),
    }
)
PAYMENT = record(
    {
        "id": string("Payment id."),
        "status": string(enum=["scheduled"]),
        "invoice_id": nullable(string()),
        "payee": record({"name": string(), "iban": string()}),
        "amount": AMOUNT,
        "reference": string(),
        "execute_on": string(format="date"),
    }
)
THREAD_SUMMARY = record(
    {
        "id": string("Thread id."),
        "subject": string(),
        "contact": nullable(CONTACT_REF),
        "participants": array(PERSON),
        "last_message": record({"at": string(format="date-time"), "from": PERSON, "snippet": string()}),
        "message_count": integer(),
    }
)
MESSAGE = record(
    {
        "id": string("Message id."),
        "from": PERSON,
        "to": array(string(format="email")),
        "cc": array(string(format="email")),
        "at": string(format="date-time"),
        "body": string("Plain text."),
        "attachments": array(record({"name": string(), "text": string("Extracted text.")})),
    }
)
THREAD = record(
    {
        "id": string("Thread id."),
        "subject": string(),
        "contact": nullable(CONTACT_REF),
        "messages": array(MESSAGE, "Oldest first."),
    }
)
