# SPDX-License-Identifier: Apache-2.0
"""Reading a bundle: `remit.yaml`, the policies, `tools/` and `tasks/`, as one value with one digest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from remit.config.files import Folder
from remit.config.forms import BudgetsForm, LabelForm, ParameterForm, TaskFile, ToolForm, ToolsFile
from remit.config.lines import Node, read_text, read_yaml
from remit.config.load import AUDIENCE_RULE, audience_fault, examine_config, first_of
from remit.config.settings import CONFIG_NAME, Config
from remit.config.shape import Problems, nearest, read, suggestion
from remit.core import constraint
from remit.core.bundle import Bundle, PolicySource, bundle_digest, file_digest
from remit.core.errors import ConfigInvalid, Malformed
from remit.core.grant import GrantTemplate
from remit.core.label import Audience, Classes, Label, Trust
from remit.core.task import Budgets, Parameter, TaskType, check_parameters
from remit.core.tool import RESERVED_OPERATIONS, Argument, Tool, undescribed

T = TypeVar("T")

_AGENT: Final = re.compile(r"(?:group:)?[a-z0-9][a-z0-9._-]{0,62}")
_PERSON: Final = re.compile(
    r"(?:(?:group|agent):[a-z0-9][a-z0-9._-]{0,62}|[A-Za-z0-9][A-Za-z0-9._@+-]{0,126})"
)
_TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_./-]{1,128}")
_PLACE: Final = re.compile(r"\{([^{}]*)\}")


def load_bundle(config: Config) -> Bundle:
    """Read the bundle that belongs to a configuration, whole or not at all.

    Raises `ConfigInvalid` with the first problem and the number of others, also where `remit.yaml` changed
    since `config` was read from it.
    """
    bundle, problems = examine_bundle(config)
    if problems:
        raise first_of(problems)
    return bundle


def problems(where: Path | str = CONFIG_NAME) -> list[ConfigInvalid]:
    """Give all that is wrong with a configuration and its bundle, except inside the policies' own text."""
    config, found = examine_config(where)
    if config is None:
        return found
    return found + [problem for problem in examine_bundle(config)[1] if problem not in found]


def examine_bundle(config: Config) -> tuple[Bundle, list[ConfigInvalid]]:
    """Read a bundle as far as it can be read, and give all that is wrong with it."""
    reading = _Reading(config)
    reading.config_file()
    policies = reading.policies()
    for path in reading.folder.list(
        config.tools, "tools", (".yaml", ".yml"), required=config.tools != "tools"
    ):
        reading.tools_file(path)
    for path in reading.folder.list(
        config.tasks, "tasks", (".yaml", ".yml"), required=config.tasks != "tasks"
    ):
        reading.task_file(path)
    bundle = Bundle(
        tools=reading.tools,
        task_types=reading.task_types,
        policies=tuple(policies),
        classes=reading.classes,
        files=reading.files,
        digest=bundle_digest(reading.files),
    )
    return bundle, reading.folder.problems + reading.found


class _Reading:
    """One reading of one bundle."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.classes: Classes = config.data_classes
        self.folder = Folder(config.folder)
        self.found: list[ConfigInvalid] = []
        self.files: dict[str, str] = {}
        self.tools: dict[str, Tool] = {}
        self.task_types: dict[str, TaskType] = {}
        self._homes: dict[str, str] = {}

    def config_file(self) -> None:
        """Take `remit.yaml` into the digest, if it is still the file that the configuration was read from."""
        path = Path(self.config.file)
        if self._content(path) is not None and self.files[path.name] != self.config.file_sha256:
            self.found.append(
                ConfigInvalid("has changed while it was read", file=path.name, way_out="try again")
            )

    def policies(self) -> list[PolicySource]:
        """Read the policies."""
        where = self.config.policy.path
        endings = (".cedar", ".cedarschema")
        paths = self.folder.list(where, "policy.path", endings, required=True)
        texts = [
            PolicySource(self.folder.name(path), text)
            for path in paths
            if (text := self._text(path)) is not None
        ]
        sources = [source for source in texts if source.file.endswith(".cedar")]
        if not sources and not self.folder.problems:
            self.found.append(
                ConfigInvalid(
                    f"`{where}` holds no policy, so nothing would be permitted",
                    file=CONFIG_NAME,
                    key="policy.path",
                    way_out="add a `.cedar` file, or run `remit init`",
                )
            )
        return sources

    def tools_file(self, path: Path) -> None:
        """Read one file of `tools/`."""
        name, node, form = self._form(path, ToolsFile)
        if node is None or form is None:
            return
        problems = Problems(name, path.parent)
        if form.upstream not in self.config.upstreams:
            problems.add(
                f"`{form.upstream}` is no upstream of `remit.yaml`",
                line=node.line_of("upstream"),
                key="upstream",
                way_out=suggestion(form.upstream, self.config.upstreams),
            )
        for tool_name, tool_form in form.tools.items():
            at = f"tools.{tool_name}"
            line = _child(node, "tools", tool_name)
            if not _operation_known(tool_name):
                known = RESERVED_OPERATIONS
                way = (
                    suggestion(tool_name, known)
                    if ":" in tool_name
                    else "use letters, digits, `_`, `-`, `.` and `/`"
                )
                problems.add("is no tool's name", line=line, key=at, way_out=way)
                continue
            tool_id = f"{form.upstream}/{tool_name}"
            if not self._claim(f"tool `{tool_id}`", f"{name}:{line}", problems, line, at):
                continue
            self.tools[tool_id] = self._tool(form.upstream, tool_name, tool_form, problems, line)
        self.found += problems.found

    def _tool(self, upstream: str, name: str, form: ToolForm, problems: Problems, line: int) -> Tool:
        key = f"tools.{name}"
        if fault := audience_fault(form.audience):
            problems.add(fault, line=line, key=f"{key}.audience", way_out=AUDIENCE_RULE)
        for place, template in (("record", form.record), ("target", form.target)):
            for word in _PLACE.findall(template):
                if word not in form.arguments:
                    way = f"add `{word}: {{role: selector}}` under `arguments`"
                    if near := nearest(word, form.arguments):
                        way = f"did you mean `{{{near}}}`? otherwise {way}"
                    problems.add(
                        f"`{{{word}}}` is none of its arguments", line=line, key=f"{key}.{place}", way_out=way
                    )
        if form.own_conversation and (form.effect != "none" or form.audience != "self"):
            problems.add(
                "does not go with an effect or another audience",
                line=line,
                key=f"{key}.own_conversation",
                way_out="write `effect: none` and `audience: self`, or remove it",
            )
        worst = undescribed(upstream, name, self.classes).label
        return Tool(
            upstream=upstream,
            name=name,
            effect=form.effect,
            audience=Audience(form.audience),
            label=self._label(form.labels, worst, problems, line, f"{key}.labels"),
            arguments={
                word: Argument(role=a.role, sensitive=a.sensitive) for word, a in form.arguments.items()
            },
            record=form.record,
            target=form.target,
            production=form.production,
            financial=form.financial,
            own_conversation=form.own_conversation,
            described=True,
        )

    def _label(self, form: LabelForm | None, unless: Label, problems: Problems, line: int, key: str) -> Label:
        if form is None:
            return unless
        data_class = form.data_class or unless.data_class
        if data_class not in self.classes.order:
            way = suggestion(data_class, self.classes.order)
            problems.add(f"`{data_class}` is not a data class", line=line, key=f"{key}.class", way_out=way)
        return Label(
            data_class=data_class,
            categories=frozenset(form.categories),
            trust=form.trust or unless.trust,
            zones=frozenset({form.zone} if form.zone else ()),
        )

    def task_file(self, path: Path) -> None:
        """Read one file of `tasks/`. Tools are read first, so that its grants can be held against them."""
        name, node, form = self._form(path, TaskFile)
        if node is None or form is None:
            return
        problems = Problems(name, path.parent)
        line = node.line_of("task")
        for key, pattern, rule in (
            ("run_by", _AGENT, "write an agent's name or `group:name`; there are no wildcards"),
            (
                "stated_by",
                _PERSON,
                "write a person's name, `group:name` or `agent:name`; there are no wildcards",
            ),
        ):
            for place, who in enumerate(getattr(form, key)):
                if not pattern.fullmatch(who):
                    at = f"{key}[{place}]"
                    problems.add(f"`{who[:80]}` names nobody", line=node.line_of(at), key=at, way_out=rule)
        task_type = TaskType(
            name=form.task,
            purpose=form.purpose,
            run_by=form.run_by,
            stated_by=form.stated_by,
            parameters=self._parameters(form, node, problems),
            grants=self._grants(form, node, problems),
            budgets=_budgets(form.budgets),
            deadline_s=form.deadline,
            label=self._label(
                form.labels,
                Label(self.classes.bottom, trust=Trust.TRUSTED),
                problems,
                node.line_of("labels"),
                "labels",
            ),
            requires_person=form.requires_person,
        )
        if self._claim(f"task type `{form.task}`", f"{name}:{line}", problems, line, "task"):
            self.task_types[form.task] = task_type
        self.found += problems.found

    def _parameters(self, form: TaskFile, node: Node, problems: Problems) -> dict[str, Parameter]:
        out = {}
        for name, written in form.parameters.items():
            key = f"parameters.{name}"
            line = _child(node, "parameters", name)
            try:
                out[name] = _parameter(name, written)
            except (ConfigInvalid, Malformed) as fault:
                at = f"{key}.{fault.key}" if isinstance(fault, ConfigInvalid) and fault.key else key
                problems.add(_bare(fault), line=_deepest(node, at, line), key=at, way_out=fault.way_out)
        return out

    def _grants(self, form: TaskFile, node: Node, problems: Problems) -> tuple[GrantTemplate, ...]:
        out = []
        for place, written in enumerate(form.grants):
            key = f"grants[{place}]"
            try:
                template = GrantTemplate.load(written, key)
                template.check(form.parameters)
            except ConfigInvalid as fault:
                at = fault.key or key
                problems.add(_bare(fault), line=_deepest(node, at, node.line), key=at, way_out=fault.way_out)
                continue
            self._check_grant(template, f"{key}.tool", node, problems)
            out.append(template)
        return tuple(out)

    def _check_grant(self, template: GrantTemplate, key: str, node: Node, problems: Problems) -> None:
        upstream, _, name = template.tool.partition("/")
        line = node.line_of(key)
        if upstream not in self.config.upstreams:
            way = suggestion(upstream, self.config.upstreams)
            problems.add(f"`{upstream}` is no upstream of `remit.yaml`", line=line, key=key, way_out=way)
        elif template.tool not in self.tools:
            # A tool need not be described; but one that is described under almost this name was meant.
            described = [tool.name for tool in self.tools.values() if tool.upstream == upstream]
            if near := nearest(name, described):
                problems.add(
                    f"`{template.tool}` is described in no file of `{self.config.tools}`",
                    line=line,
                    key=key,
                    way_out=f"did you mean `{upstream}/{near}`? otherwise describe it",
                )
            elif not _operation_known(name):
                problems.add(
                    "is no tool's name", line=line, key=key, way_out=suggestion(name, RESERVED_OPERATIONS)
                )
        result_class = template.ceilings.get("result_class")
        if (
            isinstance(result_class, str)
            and "{" not in result_class
            and result_class not in self.classes.order
        ):
            at = key.replace(".tool", ".ceilings.result_class")
            way = suggestion(result_class, self.classes.order)
            problems.add(f"`{result_class}` is not a data class", line=node.line_of(at), key=at, way_out=way)

    def _claim(self, what: str, here: str, problems: Problems, line: int, key: str) -> bool:
        """Take a name for a place; a name that is taken is a problem."""
        first = self._homes.setdefault(what, here)
        if first == here:
            return True
        problems.add(
            f"{what} is defined twice, first in {first}", line=line, key=key, way_out="keep one of them"
        )
        return False

    def _form(self, path: Path, kind: type[T]) -> tuple[str, Node | None, T | None]:
        """Read one YAML file into its form, and note what is wrong with it."""
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

    def _text(self, path: Path) -> str | None:
        content = self._content(path)
        if content is None:
            return None
        try:
            return read_text(content, self.folder.name(path))
        except ConfigInvalid as fault:
            self.found.append(fault)
            return None

    def _content(self, path: Path) -> bytes | None:
        if any(fault.code == "bundle-too-large" for fault in self.found):
            return None  # said once is enough
        try:
            content = self.folder.read(path)
        except ConfigInvalid as fault:
            self.found.append(fault)
            return None
        self.files[self.folder.name(path)] = file_digest(content)
        return content


def _operation_known(name: str) -> bool:
    return name in RESERVED_OPERATIONS or _TOOL_NAME.fullmatch(name) is not None


def _parameter(name: str, form: ParameterForm) -> Parameter:
    """Give a parameter; raises `ConfigInvalid` or `Malformed` if its constraint or its default is none."""
    out = Parameter(
        type=form.type,
        description=form.description,
        constraint=form.constraint,
        required=form.required,
        default=form.default,
    )
    rule = None if form.constraint is None else constraint.load(form.constraint, "constraint")
    if form.default is not None:
        alone = TaskType(name=name, purpose="", run_by=(), stated_by=(), parameters={name: out})
        check_parameters(alone, {name: form.default})
        if rule is not None and rule.judge(form.default) is not constraint.Verdict.YES:
            raise ConfigInvalid(
                "does not satisfy the constraint", key="default", way_out=f"it must {rule.describe()}"
            )
    return out


def _budgets(form: BudgetsForm) -> Budgets:
    return Budgets(calls=form.calls, effectful_calls=form.effectful_calls, result_bytes=form.result_bytes)


def _child(node: Node, key: str, name: str) -> int:
    """Give the line of an entry whose name may hold dots."""
    below: Any = node.value[key]
    return int(below.key_lines.get(name, below.line))


def _deepest(node: Node, path: str, unless: int) -> int:
    return max(node.line_of(path), unless)


def _bare(fault: ConfigInvalid | Malformed) -> str:
    key = fault.key if isinstance(fault, ConfigInvalid) else ""
    return fault.message.removeprefix(f"`{key}`: ") if key else fault.message
