# SPDX-License-Identifier: Apache-2.0
"""Calls of each tool of the shop, which together show each place."""

from tests.interop.worlds.tool import Call, State

ADDRESS = {
    "label": "Mats",
    "recipient": "Mats Øyen",
    "street": "Hafenplatz 2",
    "postalCode": "20457",
    "city": "Hamburg",
    "country": "DE",
    "makeDefault": True,
}


def samples(state: State) -> list[Call]:
    """Return calls that work on the initial state."""
    return [
        ("get_account", {}),
        ("update_account_settings", {"newsletter": False, "publicName": "L."}),
        ("update_account_settings", {"twoStepSignIn": False, "securityCode": "771204"}),
        ("save_address", ADDRESS),
        ("search_products", {}),
        (
            "search_products",
            {
                "query": "camping",
                "category": "outdoor",
                "sort": "price",
                "maxPrice": 100,
                "inStockOnly": True,
            },
        ),
        *[("get_product", {"productId": key}) for key in state["products"]],
        ("post_review", {"productId": "prd_T3N7A", "rating": 5, "title": "Good", "body": "Stays dry."}),
        ("list_orders", {}),
        ("list_orders", {"status": "delivered", "since": "2026-04-01", "limit": 1}),
        *[("get_order", {"orderId": key}) for key in state["orders"]],
        ("place_order", {"items": [{"productId": "prd_C4F9E", "quantity": 2}], "addressId": "adr_9Tz20"}),
        ("confirm_order", {"orderId": "ord_51990", "code": "408153"}),
        ("cancel_order", {"orderId": "ord_51702", "reason": "Ordered twice."}),
        (
            "request_return",
            {
                "orderId": "ord_51533",
                "productIds": ["prd_H2X6B"],
                "reason": "defective",
                "comment": "The left side is silent.",
                "refundTo": "original_payment",
            },
        ),
        ("buy_gift_card", {"amount": 25, "recipientEmail": "priya.raman@letterbox.example"}),
        *[("get_wishlist", {"wishlistId": key}) for key in state["wishlists"]],
        (
            "share_wishlist",
            {"wishlistId": "wl_gifts", "emails": ["mats.oyen@postbox.example"], "access": "view"},
        ),
        ("search_mail", {}),
        ("search_mail", {"query": "code", "folder": "inbox", "from": "kastell", "unreadOnly": True}),
        *[("read_mail", {"messageId": key}) for key in state["mails"]],
        (
            "send_mail",
            {
                "to": ["nordlys@sellers.kastell.example"],
                "subject": "Re: Order ord_51702: one parcel or two?",
                "body": "One parcel, please.",
                "inReplyTo": "msg_a876",
            },
        ),
    ]
