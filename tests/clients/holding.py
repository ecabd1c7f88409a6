# SPDX-License-Identifier: Apache-2.0
"""A judgement of texts, held against what clients do with them."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from tests.clients.contact import Client, Contact, Delivery, Outcome

#: What a text is taken for: a place or recipients, or None where the judgement takes it for nothing.
Judge = Callable[[str], Contact | Delivery | None]


def broken(
    judge: Judge, clients: Iterable[Client], texts: Sequence[str], whole: bool = False
) -> Iterator[str]:
    """Yield a line for each text that leads a client elsewhere than to what it was judged to be. With
    `whole`, what is asked for there counts too. A name that no resolver answers is nowhere.
    """
    judged = {text: found for text in dict.fromkeys(texts) if (found := judge(text)) is not None}
    for client in clients:
        for (text, expected), outcome in zip(judged.items(), client.ask(judged), strict=True):
            if not _within(outcome, expected, whole):
                yield f"{text!a} is judged {expected}, {client.name} reaches {outcome}"


def _within(outcome: Outcome, expected: Contact | Delivery, whole: bool) -> bool:
    if isinstance(outcome, Contact):
        if not outcome.named:
            return True
        if not isinstance(expected, Contact) or outcome.place != expected.place:
            return False
        return not whole or outcome.resource == expected.resource
    if isinstance(outcome, Delivery):
        known = expected.place if isinstance(expected, Delivery) else ()
        return not outcome.injected and set(outcome.place) <= set(known)
    return True
