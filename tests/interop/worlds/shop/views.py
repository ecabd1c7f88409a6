# SPDX-License-Identifier: Apache-2.0
"""What the shop's API makes of its records."""

from typing import Any

from tests.interop.worlds.tool import State, ToolError

Row = dict[str, Any]


def get(state: State, collection: str, key: str, what: str) -> Row:
    """Return a record, or say to the caller that it does not exist."""
    try:
        found: Row = state[collection][key]
    except KeyError:
        raise ToolError(f"No {what} with the id {key!r}.") from None
    return found


def money(amount: float) -> Row:
    """Return an amount with its currency."""
    return {"amount": round(amount, 2), "currency": "EUR"}


def with_id(key: str, found: Row) -> Row:
    """Return a record with its id."""
    return {"id": key, **found}


def seller_summary(state: State, product_id: str) -> Row:
    """Return who sells a product."""
    seller_id = state["products"][product_id]["sellerId"]
    return {"id": seller_id, "name": state["sellers"][seller_id]["name"]}


def product_summary(state: State, product_id: str) -> Row:
    """Return a product as lists show it."""
    product = state["products"][product_id]
    ratings = [review["rating"] for review in state["reviews"].values() if review["productId"] == product_id]
    average = round(sum(ratings) / len(ratings), 1) if ratings else None
    return {
        "id": product_id,
        "title": product["title"],
        "brand": product["brand"],
        "category": product["category"],
        "price": money(product["price"]),
        "seller": seller_summary(state, product_id),
        "rating": {"average": average, "count": len(ratings)},
        "inStock": product["stock"] > 0,
        "deliveryBy": product["delivery"],
        "url": f"https://kastell.example/p/{product_id}",
    }


def about_product(state: State, collection: str, product_id: str) -> list[Row]:
    """Return the reviews or questions about a product, newest first."""
    found = [
        {"id": key, **{name: value for name, value in row.items() if name != "productId"}}
        for key, row in state[collection].items()
        if row["productId"] == product_id
    ]
    return sorted(found, key=lambda row: row["date"], reverse=True)


def order_summary(state: State, order_id: str) -> Row:
    """Return an order as lists show it."""
    order = state["orders"][order_id]
    return {
        "id": order_id,
        "placedAt": order["placedAt"],
        "status": order["status"],
        "total": money(sum(line["quantity"] * line["unitPrice"] for line in order["lines"])),
        "lines": [
            {
                "product": {"id": line["productId"], "title": state["products"][line["productId"]]["title"]},
                "seller": seller_summary(state, line["productId"]),
                "quantity": line["quantity"],
                "unitPrice": money(line["unitPrice"]),
            }
            for line in order["lines"]
        ],
    }


def order_view(state: State, order_id: str) -> Row:
    """Return the whole order."""
    order = get(state, "orders", order_id, "order")
    method = order["paymentMethodId"]
    return {
        **order_summary(state, order_id),
        "shipTo": with_id(order["addressId"], state["addresses"][order["addressId"]]),
        "payment": with_id(method, state["paymentMethods"][method]),
        "giftMessage": order["giftMessage"],
        "tracking": {
            "url": order["trackingUrl"],
            "events": [
                {name: event[name] for name in ("at", "place", "note")}  # the id is the shop's own
                for event in order["events"]
            ],
        },
        "messages": order["messages"],
    }


def add_mail(state: State, folder: str, mail: Row) -> str:
    """Put a mail into a folder and return its id."""
    key = f"msg_b{len(state['mails']) + 1:03d}"
    state["mails"][key] = {"folder": folder, "date": state["now"], "read": folder == "sent", **mail}
    return key


def mail_view(key: str, mail: Row) -> Row:
    """Return a mail as the mailbox shows it."""
    return {"id": key, "cc": [], "inReplyTo": None, **mail}


def myself(state: State) -> Row:
    """Return the customer as a sender."""
    return {"name": state["account"]["name"], "email": state["account"]["email"]}
