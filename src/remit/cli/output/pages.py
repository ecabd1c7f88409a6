# SPDX-License-Identifier: Apache-2.0
"""Reports as one page of HTML: without scripts, links or other files, and fit for paper.

Texts of others stay text: they are escaped, and hidden characters are written out.
"""

from __future__ import annotations

from collections.abc import Callable

import jinja2
from markupsafe import Markup

from remit.core.safe_text import plain


def templates(package: str, **filters: Callable[..., object]) -> jinja2.Environment:
    """Return the templates of a package, which may include `page.css`; `filters` come beside its own."""
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [
                jinja2.PackageLoader(package, "templates"),
                jinja2.PackageLoader("remit.cli.output", "templates"),
            ]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: (
            plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value
        ),
    )
    made.filters |= {"words": _words, "counted": _counted, **filters}
    return made


def _words(text: str) -> Markup:
    """Return a sentence in which what stands between backticks is code."""
    parts = plain(text).split("`")
    if len(parts) % 2 == 0:
        return Markup.escape(plain(text))
    made = [
        Markup("<code>{}</code>").format(part) if n % 2 else Markup.escape(part)
        for n, part in enumerate(parts)
    ]
    return Markup("").join(made)


def _counted(count: int, what: str, several: str) -> str:
    return f"{count:,} {what if count == 1 else several}"
