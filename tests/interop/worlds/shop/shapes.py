# SPDX-License-Identifier: Apache-2.0
"""The shapes of the shop's records, as its API documents them."""

from tests.interop.worlds.tool import array, boolean, integer, nullable, number, record, string

MONEY = record({"amount": number("Gross amount."), "currency": string("ISO 4217 code.")})
PERSON = record({"name": string(), "email": string(format="email")})
SETTINGS = record(
    {
        "newsletter": boolean(),
        "twoStepSignIn": boolean("Ask for a code at each sign-in."),
        "language": string(),
        "oneClickOrders": boolean("Place orders without a confirmation code."),
        "publicName": string("Name shown beside reviews."),
    }
)
ADDRESS = record(
    {
        "id": string("Address id."),
        "label": string(),
        "recipient": string(),
        "street": string(),
        "postalCode": string(),
        "city": string(),
        "country": string("ISO 3166-1 alpha-2 code."),
        "instructions": nullable(string("Instructions for the carrier.")),
    }
)
PAYMENT_METHOD = record(
    {
        "id": string("Payment method id."),
        "type": string(enum=["card", "direct_debit"]),
        "brand": string(),
        "last4": string("Last four digits."),
        "expires": nullable(string("Year and month.")),
        "holder": string(),
    }
)
MEMBER = record(
    {"email": string(format="email"), "name": nullable(string()), "access": string(enum=["view", "edit"])}
)
ACCOUNT = record(
    {
        "id": string("Customer id."),
        "name": string(),
        "email": string(format="email"),
        "phone": string(),
        "memberSince": string(format="date"),
        "storeCredit": MONEY,
        "settings": SETTINGS,
        "defaultAddressId": string(),
        "defaultPaymentMethodId": string(),
        "addresses": array(ADDRESS),
        "paymentMethods": array(PAYMENT_METHOD),
        "wishlists": array(
            record({"id": string(), "name": string(), "itemCount": integer(), "sharedWith": array(MEMBER)})
        ),
    }
)
SELLER_SUMMARY = record({"id": string("Seller id."), "name": string()})
RATING = record({"average": nullable(number("From 1 to 5.")), "count": integer()})
PRODUCT_SUMMARY = record(
    {
        "id": string("Product id."),
        "title": string(),
        "brand": string(),
        "category": string(),
        "price": MONEY,
        "seller": SELLER_SUMMARY,
        "rating": RATING,
        "inStock": boolean(),
        "deliveryBy": nullable(string("Latest day of delivery.", format="date")),
        "url": string(format="uri"),
    }
)
SELLER = record(
    {
        "id": string("Seller id."),
        "name": string(),
        "country": string(),
        "rating": number(),
        "messageAddress": string("Mail address that reaches the seller.", format="email"),
        "about": string("How the seller introduces the business."),
    }
)
REVIEW = record(
    {
        "id": string("Review id."),
        "author": record({"name": string(), "verifiedPurchase": boolean()}),
        "rating": integer(minimum=1, maximum=5),
        "title": string(),
        "body": string(),
        "date": string(format="date"),
        "helpful": integer("Customers who found the review helpful."),
    }
)
QUESTION = record(
    {
        "id": string(),
        "question": string(),
        "answer": string(),
        "answeredBy": string(),
        "date": string(format="date"),
    }
)
PRODUCT = record(
    {
        **PRODUCT_SUMMARY["properties"],
        "description": string("Text of the seller."),
        "releasedAt": string(format="date"),
        "stock": integer(),
        "seller": SELLER,
        "reviews": array(REVIEW, "Newest first."),
        "questions": array(QUESTION, "Questions and answers of the community."),
    }
)
LINE = record(
    {
        "product": record({"id": string(), "title": string()}),
        "seller": SELLER_SUMMARY,
        "quantity": integer(minimum=1),
        "unitPrice": MONEY,
    }
)
STATUS = string(
    "State of the order.",
    enum=["awaiting_confirmation", "processing", "shipped", "delivered", "cancelled", "returned"],
)
ORDER_SUMMARY = record(
    {
        "id": string("Order id."),
        "placedAt": string(format="date-time"),
        "status": STATUS,
        "total": MONEY,
        "lines": array(LINE),
    }
)
ORDER = record(
    {
        **ORDER_SUMMARY["properties"],
        "shipTo": ADDRESS,
        "payment": PAYMENT_METHOD,
        "giftMessage": nullable(string()),
        "tracking": record(
            {
                "url": nullable(string(format="uri")),
                "events": array(
                    record(
                        {
                            "at": string(format="date-time"),
                            "place": string(),
                            "note": string("Remark of the carrier."),
                        }
                    )
                ),
            }
        ),
        "messages": array(
            record({"id": string(), "from": string(), "at": string(format="date-time"), "text": string()}),
            "Messages of the sellers about the order.",
        ),
    }
)
WISHLIST = record(
    {
        "id": string("Wish list id."),
        "name": string(),
        "url": string(format="uri"),
        "sharedWith": array(MEMBER),
        "items": array(
            record(
                {
                    "id": string(),
                    "product": PRODUCT_SUMMARY,
                    "addedBy": string(),
                    "note": nullable(string("Note of the person who added the product.")),
                }
            )
        ),
    }
)
MAIL_SUMMARY = record(
    {
        "id": string("Message id."),
        "folder": string(enum=["inbox", "sent"]),
        "from": PERSON,
        "subject": string(),
        "date": string(format="date-time"),
        "read": boolean(),
        "snippet": string("First words of the body."),
    }
)
MAIL = record(
    {
        "id": string("Message id."),
        "folder": string(enum=["inbox", "sent"]),
        "from": PERSON,
        "to": array(string(format="email")),
        "cc": array(string(format="email")),
        "subject": string(),
        "date": string(format="date-time"),
        "read": boolean(),
        "body": string("Plain text."),
        "inReplyTo": nullable(string("Message id of the mail that this one answers.")),
    }
)
