# SPDX-License-Identifier: Apache-2.0
"""What known command line programs do. An unknown program, or an unknown verb, is the worst case."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

import msgspec


class Deed(enum.IntEnum):
    """What a program does; a command does the worst of its programs."""

    LOOK = 0
    """Reads files or the state of this machine."""
    WORK = 1
    """Changes files here, or runs the project's own code."""
    FETCH = 2
    """Reads from another host."""
    INSTALL = 3
    """Brings in code that others wrote."""
    SEND = 4
    """Changes or discloses something elsewhere."""
    ANY = 5
    """May do anything: unknown, or runs code that the command does not show."""


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A program: what it does, by its first word without a dash where `verbs` lists it.

    `sends` are options with which it sends. `hosts`: its words may be hosts. `host` is its fixed host.
    `valued` are options that take the next word. `writes`: its paths are written.
    """

    deed: Deed = Deed.LOOK
    verbs: Mapping[str, Deed] = {}
    other: Deed | None = None
    sends: frozenset[str] = frozenset()
    hosts: bool = False
    host: str = ""
    valued: frozenset[str] = frozenset()
    writes: bool = False


def _verbs(**by_deed: str) -> dict[str, Deed]:
    return {word: Deed[deed.upper()] for deed, words in by_deed.items() for word in words.split()}


#: Programs that run the command in their words.
WRAPPERS: Final = frozenset(
    {"sudo", "doas", "env", "time", "nohup", "nice", "ionice", "timeout", "stdbuf", "xargs", "exec",
     "command",
     "builtin", "setsid", "caffeinate", "watch", "unbuffer", "chronic", "npx", "bunx", "pnpx", "uvx",
     "pipx"}
)  # fmt: skip
#: Wrappers whose command may be a package that is fetched first.
RUNNERS: Final = frozenset({"npx", "bunx", "pnpx", "uvx", "pipx"})
SHELLS: Final = frozenset({"bash", "sh", "zsh", "dash", "ksh", "fish"})
#: Interpreters: what they run is a file of the project, a known module, or code that counts as the worst.
INTERPRETERS: Final = frozenset(
    {"python", "python3", "python2", "py", "node", "nodejs", "deno", "bun", "ruby", "perl", "php",
     "lua", "Rscript",
     "osascript", "pwsh", "powershell", "tsx", "ts-node"}
)  # fmt: skip
#: Their options that are followed by code.
INLINE: Final = frozenset(
    {"-c", "-e", "-E", "-p", "-r", "--eval", "--print", "-Command", "-EncodedCommand", "eval"}
)
#: Modules that `python -m` runs like a program.
MODULES: Final = frozenset(
    {"pytest", "unittest", "mypy", "ruff", "black", "isort", "flake8", "pylint", "coverage", "build", "venv",
     "compileall", "json.tool", "tox", "nox", "doctest", "py_compile", "timeit", "cProfile"}
)  # fmt: skip

_LOOKS: Final = (
    "ls ll cat head tail less more wc file stat du df pwd echo printf which type whereis tree find fd "
    "grep egrep "
    "fgrep rg ag ack sort uniq cut tr diff cmp comm basename dirname realpath readlink date cal uname "
    "whoami id "
    "hostname groups ps top htop jobs jq yq true false test [ [[ : sleep wait cd pushd popd dirs set "
    "unset export "
    "local declare read shift return exit break continue history hash ulimit umask free uptime lsof "
    "nproc lscpu sha1sum sha256sum md5sum shasum cksum xxd od hexdump strings nl paste join column fold "
    "fmt bat "
    "exa eza tac rev seq expr bc man info help printenv locale tty stty getopts let source . sw_vers "
    "base64 column tput seq system_profiler vm_stat pgrep awk gawk sed tokei cloc scc shellcheck "
    "hadolint actionlint"
)
_WORKS: Final = (
    "mkdir rmdir touch cp mv rm ln chmod chown install tee dd truncate patch tar zip unzip gzip gunzip "
    "bzip2 xz "
    "zstd split make cmake ninja meson bazel gcc g++ clang cc c++ ld javac java kotlinc scalac rustc "
    "swift swiftc "
    "xcodebuild dotnet msbuild gradle gradlew mvn mvnw sbt ant tsc eslint prettier biome jest vitest "
    "mocha karma "
    "webpack vite rollup esbuild turbo nx lerna next nuxt pytest tox nox mypy ruff black isort flake8 "
    "pylint "
    "pyright coverage pre-commit rubocop rspec rake phpunit phpstan composer-normalize golangci-lint gofmt "
    "goimports staticcheck rustfmt clippy-driver kill pkill killall mktemp sqlite3 protoc buf swag "
    "templ air "
    "alembic flask django-admin sphinx-build mkdocs pandoc convert ffmpeg dot plantuml storybook "
    "cypress bundle"
)
_SENDS: Final = (
    "ssh scp sftp rsync ftp telnet nc ncat netcat socat mail sendmail mutt aws az gcloud gsutil kubectl "
    "helm "
    "terraform tofu pulumi ansible ansible-playbook vercel netlify fly flyctl heroku railway wrangler "
    "firebase "
    "doctl s3cmd rclone twine serverless sam cdk eas fastlane ngrok cloudflared"
)
_PACKAGES: Final = _verbs(
    install="install i add ci update upgrade up download get",
    send="publish unpublish deprecate owner login logout adduser token access",
    work="run test start build exec uninstall remove rm init link dedupe prune version pack rebuild dev "
    "lint t x "
    "check fmt clippy clean bench doc new sync lock venv generate vet mod tool work",
    look="ls list view info show outdated why audit search config help freeze tree metadata env fund ping",
)
_GIT: Final = _verbs(
    look="status log diff show branch blame ls-files ls-tree rev-parse describe grep shortlog reflog "
    "cat-file "
    "rev-list config remote tag help version var whatchanged merge-base name-rev diff-tree diff-index "
    "check-ignore "
    "for-each-ref count-objects fsck show-ref symbolic-ref range-diff cherry",
    work="add commit checkout switch merge rebase stash reset restore init rm mv cherry-pick revert "
    "apply am clean "
    "worktree bisect notes gc prune update-index hash-object write-tree read-tree format-patch bundle "
    "archive "
    "sparse-checkout update-ref filter-branch replace",
    fetch="clone fetch pull ls-remote submodule lfs",
    send="push send-email request-pull",
)
_FORGE: Final = _verbs(fetch="view list status diff checks search browse")
_DOCKER: Final = _verbs(
    look="ps images logs inspect version info stats top port history events network volume system context",
    work="stop start restart rm rmi kill tag pause unpause down",
    fetch="pull search",
    send="push login logout",
)
_CURL_SENDS: Final = frozenset(
    {"-d", "--data", "--data-raw", "--data-binary", "--data-urlencode", "--data-ascii", "--json", "-F",
     "--form",
     "--form-string", "-T", "--upload-file", "--post-data", "--post-file", "--body-data", "--body-file"}
)  # fmt: skip
_CURL_VALUED: Final = frozenset(
    {"-X", "--request", "--method", "-H", "--header", "-o", "--output", "-O", "-u", "--user", "-A",
     "--user-agent",
     "-e", "--referer", "-b", "--cookie", "-c", "--cookie-jar", "-m", "--max-time",
     "--connect-timeout", "-w",
     "--write-out", "--retry", "-P", "--directory-prefix", "--output-document", *_CURL_SENDS}
)  # fmt: skip

PROGRAMS: Final[dict[str, Program]] = {
    **{name: Program() for name in _LOOKS.split()},
    **{name: Program(deed=Deed.WORK, writes=True) for name in _WORKS.split()},
    **{name: Program(deed=Deed.SEND, hosts=True) for name in _SENDS.split()},
    "git": Program(verbs=_GIT, other=Deed.ANY, valued=frozenset({"-C", "-c", "-m", "--git-dir",
    "--work-tree"})),
    "gh": Program(deed=Deed.SEND, verbs=_FORGE, host="github.com", valued=frozenset({"-R", "--repo"})),
    "glab": Program(deed=Deed.SEND, verbs=_FORGE, host="gitlab.com", valued=frozenset({"-R", "--repo"})),
    "curl": Program(deed=Deed.FETCH, sends=_CURL_SENDS, hosts=True, valued=_CURL_VALUED),
    "wget": Program(deed=Deed.FETCH, sends=_CURL_SENDS, hosts=True, valued=_CURL_VALUED),
    "http": Program(deed=Deed.SEND, hosts=True),
    "https": Program(deed=Deed.SEND, hosts=True),
    "ping": Program(deed=Deed.FETCH, hosts=True),
    "dig": Program(deed=Deed.FETCH, hosts=True),
    "nslookup": Program(deed=Deed.FETCH, hosts=True),
    "host": Program(deed=Deed.FETCH, hosts=True),
    **{name: Program(verbs=_PACKAGES, other=Deed.ANY) for name in ("npm", "pnpm", "cargo", "pip", "pip3")},
    **{name: Program(verbs=_PACKAGES, other=Deed.WORK) for name in ("yarn", "poetry", "hatch", "pdm", "rye")},
    **{name: Program(verbs=_PACKAGES, other=Deed.ANY)
    for name in ("go", "gem", "conda", "mamba", "composer")},
    "uv": Program(verbs={**_PACKAGES, "pip": Deed.INSTALL}, other=Deed.ANY),
    "brew": Program(verbs=_PACKAGES, other=Deed.ANY),
    "apt": Program(verbs=_PACKAGES, other=Deed.ANY),
    "apt-get": Program(verbs=_PACKAGES, other=Deed.ANY),
    "dnf": Program(verbs=_PACKAGES, other=Deed.ANY),
    "apk": Program(verbs=_PACKAGES, other=Deed.ANY),
    "docker": Program(verbs=_DOCKER, other=Deed.ANY),
    "podman": Program(verbs=_DOCKER, other=Deed.ANY),
}  # fmt: skip
#: Subcommands of `git` that read when they are alone and change when they are given more.
_GIT_CHANGES: Final = frozenset({"branch", "tag", "config", "remote", "symbolic-ref"})
_GIT_READS: Final = frozenset({"-a", "-r", "-v", "-vv", "-l", "--list", "--all", "--get", "show",
                               "get-url", "-n",
                               "--show-current", "--contains", "--merged", "--get-all",
                               "--short"})  # fmt: skip


def deed_of(name: str, words: list[str]) -> Deed:
    """Return what a program does with these words; options with a value are skipped to find its verb."""
    known = PROGRAMS.get(name)
    if known is None:
        return Deed.ANY
    if known.sends and (_has(words, known.sends) or _method(words) not in ("", "GET", "HEAD")):
        return Deed.SEND
    if name == "git" and "-c" in words:
        return Deed.ANY  # a setting may name a program
    if name == "find" and _has(words, frozenset({"-exec", "-execdir", "-ok", "-okdir"})):
        return Deed.ANY
    if name == "find" and _has(words, frozenset({"-delete"})):
        return Deed.WORK
    if name == "sed" and any(one == "--in-place" or (one[:1] == "-" and "i" in one[:4]) for one in words):
        return Deed.WORK
    if name in ("awk", "gawk") and any("system(" in one or "|" in one for one in words):
        return Deed.ANY
    if name in ("source", ".") or not known.verbs:
        return Deed.WORK if name in ("source", ".") else known.deed
    found = plain(words, known.valued)
    verbs = [known.verbs[one] for one in found[:2] if one in known.verbs]
    if name in ("gh", "glab"):
        return _forge(found, words, verbs, known.deed)
    if not verbs or not found or found[0] not in known.verbs:
        return known.deed if not found else (known.other if known.other is not None else known.deed)
    deed = known.verbs[found[0]]
    if name == "git" and found[0] in _GIT_CHANGES and len(words) > 1 and not _GIT_READS.intersection(words):
        return Deed.WORK
    return deed


def _forge(found: list[str], words: list[str], verbs: list[Deed], worst: Deed) -> Deed:
    """Return what a command of a code host's client does: `api` reads unless it is given fields."""
    if found[:1] == ["api"]:
        fields = frozenset({"-f", "-F", "--field", "--raw-field", "--input", "--method", "-X"})
        return worst if _has(words, fields) else Deed.FETCH
    return verbs[-1] if verbs else worst


def plain(words: list[str], valued: frozenset[str]) -> list[str]:
    """Return the words that are neither options nor the values of options."""
    out, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = word in valued
        else:
            out.append(word)
    return out


def _has(words: list[str], options: frozenset[str]) -> bool:
    return any(
        one in options
        or one.partition("=")[0] in options
        or (len(one) > 2 and one[0] == "-" and one[1] != "-" and one[:2] in options)
        for one in words
    )


def _method(words: list[str]) -> str:
    for at, word in enumerate(words):
        if word in ("-X", "--request", "--method"):
            return words[at + 1].upper() if at + 1 < len(words) else ""
        if word.startswith(("-X", "--request=", "--method=")):
            return word.removeprefix("-X").rpartition("=")[2].upper()
    return ""
