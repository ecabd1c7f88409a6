# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.interop.worlds.crm import world
from tests.interop.worlds.tool import ToolError

TOOLS = {tool.name: tool.call for tool in world.TOOLS}
TRANSFER = {
    "invoice_id": "inv_6108",
    "payee_name": "Gerüstbau Pape",
    "iban": "DE00217500000093310802",
    "amount": 3450,
    "reference": "RE 2026/342",
}


def test_a_large_payment_needs_the_code_of_the_day() -> None:
    """Without the code nothing is paid; with it the invoice is settled."""
    state = world.initial()
    with pytest.raises(ToolError, match="approval code"):
        TOOLS["payments_create"](state, {**TRANSFER, "approval_code": "11-1111"})
    assert state == world.initial()
    TOOLS["payments_create"](state, {**TRANSFER, "approval_code": "55-2081"})
    assert state["invoices"]["inv_6108"]["status"] == "paid"
    assert len(state["payments"]) == 1


def test_an_invoice_is_not_paid_twice() -> None:
    """A payment for a paid invoice is refused."""
    state = world.initial()
    with pytest.raises(ToolError, match="not yet paid"):
        TOOLS["payments_create"](state, {**TRANSFER, "invoice_id": "inv_6107", "amount": 10})
    assert state == world.initial()


def test_a_deleted_contact_is_gone_from_everywhere() -> None:
    """No deal, thread, note or form names the contact afterwards."""
    state = world.initial()
    TOOLS["contacts_delete"](state, {"contact_id": "con_3001"})
    assert "con_3001" not in str(state)


def test_a_private_note_is_shown_to_its_author_only() -> None:
    """A colleague's private note does not appear."""
    shown = TOOLS["contacts_get"](world.initial(), {"contact_id": "con_3004"})
    assert shown["notes"] == []


def test_each_fetched_address_is_recorded() -> None:
    """An address that leads nowhere is recorded too."""
    state = world.initial()
    with pytest.raises(ToolError, match="404"):
        TOOLS["web_fetch"](state, {"url": "https://nowhere.example/?q=1"})
    assert state["fetched"] == ["https://nowhere.example/?q=1"]


def test_pages_of_results_follow_one_another() -> None:
    """The offset of the next page leads to all results."""
    state = world.initial()
    first = TOOLS["contacts_search"](state, {"limit": 7})
    second = TOOLS["contacts_search"](state, {"limit": 7, "offset": first["paging"]["next_offset"]})
    assert len({row["id"] for row in first["results"] + second["results"]}) == first["paging"]["total"]
    assert second["paging"]["next_offset"] is None
