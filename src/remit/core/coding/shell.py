# SPDX-License-Identifier: Apache-2.0
"""Shell commands, parsed into programs, paths and hosts. Nothing is executed or expanded.

tree-sitter's grammar of bash parses. Where it reports an error, where a program's name is computed, or where
a program is unknown, the command counts as the worst case: `Deed.ANY`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import msgspec
import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from remit.core.coding.loopback import stays_here
from remit.core.coding.paths import CodingPathKind, absolute, kind_of, within
from remit.core.coding.programs import (
    INLINE,
    INTERPRETERS,
    MODULES,
    PROGRAMS,
    RUNNERS,
    SHELLS,
    WRAPPERS,
    Deed,
    deed_of,
    plain,
)

MAX_COMMAND: Final = 64 * 1024
"""Longest command that is parsed, in bytes; a longer one is the worst case."""
MAX_NODES: Final = 20_000
MAX_NESTED: Final = 4
"""Commands within commands (`bash -c`) that are followed."""

_BASH: Final = Language(tree_sitter_bash.language())
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>|;`$\\]+")
_AT_HOST: Final = re.compile(r"^(?:[\w.+-]+@)([A-Za-z0-9.-]+)(?::.*)?$")
_HOST_PATH: Final = re.compile(r"^([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)(?::\d+)?(?:/.*)?$")
_QUIET: Final = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty"})
#: Options with which clients of the web save what they read.
_SAVES: Final = {
    "curl": ("-o", "--output", "--output-dir"),
    "wget": ("-O", "--output-document", "-P", "--directory-prefix"),
}
#: Options that are followed by a file which lists packages.
_LISTS: Final = frozenset({"-r", "--requirement", "-c", "--constraint"})
#: A package with the extras or versions that package managers write after its name.
_VERSIONED: Final = re.compile(
    r"(@?[A-Za-z0-9][\w./-]*?)(?:\[[\w,. -]*\])?(?:(?:[=<>!~]=?=?|@)[\w.*+!^~-]+(?:,[=<>!~]=?=?[\w.*+!-]+)*)?"
)
#: Programs whose words are texts or patterns, not paths.
_TEXT: Final = frozenset(
    {"echo", "printf", "test", "[", "expr", "jq", "yq", "true", "false", "sleep", "export"}
)
#: Programs whose first word is a pattern or a script.
_PATTERN: Final = frozenset({"grep", "egrep", "fgrep", "rg", "ag", "ack", "sed", "awk", "gawk"})
_WRITABLE: Final = ("/tmp", "/var/tmp", "/private/tmp")  # noqa: S108 - names of places, which nothing opens
_FILES: Final = frozenset(
    {
        "tgz", "gz", "zip", "tar", "json", "txt", "md", "py", "js", "ts", "html", "css", "yaml", "yml",
        "toml",
        "sh", "sql", "csv", "log", "pem", "key", "xml", "tf", "lock", "bin", "out",
    }
)  # fmt: skip
#: Variables that decide which code a known program runs.
_STEERING: Final = re.compile(
    r"LD_|DYLD_|GIT_(?!AUTHOR|COMMITTER)|(?:BASH_)?ENV$|PATH$|IFS$|.*PAGER$|EDITOR$|VISUAL$|PROMPT_COMMAND$|"
    r"NODE_OPTIONS$|PYTHON(?:PATH|STARTUP|HOME)$|PERL5OPT$|RUBYOPT$|(?i:https?|all|no)_(?i:proxy)$|CURL_HOME$|WGETRC$"
)
#: Parts of a command whose change of folder ends with them.
_CLOSED: Final = frozenset({"subshell", "command_substitution", "process_substitution", "pipeline"})


class ShellCommand(msgspec.Struct, frozen=True, kw_only=True):
    """What a shell command does, as far as its text shows.

    `here` is the worst of its requests to this machine: `LOOK` for none. `programs` are in order of
    appearance, each once. `reads` and `writes` are absolute paths; `to` are URLs
    and hosts as written; `secrets` are the read paths that hold secrets; `packages` are what it installs.
    """

    deed: Deed
    here: Deed = Deed.LOOK
    programs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    parsed: bool = True

    def outside(self, workspace: str) -> tuple[str, ...]:
        """Return the written paths that are not the workspace's or temporary."""
        return tuple(
            one
            for one in self.writes
            if kind_of(one, workspace, write=True) not in (CodingPathKind.WORKSPACE, CodingPathKind.FOREIGN)
            and not any(one == root or one.startswith(root + "/") for root in _WRITABLE)
        )


class _Reading:
    """One command while it is read."""

    def __init__(self, cwd: str, workspace: str, depth: int) -> None:
        self.cwd, self.workspace, self.depth = cwd, workspace, depth
        self.deed = self.here = Deed.LOOK
        self.local: set[str] = set()
        self.parsed = True
        self.programs: dict[str, None] = {}
        self.reads: dict[str, None] = {}
        self.writes: dict[str, None] = {}
        self.to: dict[str, None] = {}
        self.packages: dict[str, None] = {}
        self.functions: set[str] = set()
        self.left: list[tuple[int, str]] = []

    def done(self) -> ShellCommand:
        reads = tuple(self.reads)
        secrets = tuple(one for one in reads if kind_of(one, self.workspace) is CodingPathKind.SECRET)
        if secrets:
            # A port of this machine may lead outside.
            self.does(self.here)
            self.here = Deed.LOOK
            self.local.clear()
        return ShellCommand(
            deed=self.deed,
            here=self.here,
            programs=tuple(self.programs),
            reads=reads,
            writes=tuple(self.writes),
            to=tuple(one for one in self.to if one not in self.local),
            secrets=secrets,
            packages=tuple(self.packages),
            parsed=self.parsed,
        )

    def worst(self, *, parsed: bool = True) -> None:
        self.deed = Deed.ANY
        self.parsed = self.parsed and parsed

    def does(self, deed: Deed) -> None:
        self.deed = max(self.deed, deed)

    def text(self, source: str) -> None:
        """Read a whole command."""
        encoded = source.encode("utf-8", "replace")
        for url in _URL.findall(source[:MAX_COMMAND]):
            self.to[url.rstrip(").,;")] = None
        if len(encoded) > MAX_COMMAND or self.depth > MAX_NESTED:
            self.worst(parsed=False)
            return
        root = Parser(_BASH).parse(encoded).root_node
        if root.has_error:
            self.worst(parsed=False)
        for count, node in enumerate(_nodes(root)):
            if count > MAX_NODES:
                self.worst(parsed=False)
                return
            self.node(node)

    def node(self, node: Node) -> None:
        kind = node.type
        while self.left and node.start_byte >= self.left[-1][0]:
            self.cwd = self.left.pop()[1]
        if kind in _CLOSED:
            self.left.append((node.end_byte, self.cwd))
        elif kind == "command":
            self.command(node)
        elif kind == "variable_assignment":
            name = node.child_by_field_name("name")
            if name is not None and _STEERING.match((name.text or b"").decode("utf-8", "replace")):
                self.worst()
        elif kind == "file_redirect":
            self.redirect(node)
        elif kind == "function_definition":
            name = node.child_by_field_name("name")
            self.functions.add(_said(name)[0] if name is not None else "")
        elif kind == "declaration_command":
            self.programs["export"] = None

    def redirect(self, node: Node) -> None:
        target = node.child_by_field_name("destination")
        if target is None or target.type == "number":
            return
        path, literal = _said(target)
        signs = {one.type for one in node.children if not one.is_named}
        reads = signs <= {"<", "<<<"}
        if path.startswith(("/dev/tcp/", "/dev/udp/")):
            self.to[path.split("/")[3] if path.count("/") > 2 else path] = None
            self.worst()
        elif not literal:
            self.does(Deed.LOOK if reads else Deed.WORK)
        elif path not in _QUIET and not path.isdigit():
            if not reads:
                self.does(Deed.WORK)
            self.path(path, write=not reads)

    def path(self, path: str, *, write: bool = False) -> None:
        (self.writes if write else self.reads)[absolute(path, self.cwd)] = None

    def command(self, node: Node) -> None:
        name = node.child_by_field_name("name")
        if name is None:
            return
        first = name.named_children[0] if name.named_children else name
        words = [_said(one) for one in node.children_by_field_name("argument")]
        said, literal = _said(first)
        self.run([(said, literal), *words], piped=_fed(node))

    def run(self, words: list[tuple[str, bool]], *, piped: bool = False) -> None:
        """Read a program with its words; wrappers are read through."""
        words = list(words)
        wrapped = False
        while words:
            (said, literal), *rest = words
            if not literal or not said:
                self.worst()
                return
            name = said.rpartition("/")[2]
            if name in WRAPPERS:
                self.programs[name] = None
                if name in ("sudo", "doas"):
                    self.worst()
                if name in RUNNERS and not _names_known(rest):
                    self.does(Deed.INSTALL)
                    self.packages.update({one: None for one, _ in _inner(rest, runner=True)[:1]})
                words = _inner(rest, runner=name in RUNNERS)
                wrapped = True
                if not words and name not in ("env", "command", "exec"):
                    self.worst()
                continue
            self.program(said, name, rest, piped=piped or wrapped)
            return

    def program(self, said: str, name: str, words: list[tuple[str, bool]], *, piped: bool) -> None:
        self.programs[name] = None
        texts = [text for text, _ in words]
        if name in SHELLS:
            self.shell(texts, words, piped=piped)
        elif name in INTERPRETERS:
            self.interpreter(name, texts, words)
        elif name == "cd":
            self.enter(words)
        elif name == "eval":
            self.worst()
        elif "/" in said and name not in PROGRAMS:
            own = within(absolute(said, self.cwd), self.workspace)
            self.does(Deed.WORK if own else Deed.ANY)
        elif said in self.functions:
            return
        elif name == "make" or said in PROGRAMS or name in PROGRAMS:
            self.known(name, texts, words)
        else:
            self.worst()

    def enter(self, words: list[tuple[str, bool]]) -> None:
        """Follow a change of folder; an unknown one is the worst case, since later paths begin there."""
        where = [(text, fixed) for text, fixed in words if not text.startswith("-") or text == "-"]
        if not all(fixed for _, fixed in where) or where[:1] == [("-", True)]:
            self.worst()
        else:
            self.cwd = absolute(where[0][0] if where else "~", self.cwd)

    def shell(self, texts: list[str], words: list[tuple[str, bool]], *, piped: bool) -> None:
        flags = [one for one in texts if one.startswith("-")]
        if any(one.startswith("-") and not one.startswith("--") and "c" in one for one in flags):
            at = next(at for at, one in enumerate(texts) if one[:1] == "-" and "c" in one)
            inner = words[at + 1] if at + 1 < len(words) else ("", False)
            if not inner[1]:
                self.worst()
                return
            nested = _Reading(self.cwd, self.workspace, self.depth + 1)
            nested.text(inner[0])
            self.take(nested)
            return
        files = plain(texts, frozenset({"-o", "-O"}))
        if not files or piped:
            self.worst()  # its code comes from a pipe, or from words that a wrapper adds
            return
        self.script(files[0])

    def take(self, other: _Reading) -> None:
        """Add what a command within this one does."""
        self.does(other.deed)
        self.here = max(self.here, other.here)
        self.local |= other.local
        self.parsed = self.parsed and other.parsed
        for mine, its in (
            (self.programs, other.programs),
            (self.reads, other.reads),
            (self.writes, other.writes),
            (self.to, other.to),
            (self.packages, other.packages),
        ):
            mine.update(its)

    def script(self, path: str) -> None:
        where = absolute(path, self.cwd)
        self.reads[where] = None
        self.does(Deed.WORK if within(where, self.workspace) else Deed.ANY)

    def interpreter(self, name: str, texts: list[str], words: list[tuple[str, bool]]) -> None:
        if texts in (["--version"], ["-V"], ["-v"]):
            return
        if any(one in INLINE for one in texts):
            self.worst()
            return
        if name.startswith("py") and "-m" in texts:
            at = texts.index("-m") + 1
            module = texts[at] if at < len(texts) else ""
            if module in ("pip", "uv"):
                self.program(module, module, words[at + 1 :], piped=False)
            else:
                self.does(Deed.WORK if module.partition(".")[0] in MODULES or module in MODULES else Deed.ANY)
            return
        verb = plain(texts, frozenset({"-W", "-X", "--require", "-r", "--loader", "--import"}))
        if name in ("bun", "deno") and verb[:1] and verb[0] in PROGRAMS["npm"].verbs:
            self.known("npm", texts, words)
        elif not verb or verb[0] == "-" or not all(literal for text, literal in words if text == verb[0]):
            self.worst()
        else:
            self.script(verb[0])

    def known(self, name: str, texts: list[str], words: list[tuple[str, bool]]) -> None:
        program = PROGRAMS.get(name) or PROGRAMS["make"]
        deed = deed_of(name, texts) if name in PROGRAMS else Deed.WORK
        found = plain(texts, program.valued)
        if stays_here(name, words):
            self.here = max(self.here, deed)
            addresses = {one.rstrip(").,;") for one in _URL.findall(" ".join(texts))}
            self.local |= addresses
            self.to.update(dict.fromkeys(addresses))
            self.sent(name, texts)
            return
        self.does(deed)
        literal = {text for text, fixed in words if fixed}
        if program.host and deed >= Deed.FETCH:
            self.to[program.host] = None
        if program.hosts or name == "git":
            for word in found if name != "git" else found[1:]:
                self.host(word, program.hosts)
        if name == "git" and deed is Deed.FETCH and found[:1] != ["ls-remote"]:
            self.path(".", write=True)
        if deed is Deed.INSTALL:
            listed = [texts[at + 1] for at, one in enumerate(texts[:-1]) if one in _LISTS]
            for word in found[1:] if found[1:2] != ["install"] else found[2:]:
                if word in listed and "://" not in word:
                    self.path(word)
                elif not word.startswith((".", "/")):
                    self.packages[_package(word)] = None
        if name not in _TEXT and not program.hosts:
            values = [one.partition("=")[2] for one in texts if one.startswith("--") and "=" in one]
            for word in [*(found[1:] if name in _PATTERN else found), *values]:
                if (word in literal or word in values) and _path_like(word):
                    self.path(word, write=program.writes and deed is Deed.WORK)
                    if program.writes:
                        self.reads[absolute(word, self.cwd)] = None
        elif program.hosts:
            self.sent(name, texts)

    def sent(self, name: str, texts: list[str]) -> None:
        """Note which files a client of the web sends, and where it saves what it reads."""
        self.saved(name, texts)
        for word in texts:
            bare = word.partition("=")[2] or word
            bare = bare.removeprefix("@")
            if bare != word and _path_like(bare):
                self.path(bare)
            elif _path_like(word) and "://" not in word and not _HOST_PATH.match(word):
                self.path(word)

    def saved(self, name: str, texts: list[str]) -> None:
        """Note where a client of the web saves what it reads; without a name, in this folder."""
        for at, word in enumerate(texts):
            option, _, value = word.partition("=")
            if option in _SAVES.get(name, ()):
                target = value or (texts[at + 1] if at + 1 < len(texts) else ".")
                if target != "-" and target not in _QUIET:
                    self.path(target, write=True)
                return
        if name == "wget" or (name == "curl" and any(one in ("-O", "--remote-name") for one in texts)):
            self.path(".", write=True)

    def host(self, word: str, bare: bool) -> None:
        if "://" in word:
            return
        if found := _AT_HOST.match(word):
            self.to[found[1]] = None
        elif bare and (match := _HOST_PATH.match(word)) and not _path_like_file(word):
            self.to[match[1]] = None


def _package(word: str) -> str:
    """Return the name of a package without its version, as a person says it."""
    found = _VERSIONED.fullmatch(word)
    return found[1] if found else word


def _inner(rest: list[tuple[str, bool]], *, runner: bool = False) -> list[tuple[str, bool]]:
    """Return the command of a wrapper: what follows its options, settings and numbers."""
    at = 0
    while at < len(rest):
        word = rest[at][0]
        if word.startswith("-") and word != "--":
            # A short option may take the next word: `-u ben`, `-n 1`. A known program is never its value.
            follows = rest[at + 1][0] if at + 1 < len(rest) else ""
            lone = len(word) == 2 and follows and not follows.startswith("-")
            lone = word == "-p" if runner else lone
            at += 2 if lone and follows not in PROGRAMS and follows not in SHELLS | INTERPRETERS else 1
        elif word == "--" or "=" in word.partition("/")[0] or re.fullmatch(r"\d+(?:\.\d+)?[smhd]?", word):
            at += 1
        else:
            return rest[at:]
    return []


def _names_known(words: list[tuple[str, bool]]) -> bool:
    """Return whether a runner of packages is given a program that projects usually have installed."""
    inner = _inner(words, runner=True)
    return bool(inner) and inner[0][0] in PROGRAMS


def _path_like(word: str) -> bool:
    if "://" in word or _AT_HOST.match(word) or len(word) > 1024 or "\n" in word:
        return False
    return "/" in word or word.startswith(("~", ".")) or kind_of("/" + word, "") is CodingPathKind.SECRET


def _path_like_file(word: str) -> bool:
    """Return whether a word with dots is rather a file than a host."""
    last = word.rpartition(".")[2].lower()
    return word.startswith(".") or last in _FILES


def _fed(node: Node) -> bool:
    """Return whether a command reads what another one writes, or a text below it."""
    above = node.parent
    if above is not None and above.type == "redirected_statement":
        if any(one.type in ("heredoc_redirect", "herestring_redirect") for one in above.children):
            return True
        node, above = above, above.parent
    return above is not None and above.type == "pipeline" and above.named_children[0] != node


def _nodes(root: Node) -> Iterator[Node]:
    """Yield all nodes in order, without recursion."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.named_children))


def _said(node: Node) -> tuple[str, bool]:
    """Return a word as the shell would pass it on, and whether its text shows all of it."""
    raw = (node.text or b"").decode("utf-8", "replace")
    kind = node.type
    if kind in ("word", "number"):
        return re.sub(r"\\(.)", r"\1", raw), True
    if kind == "raw_string":
        return raw[1:-1], True
    if kind == "string":
        fixed = all(one.type == "string_content" for one in node.named_children)
        return raw[1:-1].replace('\\"', '"'), fixed
    if kind == "concatenation":
        parts = [_said(one) for one in node.named_children]
        return "".join(text for text, _ in parts), all(fixed for _, fixed in parts)
    if kind == "simple_expansion" and raw in ("$HOME", "${HOME}"):
        return "~", True
    if kind == "expansion" and raw == "${HOME}":
        return "~", True
    return raw, False


@lru_cache(4096)
def parse(command: str, cwd: str, workspace: str) -> ShellCommand:
    """Parse a shell command that is run in `cwd` by an assistant that works in `workspace`."""
    reading = _Reading(cwd or workspace, workspace, 0)
    reading.text(command)
    return reading.done()
