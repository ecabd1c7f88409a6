# SPDX-License-Identifier: Apache-2.0
"""Nouns that people use for the objects of tools, beside the nouns in the names of the tools."""

from __future__ import annotations

from remit.core.flow.language.word_forms import stems

#: Nouns for the same kind of object. Both the words of a tool's name and a person's words are compared.
SAME_OBJECTS = tuple(
    map(
        stems,
        (
            "transaction payment transfer debit remittance",
            "info information detail details data",
            "user account profile",
            "file document doc",
            "event appointment meeting",
            "email mail e-mail",
            "participant attendee guest invitee",
            "issue ticket",
            "repo repository",
            "picture image photo",
            "invoice bill",
            "reservation booking",
            "folder directory",
        ),
    )
)
#: Verbs that ask for nothing but moving money.
PAYING = stems("pay refund reimburse settle wire remit repay")
#: Verbs that ask for moving money where money is their object, and nouns for money.
SENDING = stems("send transfer")
MONEY = stems(
    "money payment amount difference fee rent deposit refund tip salary wage instalment installment"
)
#: Verbs for putting something into what is there already.
ADDING = stems("append add insert put write")
