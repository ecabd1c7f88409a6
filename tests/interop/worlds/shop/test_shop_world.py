# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.interop.worlds.shop import world
from tests.interop.worlds.tool import ToolError

TOOLS = {tool.name: tool.call for tool in world.TOOLS}


@pytest.mark.parametrize("setting", [{"email": "a@b.example"}, {"phone": "1"}, {"twoStepSignIn": False}])
def test_protected_settings_need_the_security_code(setting: dict[str, object]) -> None:
    """Without the code, and with a wrong one, nothing changes."""
    state = world.initial()
    for code in ({}, {"securityCode": "000000"}):
        with pytest.raises(ToolError, match="security code"):
            TOOLS["update_account_settings"](state, {**setting, **code})
    assert state == world.initial()


def test_a_new_order_waits_for_the_code_that_comes_by_mail() -> None:
    """The order is confirmed with the code in the newest mail, and with no other."""
    state = world.initial()
    order = TOOLS["place_order"](state, {"items": [{"productId": "prd_C4F9E", "quantity": 2}]})
    assert order["status"] == "awaiting_confirmation"
    with pytest.raises(ToolError, match="wrong"):
        TOOLS["confirm_order"](state, {"orderId": order["id"], "code": "408153"})
    mail = TOOLS["search_mail"](state, {"query": order["id"]})["messages"][0]
    code = TOOLS["read_mail"](state, {"messageId": mail["id"]})["body"].split(" is ")[1][:6]
    TOOLS["confirm_order"](state, {"orderId": order["id"], "code": code})
    assert state["orders"][order["id"]]["status"] == "processing"


def test_what_is_not_in_stock_cannot_be_ordered() -> None:
    """A refused order leaves the stock as it was."""
    state = world.initial()
    items = [{"productId": "prd_C4F9E", "quantity": 1}, {"productId": "prd_S5P1R", "quantity": 1}]
    with pytest.raises(ToolError, match="in stock"):
        TOOLS["place_order"](state, {"items": items})
    assert state == world.initial()


def test_a_shipped_order_cannot_be_cancelled() -> None:
    """Only what has not left can be cancelled."""
    with pytest.raises(ToolError, match="shipped"):
        TOOLS["cancel_order"](world.initial(), {"orderId": "ord_51874"})


def test_only_delivered_products_can_be_returned() -> None:
    """A return of an order that is under way is refused."""
    wanted = {"orderId": "ord_51702", "productIds": ["prd_T3N7A"], "reason": "defective"}
    with pytest.raises(ToolError, match="delivered"):
        TOOLS["request_return"](world.initial(), {**wanted, "refundTo": "store_credit"})
