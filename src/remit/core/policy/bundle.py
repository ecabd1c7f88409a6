# SPDX-License-Identifier: Apache-2.0
"""The bundle: tools, task types and policies as one value, applied whole or not at all."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec

from remit.core.canonical import digest
from remit.core.json_value import Json
from remit.core.label import Classes
from remit.core.tasks.ceiling import AuthorityCeilings, AuthorityCut
from remit.core.tasks.history import HistoryCounter
from remit.core.tasks.model_prices import ModelPrices
from remit.core.tasks.sentences import AuthoritySentence, authority_sentences
from remit.core.tasks.task import Task, TaskType
from remit.core.tools.constraint import Constraint, decode
from remit.core.tools.http_api import Api
from remit.core.tools.http_api.operation import Route
from remit.core.tools.tool import Tool, undescribed

FORMAT = "remit-bundle/1"


class PolicySource(msgspec.Struct, frozen=True):
    """One policy file as read: its name relative to the bundle, and its text; base64, if it is binary."""

    file: str
    text: str


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """One version of everything that decisions depend on.

    `tools` are by id (`upstream/name`), `task_types` by name. `policies` are in the order of their file
    names. `history` are the counters that policies may read. `apis` are the routes of the upstreams that are
    HTTP APIs, `instructions` the reviewed texts of upstreams about their use. `ceilings` bound what tasks are
    granted, by their agents, owners and people. `prices` are those of models. `files` maps each file that was
    read, relative to the bundle's folder, to the hexadecimal SHA-256 of its bytes.

    INVARIANT: `digest` is `bundle_digest(files)`, so that equal digests mean equal files, byte for byte.
    """

    tools: dict[str, Tool] = {}
    instructions: dict[str, str] = {}
    task_types: dict[str, TaskType] = {}
    policies: tuple[PolicySource, ...] = ()
    history: tuple[HistoryCounter, ...] = ()
    apis: dict[str, Api] = {}
    classes: Classes = msgspec.field(default_factory=Classes)
    ceilings: AuthorityCeilings = AuthorityCeilings()
    prices: ModelPrices = ModelPrices()
    files: dict[str, str] = {}
    digest: str = ""

    def tool(self, upstream: str, name: str) -> Tool:
        """Return a tool as described, or the worst case where no file describes it."""
        return self.tools.get(f"{upstream}/{name}") or undescribed(upstream, name, self.classes)

    def sentences(
        self, task: Task, *, now: datetime, observed: Collection[str]
    ) -> tuple[AuthoritySentence, ...]:
        """Return what a task may do, in sentences; `observed` are the upstreams in observe mode."""
        return authority_sentences(
            task,
            self.task_types.get(task.type),
            lambda name: self.tool(*name.split("/", 1)),
            now=now,
            observed=observed,
            prices=self.prices,
        )

    def bounded(self, task: Task) -> tuple[AuthorityCut, ...]:
        """Return what the ceilings of a task's agent, owner and people take from its grants."""
        names = dict.fromkeys(grant.tool for grant in task.grants)
        return self.ceilings.cuts(
            agent=task.agent,
            owner=task.owner,
            people=task.people,
            tools=(self.tool(*name.split("/", 1)) for name in names),
        )


class _KeptApi(msgspec.Struct, frozen=True):
    """An HTTP API in the form that a store keeps."""

    routes: tuple[Route, ...]
    title: str
    version: str
    left_out: tuple[str, ...]


def kept_form(bundle: Bundle) -> Json:
    """Return a bundle in the form that a store keeps: constraints as written, APIs by their routes."""
    return msgspec.to_builtins(_bare(bundle))


def _bare(value: object) -> object:
    """Return a value in which nothing is of a type that the encoder would take apart."""
    if isinstance(value, Constraint):
        return value.spec()
    if isinstance(value, Api):
        return _KeptApi(tuple(value.routes.values()), value.title, value.version, value.left_out)
    if isinstance(value, msgspec.Struct):
        return {written: _bare(getattr(value, name)) for written, name in _names(type(value))}
    if isinstance(value, dict):
        return {key: _bare(one) for key, one in value.items()}
    if isinstance(value, list | tuple | frozenset):
        return [_bare(one) for one in value]
    return value


@functools.cache
def _names(kind: type[msgspec.Struct]) -> tuple[tuple[str, str], ...]:
    """Return the fields of a type by their written names: to read them off its annotations takes long."""
    return tuple((one.encode_name, one.name) for one in msgspec.structs.fields(kind))


def from_kept(value: Json) -> Bundle:
    """Return the bundle whose kept form this is."""

    def read(kind: type, given: Json) -> object:
        if kind is Constraint:
            return decode(given)
        if kind is not Api:
            raise NotImplementedError(f"cannot read {kind.__name__}")
        kept = msgspec.convert(given, _KeptApi)
        return Api(kept.routes, title=kept.title, version=kept.version, left_out=kept.left_out)

    return msgspec.convert(value, Bundle, dec_hook=read)


def file_digest(content: bytes) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    return hashlib.sha256(content).hexdigest()


def bundle_digest(files: Mapping[str, str]) -> str:
    """Return the digest of a bundle: SHA-256 over the RFC 8785 form of its file names and their digests."""
    return digest({"format": FORMAT, "files": dict(files)})
