# SPDX-License-Identifier: Apache-2.0
"""Reading a bundle: `remit.yaml`, the policies, `tools/` and `tasks/`, as one value with one digest."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TypeVar

import msgspec

from remit.config.bundle.apis import api_of
from remit.config.bundle.forms import TaskFile, ToolsFile
from remit.config.bundle.history import HISTORY_FILE, HistoryFile, counters_of
from remit.config.bundle.one_time_codes import code_channels
from remit.config.bundle.participants import broken_readers
from remit.config.bundle.task_types import KnownNames, task_type
from remit.config.bundle.tools import described_tool
from remit.config.bundle.vocabulary import Vocabulary
from remit.config.load import examine_config, first_of
from remit.config.reading.decoding import Problems, read, suggestion
from remit.config.reading.folder import MAX_DOCUMENT_BYTES, MAX_FILE_BYTES, Folder
from remit.config.reading.yaml_lines import Node, read_text, read_yaml
from remit.config.sections.policy import ENDINGS
from remit.config.settings import CONFIG_NAME, Config, UpstreamSection
from remit.core.errors import ConfigInvalid
from remit.core.label import Classes
from remit.core.policy.bundle import Bundle, PolicySource, bundle_digest, file_digest
from remit.core.tasks.history import MAX_COUNTERS, HistoryCounter
from remit.core.tasks.model_prices import ModelPrices
from remit.core.tasks.task import TaskType
from remit.core.tools.http_api import Api
from remit.core.tools.tool import RESERVED_OPERATIONS, Tool, is_tool_name

T = TypeVar("T")


def load_bundle(config: Config) -> Bundle:
    """Read the bundle of a configuration, completely or not at all.

    Raises `ConfigInvalid` with the first problem and the number of others, also if `remit.yaml` has changed
    since `config` was read from it.
    """
    bundle, problems = examine_bundle(config)
    if problems:
        raise first_of(problems)
    return bundle


def problems(where: Path | str = CONFIG_NAME) -> list[ConfigInvalid]:
    """Return all problems of a configuration and its bundle, except those inside the policies' own text."""
    config, found = examine_config(where)
    if config is None:
        return found
    return found + [problem for problem in examine_bundle(config)[1] if problem not in found]


def examine_bundle(config: Config) -> tuple[Bundle, list[ConfigInvalid]]:
    """Read a bundle as far as possible, and return it with all its problems."""
    reading = _Reading(config)
    reading.config_file()
    for name, upstream in config.upstreams.items():
        if upstream.openapi:
            reading.api(name, upstream)
    policies = reading.policies()
    for path in reading.folder.list(
        config.tools, "tools", (".yaml", ".yml"), required=config.tools != "tools"
    ):
        reading.tools_file(path)
    reading.code_channels()
    reading.participants()
    for path in reading.folder.list(
        config.tasks, "tasks", (".yaml", ".yml"), required=config.tasks != "tasks"
    ):
        reading.task_file(path)
    bundle = Bundle(
        tools=reading.tools,
        instructions=reading.instructions,
        task_types=reading.task_types,
        policies=tuple(policies),
        history=reading.history(),
        apis=reading.apis,
        classes=reading.classes,
        ceilings=config.authority_ceilings,
        prices=config.models.table if config.models else ModelPrices(),
        files=reading.files,
        digest=bundle_digest(reading.files),
    )
    return bundle, reading.folder.problems + reading.found


class _Reading:
    """A single reading of one bundle."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.classes: Classes = config.data_classes
        self.words = Vocabulary(self.classes, config.zones, config.groups, config.directory)
        self.folder = Folder(config.folder, self._line_of)
        self.found: list[ConfigInvalid] = []
        self.files: dict[str, str] = {}
        self.tools: dict[str, Tool] = {}
        self.instructions: dict[str, str] = {}
        self.task_types: dict[str, TaskType] = {}
        self.apis: dict[str, Api] = {}
        self._homes: dict[str, str] = {}
        self._history: list[Path] = []
        self._own: bytes | None = None

    def config_file(self) -> None:
        """Add `remit.yaml` to the digest, if it is still the file that the configuration was read from."""
        path = Path(self.config.file)
        self._own = self._content(path)
        if self._own is not None and self.files[path.name] != self.config.file_sha256:
            self.found.append(
                ConfigInvalid("changed while remit read it", file=path.name, remediation="try again")
            )

    def api(self, upstream: str, section: UpstreamSection) -> None:
        """Read the OpenAPI document of one upstream."""
        path = Path(os.path.abspath(self.config.at(section.openapi)))
        key = f"upstreams.{upstream}.openapi"
        if not path.is_relative_to(self.folder.root):
            self._note(
                f"`{section.openapi}` is not below the folder of `remit.yaml`",
                key,
                "put the document there: a bundle is one folder",
            )
            return
        if not path.exists():
            self._note(f"file `{section.openapi}` does not exist", key, "put the document there")
            return
        content = self._content(path, MAX_DOCUMENT_BYTES)
        if content is None:
            return
        try:
            self.apis[upstream] = api_of(content, self.folder.name(path), section)
        except ConfigInvalid as fault:
            self.found.append(fault)

    def policies(self) -> list[PolicySource]:
        """Read the policies."""
        where = self.config.policy.path
        endings = ENDINGS[self.config.policy.kind]
        beside = (".cedarschema",) if self.config.policy.kind == "cedar" else ()
        paths = self.folder.list(where, "policy.path", (*endings, *beside, HISTORY_FILE), required=True)
        self._history = [path for path in paths if path.name.endswith(HISTORY_FILE)]
        texts = [
            PolicySource(self.folder.name(path), text)
            for path in paths
            if path not in self._history
            and (text := self._binary(path) if path.suffix == ".gz" else self._text(path)) is not None
        ]
        if not any(path.name.endswith(endings) for path in paths) and not self.folder.problems:
            self._note(
                f"`{where}` has no policy, so nothing would be permitted",
                "policy.path",
                f"add a `{endings[0]}` file, or run `remit init`",
            )
        return [source for source in texts if source.file.endswith(endings)]

    def history(self) -> tuple[HistoryCounter, ...]:
        """Read the counters beside the policies. Tools are read first."""
        out: list[HistoryCounter] = []
        for path in self._history:
            name, node, form = self._form(path, HistoryFile)
            if node is None or form is None:
                continue
            problems = Problems(name, path.parent)
            for one in counters_of(form, node, problems, self.tools, self.config.governed):
                line = node.child_line("counters", one.name)
                if self._claim(f"counter `{one.name}`", f"{name}:{line}", problems, line, one.name):
                    out.append(one)
            if len(out) > MAX_COUNTERS:
                way = "leave out those that no policy reads"
                problems.add(f"more than {MAX_COUNTERS} counters", line=node.line, remediation=way)
            self.found += problems.found
        return tuple(out)

    def tools_file(self, path: Path) -> None:
        """Read one file of `tools/`."""
        name, node, form = self._form(path, ToolsFile)
        if node is None or form is None:
            return
        problems = Problems(name, path.parent)
        if form.upstream not in self.config.governed:
            problems.add(
                f"`{form.upstream}` is not an upstream of `remit.yaml`",
                line=node.line_of("upstream"),
                key="upstream",
                remediation=suggestion(form.upstream, self.config.governed),
            )
        line = node.line_of("instructions")
        what = f"what `{form.upstream}` says of its use"
        if form.instructions and self._claim(what, f"{name}:{line}", problems, line, "instructions"):
            self.instructions[form.upstream] = form.instructions
        for tool_name, tool_form in form.tools.items():
            at = f"tools.{tool_name}"
            line = node.child_line("tools", tool_name)
            if not is_tool_name(tool_name):
                known = RESERVED_OPERATIONS
                way = (
                    suggestion(tool_name, known)
                    if ":" in tool_name
                    else "use letters, digits, `_`, `-`, `.` and `/`"
                )
                problems.add("is not a tool name", line=line, key=at, remediation=way)
                continue
            tool_id = f"{form.upstream}/{tool_name}"
            if not self._claim(f"tool `{tool_id}`", f"{name}:{line}", problems, line, at):
                continue
            self.tools[tool_id] = described_tool(
                form.upstream, tool_name, tool_form, words=self.words, problems=problems, node=node
            )
        self.found += problems.found

    def code_channels(self) -> None:
        """Connect the arguments that take one-time codes with the tools that read the codes."""
        self.tools, missing = code_channels(self.tools)
        for tool_id, key, fault, way in missing:
            file, _, line = self._homes[f"tool `{tool_id}`"].rpartition(":")
            name = tool_id.partition("/")[2]
            at = f"tools.{name}.arguments.{key}.one_time.read_by"
            self.found.append(ConfigInvalid(fault, file=file, line=int(line), key=at, remediation=way))

    def participants(self) -> None:
        """Note stored destinations that no tool shows."""
        for tool_id, fault, way in broken_readers(self.tools):
            file, _, line = self._homes[f"tool `{tool_id}`"].rpartition(":")
            at = f"tools.{tool_id.partition('/')[2]}.stored_destination.read_by"
            self.found.append(ConfigInvalid(fault, file=file, line=int(line), key=at, remediation=way))

    def task_file(self, path: Path) -> None:
        """Read one file of `tasks/`. Tools are read first, so that its grants can be checked against them."""
        name, node, form = self._form(path, TaskFile)
        if node is None or form is None:
            return
        problems = Problems(name, path.parent)
        line = node.line_of("task")
        known = KnownNames(
            self.config.governed, self.tools, self.words, priced=self.config.models is not None
        )
        found = task_type(form, node, problems, known)
        if self._claim(f"task type `{form.task}`", f"{name}:{line}", problems, line, "task"):
            self.task_types[form.task] = found
        self.found += problems.found

    def _claim(self, what: str, here: str, problems: Problems, line: int, key: str) -> bool:
        """Reserve a name for a place; a name in use is a problem."""
        first = self._homes.setdefault(what, here)
        if first == here:
            return True
        problems.add(
            f"{what} is defined twice, first in {first}", line=line, key=key, remediation="keep one of them"
        )
        return False

    def _form(self, path: Path, kind: type[T]) -> tuple[str, Node | None, T | None]:
        """Read one YAML file into its form, and note its problems."""
        name = self.folder.name(path)
        text = self._text(path)
        if text is None:
            return name, None, None
        try:
            node = read_yaml(text, name)
        except ConfigInvalid as fault:
            self.found.append(fault)
            return name, None, None
        problems = Problems(name, path.parent)
        form = read(node, kind, problems)
        self.found += problems.found
        return name, node, None if isinstance(form, msgspec.UnsetType) else form

    def _binary(self, path: Path) -> str | None:
        """Return the base64 of a file that is no text."""
        content = self._content(path, MAX_DOCUMENT_BYTES)
        return None if content is None else base64.b64encode(content).decode()

    def _text(self, path: Path) -> str | None:
        content = self._content(path)
        if content is None:
            return None
        try:
            return read_text(content, self.folder.name(path))
        except ConfigInvalid as fault:
            self.found.append(fault)
            return None

    def _note(self, message: str, key: str, remediation: str) -> None:
        """Note a problem of a key of `remit.yaml`."""
        line = self._line_of(key)
        self.found.append(
            ConfigInvalid(message, file=CONFIG_NAME, line=line, key=key, remediation=remediation)
        )

    def _line_of(self, key: str) -> int | None:
        """Return the line of a key of `remit.yaml`, or of its last part that is written there."""
        name = Path(self.config.file).name
        try:
            node = read_yaml(read_text(self._own or b"", name), name)
        except ConfigInvalid:  # the file has changed since it was read
            return None
        written = isinstance(node.value, dict) and key.partition(".")[0] in node.value
        return node.line_of(key) if written else None

    def _content(self, path: Path, most_bytes: int = MAX_FILE_BYTES) -> bytes | None:
        if any(fault.code == "bundle-too-large" for fault in self.found):
            return None  # one message is enough
        try:
            content = self.folder.read(path, most_bytes)
        except ConfigInvalid as fault:
            self.found.append(fault)
            return None
        self.files[self.folder.name(path)] = file_digest(content)
        return content
