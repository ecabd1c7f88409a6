# SPDX-License-Identifier: Apache-2.0
"""The oracle: where real clients connect or deliver to for a given text.

Each client runs as its users run it, with nothing of its reading replaced: `urllib.request`, `requests`,
`httpx`, `httpx2` and `aiohttp` in this process, Node's `fetch` and `http.get` in one long-lived program,
Chromium in its own processes, and `smtplib` with `email` for addresses. What is replaced lies below the
reading: sockets, the resolver of names and TLS (`wire`), what Node calls to connect (`fetching.mjs`), and a
proxy on loopback for Chromium (`browser`). So nothing goes out, and what is recorded is the name that would
be resolved, the port and the request as sent.

`contact` has the answers, `strings` the generator of texts, and `stored_label` holds a judgement against
every client. `differences.json` has the classes of texts with what each client does with them, and `python -m
tests.clients` writes it again. A client that refuses is no difference: a difference is two places for one
text.
"""
