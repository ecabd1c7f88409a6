# SPDX-License-Identifier: Apache-2.0
"""Constraints on destinations: `email_domain` and `url_host`. The whole value is parsed strictly.

Host names are compared as lower-case ASCII labels (A-labels, RFC 5890 section 2.3.2.1). A value with a name
in another script is refused, so no look-alike of another script can match. An entry that begins with a dot
matches every name below it, but not the name itself: `[example.org, .example.org]` permits both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

import re2

from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.core.tools.constraint.base import (
    NO,
    UNDECIDABLE,
    YES,
    Constraint,
    Verdict,
    keys_of,
    listed,
    texts,
    type_name,
)
from remit.core.tools.constraint.text import hidden

MAX_ADDRESS: Final = 254
"""RFC 5321 section 4.5.3.1.3, as corrected by erratum 1690."""
MAX_URL: Final = 8192

_LABEL: Final = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME: Final = re2.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# The last label of a name is never all digits or hexadecimal: programs parse such a name as an IPv4 address
# (WHATWG URL, "ends in a number").
_NUMERIC: Final = re2.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4: Final = re2.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_IPV6: Final = re2.compile(r"\[[0-9a-f:]*:[0-9a-f:.]*\]")
# RFC 5322 dot-atom without `%`, `!`, `/`, `|` and the back-quote, which some mail programs interpret as
# routes, files and commands. A leading `-` would be parsed as an option.
_LOCAL_PART: Final = re2.compile(
    r"[A-Za-z0-9#$&'*+=?^_{}~][A-Za-z0-9#$&'*+=?^_{}~-]*(?:\.[A-Za-z0-9#$&'*+=?^_{}~-]+)*"
)
_SCHEME: Final = re2.compile(r"[a-z][a-z0-9+.-]*")
_URL_CHARACTERS: Final = re2.compile(r"[!#$%&'()*+,./0-9:;=?@A-Z_a-z~\[\]-]+")
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}


def _is_name(name: str) -> bool:
    return len(name) <= 253 and _NAME.fullmatch(name) is not None


def _name(entry: str, *, subdomains: bool = True) -> str:
    """Return a configured host or domain in lower case; raise `ConfigInvalid` for an invalid one."""
    name = entry.lower()
    if not name.isascii():
        raise ConfigInvalid(f"`{entry}` is not ASCII", remediation="write its A-label (`xn--...`)")
    bare = name.removeprefix(".") if subdomains else name
    if not _is_name(bare) or (name != bare and _NUMERIC.fullmatch(bare) is not None):
        raise ConfigInvalid(
            f"`{entry}` is not a host name",
            remediation="write `example.org`, or `.example.org` for those below",
        )
    return name


def _listed_in(name: str, names: frozenset[str], suffixes: tuple[str, ...]) -> bool:
    return name in names or (bool(suffixes) and name.endswith(suffixes))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EmailDomain(Constraint):
    """The value is exactly one address (`local@domain`) in one of these domains.

    No display name, comment, quoted part, route, list, address literal or blank: those are undecidable.
    """

    domains: tuple[str, ...]
    kind: ClassVar[str] = "email_domain"
    _names: frozenset[str] = field(init=False)
    _suffixes: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        domains = tuple(sorted({_name(entry) for entry in texts(self.domains)}))
        object.__setattr__(self, "domains", domains)
        object.__setattr__(self, "_names", frozenset(d for d in domains if d[0] != "."))
        object.__setattr__(self, "_suffixes", tuple(d for d in domains if d[0] == "."))

    def judge(self, value: Json) -> Verdict:
        """Judge by the domain of the one address."""
        if type(value) is not str or address_fault(value):
            return UNDECIDABLE
        domain = value.rpartition("@")[2].lower()
        return YES if _listed_in(domain, self._names, self._suffixes) else NO

    def why(self, value: Json) -> str:
        """Explain why the value is not one plain address."""
        return address_fault(value) if type(value) is str else f"is of type {type_name(value)}, not string"

    def argument(self) -> Json:
        """Return the domains."""
        return list(self.domains)

    def describe(self) -> str:
        """Name the domains."""
        return f"be one mail address in {listed(self.domains)}"


def address_fault(value: str) -> str:
    """Return why a string is not exactly one plain mail address; empty where it is one."""
    if len(value) > MAX_ADDRESS:
        return f"is longer than {MAX_ADDRESS} characters"
    if fault := hidden(value):
        return fault
    if not value.isascii():
        return "contains characters beyond ASCII"
    local, at, domain = value.partition("@")
    if not at or "@" in domain:
        return "is not one mail address of the form `name@domain`"
    # RFC 2047 encoded words, which mail programs (including Python's) decode before they look for the `@`.
    if len(local) > 64 or "=?" in local or _LOCAL_PART.fullmatch(local) is None:
        return "has a name part that is not a plain one"
    if not _is_name(domain.lower()):
        return "has a domain that is not a plain host name"
    return ""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class UrlHost(Constraint):
    """The value is an absolute URL of a permitted scheme whose host is one of these.

    Written as a list of hosts, or as `{hosts: [...], schemes: [...]}`; the default schemes are `http` and
    `https`. A host may carry a port (`example.org:8443`); otherwise only the scheme's own port fits. User
    information, backslash, blank, control character, percent-encoding in the host and a trailing dot are
    refused. The host must be followed by `/` or by nothing, because programs disagree about `?`, `#` and `@`
    there. IP addresses are permitted only where listed as such, in the usual form; other spellings of an
    address (decimal, octal, hexadecimal, short) are refused.
    """

    hosts: tuple[str, ...]
    schemes: tuple[str, ...] = ("http", "https")
    kind: ClassVar[str] = "url_host"
    _names: frozenset[str] = field(init=False)
    _suffixes: tuple[tuple[str, str], ...] = field(init=False)

    def __post_init__(self) -> None:
        hosts = tuple(sorted({_host_entry(entry) for entry in texts(self.hosts)}))
        schemes = tuple(scheme.lower() for scheme in texts(self.schemes))
        for scheme in schemes:
            if _SCHEME.fullmatch(scheme) is None:
                raise ConfigInvalid(
                    f"`{scheme}` is not a URL scheme", remediation="write `https`, without `://`"
                )
        object.__setattr__(self, "hosts", hosts)
        object.__setattr__(self, "schemes", tuple(sorted(set(schemes))))
        object.__setattr__(self, "_names", frozenset(h for h in hosts if h[0] != "."))
        below = (_split_port(h) for h in hosts if h[0] == ".")
        object.__setattr__(self, "_suffixes", tuple((name, port) for name, port in below))

    @classmethod
    def read(cls, argument: Json) -> UrlHost:
        """Build the constraint from either written form; raise `ConfigInvalid`."""
        if not isinstance(argument, dict):
            return cls(argument)
        given = keys_of(argument, ("hosts", "schemes"))
        return cls(given.get("hosts", ()), given.get("schemes", ("http", "https")))

    def judge(self, value: Json) -> Verdict:
        """Judge by scheme, host and port of the parsed URL."""
        if type(value) is not str:
            return UNDECIDABLE
        parts = split_url(value)
        if isinstance(parts, str):
            return UNDECIDABLE
        scheme, host, port = parts
        if scheme not in self.schemes:
            return UNDECIDABLE
        own = _PORTS.get(scheme)
        wanted = {f"{host}:{port}"} if port else {host, f"{host}:{own}"}
        if port and int(port) == own:
            wanted.add(host)
        if not wanted.isdisjoint(self._names):
            return YES
        if _address_like(host):
            return UNDECIDABLE
        ports = {port or str(own)} | ({""} if not port or int(port) == own else set())
        return YES if any(host.endswith(name) and p in ports for name, p in self._suffixes) else NO

    def why(self, value: Json) -> str:
        """Explain why the value is not a plain URL of a permitted scheme."""
        if type(value) is not str:
            return f"is of type {type_name(value)}, not string"
        parts = split_url(value)
        if isinstance(parts, str):
            return parts
        return "" if parts[0] in self.schemes else f"has a scheme other than {' or '.join(self.schemes)}"

    def argument(self) -> Json:
        """Return the hosts, with the schemes unless they are the default ones."""
        if self.schemes == ("http", "https"):
            return list(self.hosts)
        return {"hosts": list(self.hosts), "schemes": list(self.schemes)}

    def describe(self) -> str:
        """Name the hosts."""
        return f"be {' or '.join(self.schemes)} URL with host {listed(self.hosts)}"


def _split_port(entry: str) -> tuple[str, str]:
    """Split `host:port`; the colons of a bracketed address do not start a port."""
    head, _, tail = entry.rpartition(":")
    return (head, tail) if head and tail.isdecimal() else (entry, "")


def _address_like(host: str) -> bool:
    return host[0] == "[" or _NUMERIC.fullmatch(host) is not None


def _host_entry(entry: str) -> str:
    name, port = _split_port(entry.lower())
    if port and (not port.isascii() or not 0 < int(port) < 65536 or port[0] == "0"):
        raise ConfigInvalid(f"`{entry}` has no valid port", remediation="write a port from 1 to 65535")
    if name and _address_like(name):
        if _IPV4.fullmatch(name) is None and _IPV6.fullmatch(name) is None:
            raise ConfigInvalid(
                f"`{entry}` is not an address in canonical form",
                remediation="write `192.0.2.1` or `[2001:db8::1]`",
            )
    else:
        _name(name)
    return f"{name}:{port}" if port else name


def split_url(value: str) -> tuple[str, str, str] | str:
    """Split a plain absolute URL into scheme, host and port (or empty); return the reason where it is not
    one.
    """
    if len(value) > MAX_URL:
        return f"is longer than {MAX_URL} characters"
    if _URL_CHARACTERS.fullmatch(value.encode("utf-8", "surrogatepass")) is None:
        return "contains a character that is not permitted in a URL"
    scheme, separator, rest = value.partition("://")
    scheme = scheme.lower()
    if not separator or _SCHEME.fullmatch(scheme) is None:
        return "is not an absolute URL"
    authority = rest.partition("/")[0].lower()
    if "@" in authority:
        return "contains user information before the host"
    if "?" in authority or "#" in authority:
        return "has no `/` between the host and `?` or `#`"
    host, port = authority, ""
    if ":" in authority and not authority.endswith("]"):
        host, _, port = authority.rpartition(":")
        if not port.isdecimal() or len(port) > 5 or port[0] == "0" or int(port) > 65535:
            return "has no valid port"
    if not (_is_name(host) or _IPV6.fullmatch(host) is not None):
        return "has a host that is not a plain name or address"
    return scheme, host, port
