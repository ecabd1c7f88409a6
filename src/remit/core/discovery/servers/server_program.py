# SPDX-License-Identifier: Apache-2.0
"""The program that a server's command starts: its package and version, through shells and runners."""

from __future__ import annotations

import enum
import re
import shlex
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from remit.core.coding.client_servers import program_name
from remit.core.discovery.declared import DeclaredServer


class Registry(enum.StrEnum):
    """Where a package comes from."""

    NPM = "npm"
    PYPI = "pypi"
    DOCKER = "docker"
    GO = "go"
    GIT = "git"
    WEB = "web"


class ServerPackage(msgspec.Struct, frozen=True, kw_only=True):
    """A package that is fetched when a server starts.

    `version` is as written; `pinned` says that the same name gives the same content tomorrow. `runner` is
    the program that fetches it.
    """

    registry: Registry
    name: str
    version: str = ""
    pinned: bool = False
    runner: str = ""

    @property
    def shown(self) -> str:
        """The package with its version, as people write it."""
        tag = self.registry is Registry.DOCKER and not self.version.startswith("sha256:")
        return f"{self.name}{':' if tag else '@'}{self.version}" if self.version else self.name


class ServerProgram(msgspec.Struct, frozen=True, kw_only=True):
    """What a server's command comes to: its packages, its container's options, and a remote address."""

    words: tuple[str, ...] = ()
    packages: tuple[ServerPackage, ...] = ()
    container: tuple[str, ...] = ()
    url: str = ""
    piped: str = ""


_SHELLS: Final = frozenset({"sh", "bash", "zsh", "dash", "fish", "cmd", "powershell", "pwsh"})
#: Programs that start another, and how many words of theirs come first.
_STARTERS: Final = frozenset(
    {
        "env",
        "sudo",
        "nohup",
        "nice",
        "time",
        "timeout",
        "wsl",
        "mise",
        "dotenv",
        "doppler",
        "op",
        "xvfb-run",
        "stdbuf",
        "exec",
        "direnv",
        "nix-shell",
        "caffeinate",
    }
)
_NPM: Final = frozenset({"npx", "bunx", "pnpx"})
_DLX: Final = {"npm": ("exec", "x"), "pnpm": ("dlx", "exec"), "yarn": ("dlx",), "bun": ("x",)}
_PYTHON: Final = {"uv": ("tool", "run"), "pipx": ("run",)}
_CONTAINERS: Final = frozenset({"docker", "podman", "nerdctl", "finch"})
#: Options of a container's run that take the next word.
_CONTAINER_VALUES: Final = frozenset(
    [
        "-e",
        "--env",
        "-v",
        "--volume",
        "--mount",
        "-p",
        "--publish",
        "--name",
        "--network",
        "--net",
        "-u",
        "--user",
        "-w",
        "--workdir",
        "--entrypoint",
        "--env-file",
        "-l",
        "--label",
        "--platform",
        "--pull",
        "--cpus",
        "-m",
        "--memory",
        "--add-host",
        "--cap-add",
        "--cap-drop",
        "--device",
        "--security-opt",
        "--tmpfs",
        "--restart",
        "--hostname",
        "-h",
        "--gpus",
        "--ipc",
        "--pid",
        "--runtime",
        "--shm-size",
        "--ulimit",
        "--log-driver",
        "--dns",
        "--init-path",
        "--cidfile",
        "--group-add",
        "--userns",
    ]
)
#: Options of npx, uvx and the like that take the next word.
_PACKAGE_OPTIONS: Final = frozenset({"-p", "--package", "--from", "--spec"})
_ALSO: Final = frozenset({"--with", "--with-requirements"})
_VALUE_OPTIONS: Final = frozenset(
    {
        "--python",
        "--index-url",
        "--index",
        "--extra-index-url",
        "--directory",
        "--project",
        "--registry",
        "--cache",
        "--env-file",
        "-c",
        "--call",
        "--with-editable",
        "--refresh-package",
        "--prerelease",
    }
)
_EXACT: Final = re.compile(r"[vV=]*\d+\.\d+(?:\.\d+)*(?:[-.+]?[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*)?")
_NPM_EXACT: Final = re.compile(r"[v=]?\d+\.\d+\.\d+(?:[-+][A-Za-z0-9.+-]+)?")
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")
_GIT: Final = re.compile(r"git\+|github:|gitlab:|bitbucket:|[a-z+]+://[^\s]+\.git\b|git@")
_PIPED: Final = re.compile(
    r"\b(?:curl|wget|iwr|irm|invoke-webrequest)\b[^|;&]{0,400}\|\s{0,9}(?:sudo\s+)?(?:env\s+)?"
    r"(?:ba|z|da|fi)?sh\b|\b(?:curl|wget)\b[^|]{0,400}\|\s{0,9}(?:python3?|node|perl|ruby|iex)\b"
    r"|(?:ba|z)?sh\s+<\(\s{0,9}(?:curl|wget)\b|\$\(\s{0,9}(?:curl|wget)\b|`\s{0,9}(?:curl|wget)\b"
    r"|\b(?:iwr|irm|invoke-webrequest)\b[^|]{0,400}\|\s{0,9}iex\b",
    re.IGNORECASE,
)
_DEPTH: Final = 5


def program_of(server: DeclaredServer) -> ServerProgram:
    """Return the program of a server's command; empty for a server by address."""
    if not server.command:
        return ServerProgram(url=server.url)
    words = [server.command, *server.arguments]
    if " " in server.command.strip() and not re.search(r"[/\\]", server.command.partition(" ")[0]):
        words = [*_split(server.command), *server.arguments]
    found = _read(words, 0)
    return msgspec.structs.replace(found, url=found.url or server.url, words=tuple(words))


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line[:4000])
    except ValueError:
        return line[:4000].split()


def _read(words: Sequence[str], depth: int) -> ServerProgram:
    """Read a command: shells, starters and runners are looked through."""
    words = [one for one in words if one]
    if not words or depth > _DEPTH:
        return ServerProgram()
    name, rest = program_name(words[0]), list(words[1:])
    if name in _SHELLS:
        return _shell(rest, depth)
    if name in _STARTERS or "=" in words[0]:
        return _read(_after_starter(rest), depth + 1)
    if name in _NPM:
        return _packages(rest, Registry.NPM, name)
    if name in _DLX and rest and rest[0] in _DLX[name]:
        return _packages(rest[1:], Registry.NPM, f"{name} {rest[0]}")
    if name == "uvx":
        return _packages(rest, Registry.PYPI, name)
    if name in _PYTHON and tuple(rest[: len(_PYTHON[name])]) == _PYTHON[name]:
        return _packages(rest[len(_PYTHON[name]) :], Registry.PYPI, " ".join((name, *_PYTHON[name])))
    if name == "uv" and rest[:1] == ["run"]:
        return _uv_run(rest[1:])
    if name in _CONTAINERS:
        return _container(rest, name)
    if name == "go" and rest[:1] == ["run"]:
        return _go(rest[1:])
    if name == "deno":
        return _deno(rest)
    return ServerProgram()


def _shell(rest: list[str], depth: int) -> ServerProgram:
    while rest and (rest[0].startswith("-") or re.fullmatch(r"/[A-Za-z]", rest[0])):
        rest = rest[1:]
    line = rest[0] if len(rest) == 1 else shlex.join(rest)
    if piped := _PIPED.search(line[:4000]):
        return ServerProgram(piped=piped[0][:80])
    if len(rest) == 1:
        # Of several commands, the last one is the server.
        rest = _split(re.split(r"&&|\|\||;|\n", line[:4000])[-1])
    return _read(rest, depth + 1)


def _after_starter(rest: list[str]) -> list[str]:
    for number, word in enumerate(rest):
        if word == "--":
            return rest[number + 1 :]
        if (
            program_name(word)
            in _NPM | _DLX.keys() | _PYTHON.keys() | _CONTAINERS | {"uvx", "go", "deno"} | _SHELLS
        ):
            return rest[number:]
    return []


def _packages(rest: list[str], registry: Registry, runner: str) -> ServerProgram:
    """Read the options and the package of a runner; what follows belongs to the server."""
    named: list[str] = []
    also: list[str] = []
    first, skip = "", ""
    after: list[str] = []
    for number, word in enumerate(rest):
        if skip:
            (named if skip in _PACKAGE_OPTIONS else also if skip in _ALSO else []).append(word)
            skip = ""
        elif word.startswith("-") and word != "-":
            option, equals, value = word.partition("=")
            if not equals:
                skip = option if option in _PACKAGE_OPTIONS | _ALSO | _VALUE_OPTIONS else ""
            elif option in _PACKAGE_OPTIONS:
                named.append(value)
        else:
            first, after = word, rest[number + 1 :]
            break
    specs = named or ([first] if first else [])
    made = [package for one in (*specs, *also) if (package := package_of(one, registry, runner))]
    url = next((one for one in after if one.startswith(("http://", "https://"))), "")
    bridges = any(one.name in ("mcp-remote", "mcp-proxy", "supergateway") for one in made)
    return ServerProgram(packages=tuple(made), url=url if bridges else "")


def package_of(spec: str, registry: Registry, runner: str) -> ServerPackage | None:
    """Return the package that a word names; None for a local path, or a program of the project itself."""
    spec = spec[:400]
    if (
        not spec
        or spec.startswith((".", "/", "~", "\\", "$", "file:", "{"))
        or re.match(r"[A-Za-z]:[\\/]", spec)
    ):
        return None
    if _GIT.match(spec):
        source, _, ref = spec.partition("#") if "#" in spec else _git_ref(spec)
        ref = ref.removeprefix("egg=").partition("&")[0]
        return ServerPackage(
            registry=Registry.GIT,
            name=source,
            version=ref,
            pinned=_COMMIT.fullmatch(ref) is not None and len(ref) >= 7,
            runner=runner,
        )
    if spec.startswith(("http://", "https://")):
        return ServerPackage(registry=Registry.WEB, name=spec, runner=runner)
    if registry is Registry.NPM:
        at = spec.find("@", 1)
        name, version = (spec[:at], spec[at + 1 :]) if at > 0 else (spec, "")
        if re.search(r"\.[cm]?[jt]sx?$", name) or name in _LOCAL_TOOLS:
            return None
        return ServerPackage(
            registry=registry,
            name=name,
            version=version,
            pinned=_NPM_EXACT.fullmatch(version) is not None,
            runner=runner,
        )
    found = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*(?:(===?|@|[<>~!]=?)\s*(.*))?$", spec)
    if found is None:
        return ServerPackage(registry=registry, name=spec, runner=runner)
    name, sign, version = found[1], found[2] or "", (found[3] or "").strip()
    if name.endswith(".py"):
        return None
    exact = sign in ("==", "===", "@") and _EXACT.fullmatch(version) is not None
    shown = version if sign in ("==", "===", "@", "") else f"{sign}{version}"
    return ServerPackage(registry=registry, name=name, version=shown, pinned=exact, runner=runner)


#: Tools that npx starts from the project's own packages.
_LOCAL_TOOLS: Final = frozenset(
    {"tsx", "ts-node", "nodemon", "dotenv", "dotenv-cli", "cross-env", "wrangler", "tsc", "node", "vite-node"}
)


def _git_ref(spec: str) -> tuple[str, str, str]:
    """Split `git+https://host/path@ref`; an `@` of a login is no ref."""
    start = spec.find("://") + 3 if "://" in spec else 0
    slash = spec.find("/", start)
    at = spec.find("@", slash if slash > 0 else len(spec))
    return (spec[:at], "@", spec[at + 1 :]) if at > 0 else (spec, "", "")


def _uv_run(rest: list[str]) -> ServerProgram:
    """`uv run` starts the project's own program; only `--with` fetches more."""
    also = [rest[n + 1] for n, one in enumerate(rest[:-1]) if one == "--with"]
    also += [one.partition("=")[2] for one in rest if one.startswith("--with=")]
    specs = [
        part
        for one in also
        for part in one.split(",")
        if not part.startswith(("mcp[", "mcp=")) and part != "mcp"
    ]
    made = [package for one in specs if (package := package_of(one, Registry.PYPI, "uv run --with"))]
    return ServerProgram(packages=tuple(made))


def _container(rest: list[str], runner: str) -> ServerProgram:
    if rest[:1] == ["mcp"] or "run" not in rest[:3]:
        return ServerProgram()
    rest = rest[rest.index("run") + 1 :]
    options: list[str] = []
    at = 0
    while at < len(rest) and rest[at].startswith("-"):
        word = rest[at]
        takes = word in _CONTAINER_VALUES and at + 1 < len(rest)
        options.append(f"{word} {rest[at + 1]}" if takes else word.replace("=", " ", 1))
        at += 2 if takes else 1
    if at >= len(rest):
        return ServerProgram(container=tuple(options))
    image, _, digest = rest[at].partition("@")
    name, _, tag = image.rpartition(":") if ":" in image.rpartition("/")[2] else (image, "", "")
    pinned = digest.startswith("sha256:") or (bool(tag) and any(one.isdigit() for one in tag) and "." in tag)
    package = ServerPackage(
        registry=Registry.DOCKER,
        name=name,
        version=digest or tag,
        pinned=pinned or _COMMIT.fullmatch(tag) is not None,
        runner=runner,
    )
    return ServerProgram(packages=(package,), container=tuple(options))


def _go(rest: list[str]) -> ServerProgram:
    target = next((one for one in rest if not one.startswith("-")), "")
    name, _, version = target.partition("@")
    if "." not in name.partition("/")[0] or name.startswith(".") or name.endswith(".go"):
        return ServerProgram()
    exact = _EXACT.fullmatch(version) is not None or _COMMIT.fullmatch(version) is not None
    package = ServerPackage(registry=Registry.GO, name=name, version=version, pinned=exact, runner="go run")
    return ServerProgram(packages=(package,))


def _deno(rest: list[str]) -> ServerProgram:
    for word in rest:
        if word.startswith(("npm:", "jsr:")):
            package = package_of(word.partition(":")[2].lstrip("/"), Registry.NPM, "deno")
            return ServerProgram(packages=(package,) if package else ())
        if word.startswith("https://"):
            pinned = re.search(r"@v?\d+\.\d+", word) is not None
            package = ServerPackage(registry=Registry.WEB, name=word, pinned=pinned, runner="deno")
            return ServerProgram(packages=(package,))
    return ServerProgram()


def host_of(url: str) -> str:
    """Return the host of an address, without a login; empty if it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
