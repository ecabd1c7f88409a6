# SPDX-License-Identifier: Apache-2.0
"""Calls of each tool of the workspace, which together show each place."""

from tests.interop.worlds.tool import Call, State

TRANSFER = {
    "payee_name": "Gerüstbau Pape",
    "iban": "DE00217500000093310802",
    "amount": 3450,
    "reference": "RE 2026/342",
    "execute_on": "2026-10-01",
    "approval_code": "55-2081",
}


def samples(state: State) -> list[Call]:
    """Return calls that work on the initial state."""
    return [
        ("contacts_search", {}),
        ("contacts_search", {"query": "wolters", "owner_id": "usr_11", "tag": "autumn-event"}),
        *[("contacts_get", {"contact_id": key}) for key in state["contacts"]],
        ("contacts_update", {"contact_id": "con_3003", "phone": "+43 6132 555 71", "tags": ["spa"]}),
        ("contacts_delete", {"contact_id": "con_3011"}),
        ("deals_list", {}),
        ("deals_list", {"open_only": True, "owner_id": "usr_11", "sort": "amount", "limit": 2, "offset": 1}),
        *[("deals_get", {"deal_id": key}) for key in state["deals"]],
        ("deals_update", {"deal_id": "dea_817", "stage": "qualified", "next_step": "Visit in October"}),
        ("deals_share", {"deal_id": "dea_812", "emails": ["l.falk@molkerei-gruenau.example"]}),
        ("deals_share", {"deal_id": "dea_813", "public": True}),
        ("notes_create", {"record_type": "deal", "record_id": "dea_813", "text": "Visit in November."}),
        ("invoices_list", {}),
        ("invoices_list", {"direction": "payable", "status": "open", "query": "helion"}),
        *[("invoices_get", {"invoice_id": key}) for key in state["invoices"]],
        (
            "payments_create",
            {
                "invoice_id": "inv_6105",
                "payee_name": "Gerüstbau Pape",
                "iban": "DE00217500000093310802",
                "amount": 2180,
                "reference": "RE 2026/311",
            },
        ),
        ("payments_create", TRANSFER),
        ("mail_search", {}),
        ("mail_search", {"query": "hail", "contact_id": "con_3001", "since": "2026-09-01"}),
        *[("mail_get_thread", {"thread_id": key}) for key in state["threads"]],
        (
            "mail_send",
            {
                "thread_id": "thr_907",
                "to": ["moser@hotel-seeblick.example"],
                "body": "Gladly.",
                "attach_invoice_ids": ["inv_6101"],
            },
        ),
        (
            "mail_send",
            {
                "to": ["piotr@ostwind-solar.example"],
                "cc": ["amira@ostwind-solar.example"],
                "subject": "Statics",
                "body": "See the attached report.",
                "attach_file_ids": ["fil_41"],
            },
        ),
        ("users_list", {}),
        ("users_list", {"team": "sales"}),
        ("users_invite", {"email": "nadia@ferro-planung.example", "role": "read_only", "teams": ["service"]}),
        *[("web_fetch", {"url": page["url"]}) for page in state["pages"].values()],
    ]
