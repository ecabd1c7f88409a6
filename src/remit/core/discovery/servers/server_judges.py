# SPDX-License-Identifier: Apache-2.0
"""Judges of one server of a client's configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import msgspec

from remit.core.discovery.declared import DeclaredServer
from remit.core.discovery.discovered import Discovered
from remit.core.discovery.servers.lookalikes import is_known, lookalike
from remit.core.discovery.servers.server_program import Registry, ServerPackage, ServerProgram, host_of
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.safe_text import plain

#: The port and path of remit's own gateway by default.
_OWN_PORT: Final = 8700
_LOOPBACK: Final = re.compile(
    r"localhost|127\.\d+\.\d+\.\d+|::1|host\.docker\.internal|.*\.localhost|\[::1\]"
)
_PLACEHOLDER: Final = re.compile(r"\$\{|<|\{\{|\$[A-Z_]")
#: Whole file systems, and whole homes.
_ROOTS: Final = re.compile(
    r"/|~|\$HOME|\$\{HOME\}|\$\{userHome\}|/home|/Users|/root|/etc|/home/[^/]+/?|"
    r"/Users/[^/]+/?|[A-Za-z]:[\\/]*|"
    r"[A-Za-z]:[\\/]Users(?:[\\/][^\\/]+)?[\\/]?|/host|/mnt/c/?"
)
_UNGUARDED: Final = re.compile(
    r"--(?:yolo|dangerously[a-z-]*|allow-all(?:-tools|-paths)?|full-access|skip-permissions|"
    r"auto-approve(?:-all)?|"
    r"trust-all-tools|no-sandbox-at-all|unrestricted|allow-dangerous[a-z-]*|"
    r"disable-security[a-z-]*)(?:=true)?|danger-full-access"
)
_FILES: Final = re.compile(r"filesystem|file-system|desktop-commander|mcp/filesystem")


class JudgedServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server with its program and its owner."""

    server: DeclaredServer
    program: ServerProgram
    owner: str = ""

    @property
    def target(self) -> str:
        """What is reached, without arguments: a package, a host, or a program."""
        if self.program.packages:
            first = self.program.packages[0]
            return f"{first.registry.value}:{first.name}"
        if self.program.url:
            return host_of(self.program.url) or "an unreadable address"
        return f"program {self.server.command.replace(chr(92), '/').rpartition('/')[2][:80]}"

    @property
    def says(self) -> str:
        """The server in words."""
        return f"server `{plain(self.server.name)}` of {plain(self.server.client)}"

    def found(
        self,
        kind: FindingKind,
        which: str,
        says: str,
        remediation: str = "",
        severity: Severity | None = None,
        **evidence: str,
    ) -> Discovered:
        """Return a finding about this server."""
        return Discovered(
            kind=kind,
            about=f"server:{self.server.name}",
            which=which,
            says=plain(says),
            places=(self.server.place,),
            severity=severity,
            owner=self.owner,
            evidence={name: plain(value) for name, value in evidence.items()},
            reach=self.reach,
            remediation=remediation,
        )

    @property
    def reach(self) -> tuple[str, ...]:
        """What the server holds and reaches, in words."""
        names = [*self.server.environment, *self.server.headers]
        held = [
            one for one in names if re.search(r"(?i)key|token|secret|passw|auth|cred|cookie|dsn|url|uri", one)
        ]
        out = [f"its credentials: {', '.join(plain(one) for one in held[:8])}"] if held else []
        out.append(plain(self.target))
        if self.program.container:
            mounts = [
                one for one in self.program.container if one.startswith(("-v ", "--volume ", "--mount "))
            ]
            out += [f"the host's files: {plain(one)}" for one in mounts[:4]]
        return tuple(out)


def judged_server(one: JudgedServer, governed: frozenset[str]) -> Iterator[Discovered]:
    """Yield what is wrong with a server; one that is switched off, or behind remit, starts nothing itself."""
    server = one.server
    if server.governed or server.disabled:
        return
    if not _is_governed(one, governed):
        yield one.found(
            FindingKind.UNGOVERNED_SERVER,
            one.target,
            f"{one.says} reaches {one.target} without remit",
            f"put it behind remit: `remit wrap {plain(server.place.file)}`",
            client=server.client,
            target=one.target,
        )
    yield from _unpinned(one)
    yield from _lookalikes(one)
    yield from _wide(one)
    yield from _open(one)


def _is_governed(one: JudgedServer, governed: frozenset[str]) -> bool:
    if one.server.name in governed or one.target in governed:
        return True
    try:
        parts = urlsplit(one.program.url)
        own = parts.port == _OWN_PORT and parts.path.startswith("/mcp")
    except ValueError:
        return False
    return own and _LOOPBACK.fullmatch(parts.hostname or "") is not None


def _unpinned(one: JudgedServer) -> Iterator[Discovered]:
    if one.program.piped:
        yield one.found(
            FindingKind.UNPINNED_COMMAND,
            "piped",
            f"{one.says} runs what it downloads at each start: `{one.program.piped}`",
            "download the program once, check it, and start the copy",
            Severity.HIGH,
        )
    for package in one.program.packages:
        if package.pinned:
            continue
        known = is_known(package)
        what = "with a version that moves" if package.version else "without a version"
        yield one.found(
            FindingKind.UNPINNED_COMMAND,
            f"{package.registry.value}:{package.name}",
            f"{one.says} starts `{package.shown}` by `{package.runner}` {what}",
            f"write the version that you reviewed, such as `{_pinned(package)}`",
            Severity.LOW if known else Severity.MEDIUM,
            package=package.name,
            version=package.version,
        )


def _pinned(package: ServerPackage) -> str:
    if package.registry is Registry.PYPI:
        return f"{package.name}==1.2.3"
    if package.registry is Registry.DOCKER:
        return f"{package.name}@sha256:DIGEST"
    if package.registry is Registry.GIT:
        return f"{package.name}@COMMIT"
    if package.registry is Registry.WEB:
        return "a package of a registry with its version"
    return f"{package.name}@1.2.3"


def _lookalikes(one: JudgedServer) -> Iterator[Discovered]:
    for package in one.program.packages:
        found = lookalike(package)
        if found is None:
            continue
        elsewhere = found.known == package.name.lower()
        yield one.found(
            FindingKind.LOOKALIKE_PACKAGE,
            f"{package.registry.value}:{package.name}",
            f"{one.says} starts `{package.name}` of {package.registry.value}, "
            f"which is easily taken for `{found.known}`: {found.why}",
            "check the publisher of the package"
            if elsewhere
            else f"check the publisher, or use `{found.known}`",
            Severity.MEDIUM if elsewhere else None,
            package=package.name,
            known=found.known,
        )


def _wide(one: JudgedServer) -> Iterator[Discovered]:
    for which, says, fix, severity in (*_of_container(one.program.container), *_of_words(one)):
        yield one.found(FindingKind.WIDE_AUTHORITY, which, f"{one.says} {says}", fix, severity)


_Wide = tuple[str, str, str, Severity]


def _of_container(options: tuple[str, ...]) -> Iterator[_Wide]:
    for option in options:
        name, _, value = option.partition(" ")
        if name == "--privileged" and value in ("", "true"):
            yield ("privileged", "runs in a privileged container", "remove `--privileged`", Severity.CRITICAL)
        elif name in ("-v", "--volume", "--mount"):
            source = _mount_source(value)
            if "docker.sock" in source or "containerd.sock" in source or "podman.sock" in source:
                yield (
                    "socket",
                    "can control the container engine, and with it the host",
                    "remove the mount of the socket",
                    Severity.CRITICAL,
                )
            elif _ROOTS.fullmatch(source):
                yield (
                    f"mount {source}",
                    f"can read the host's `{source}`" + ("" if _is_read_only(value) else ", and write it"),
                    "mount only the folder that it needs, with `:ro` if it only reads",
                    Severity.HIGH,
                )
        elif (name in ("--pid", "--ipc", "--userns") and value == "host") or (
            name == "--cap-add" and value.upper().removeprefix("CAP_") in ("ALL", "SYS_ADMIN", "SYS_PTRACE")
        ):
            yield (option, f"shares the host (`{option}`)", f"remove `{option}`", Severity.HIGH)
        elif name in ("--network", "--net") and value == "host":
            yield (
                option,
                "reaches everything that listens on the host (`--network host`)",
                "give it a separate network",
                Severity.MEDIUM,
            )


def _mount_source(value: str) -> str:
    found = re.search(r"(?:^|,)(?:source|src)=([^,]*)", value)
    if found:
        return found[1]
    drive = value[:2] if re.match(r"[A-Za-z]:[\\/]", value) else ""
    return drive + value[len(drive) :].partition(":")[0]


def _is_read_only(value: str) -> bool:
    return value.endswith(":ro") or "readonly" in value


def _of_words(one: JudgedServer) -> Iterator[_Wide]:
    words = one.program.words
    if words and words[0].rpartition("/")[2] == "sudo":
        yield ("sudo", "runs as an administrator (`sudo`)", "run it as its own user", Severity.HIGH)
    for word in words:
        if _UNGUARDED.fullmatch(word):
            yield (word, f"runs without its own guard (`{word}`)", f"remove `{word}`", Severity.HIGH)
    names = " ".join(
        (one.server.name, *(package.name for package in one.program.packages), *words[:2])
    ).lower()
    if _FILES.search(names):
        for word in words[1:]:
            if _ROOTS.fullmatch(word):
                yield (
                    f"root {word}",
                    f"may read and write all of `{word}`",
                    "name only the folders that its work needs",
                    Severity.HIGH,
                )
    if "*" in one.server.allowed:
        yield (
            "asks nothing",
            "is called without a question, whatever the tool (`*`)",
            "name the tools that only read",
            Severity.MEDIUM,
        )


def _open(one: JudgedServer) -> Iterator[Discovered]:
    try:
        parts = urlsplit(one.program.url)
        host = parts.hostname or ""
    except ValueError:
        return
    outside = host and not _LOOPBACK.fullmatch(host) and not _PLACEHOLDER.search(host)
    if parts.scheme in ("http", "ws") and outside and host != "0.0.0.0" and not _is_local_name(host):  # noqa: S104
        sends = bool(one.server.headers) or "…" in one.program.url
        yield one.found(
            FindingKind.OPEN_CONNECTION,
            f"plain {host}",
            f"{one.says} is reached at `{host}` without encryption"
            + (", with its credentials" if sends else ""),
            f"use `https://{host}`",
            Severity.HIGH if sends else None,
        )
    words = one.program.words
    listens = any(
        word == "0.0.0.0" or re.fullmatch(r"(?:--?[\w-]+=|\[?)(?:0\.0\.0\.0|::)\]?(?::\d+)?", word)  # noqa: S104
        for word in (*words, *(part for option in one.program.container for part in _published(option)))
    )
    if listens:
        yield one.found(
            FindingKind.OPEN_CONNECTION,
            "listens",
            f"{one.says} listens to the whole network (0.0.0.0)",
            "let it listen on 127.0.0.1",
        )


def _published(option: str) -> list[str]:
    name, _, value = option.partition(" ")
    return ["0.0.0.0"] if name in ("-p", "--publish") and value.startswith("0.0.0.0:") else []  # noqa: S104


def _is_local_name(host: str) -> bool:
    """Return whether a host is of the machine's own network of containers: a single word."""
    return "." not in host and ":" not in host
