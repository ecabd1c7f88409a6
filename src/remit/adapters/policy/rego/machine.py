# SPDX-License-Identifier: Apache-2.0
"""Evaluates a policy that OPA has compiled to Wasm, by OPA's own binary interface (1.2 and later).

Each evaluation has limits of instructions and memory. A policy that traps, exceeds a limit or does not end
its answer raises `Trapped`, and the next evaluation begins with a new instance. A Wasm program reaches
nothing outside.

Each value that Python gives to a function or takes from it costs microseconds. So a second, small program
calls the policy: Python writes the question into memory at once, and gets the address of the answer.
"""

from __future__ import annotations

import functools
import struct
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json

PAGE: Final = 65536
MAX_PAGES: Final = 1024
MAX_ANSWER_BYTES: Final = 1 << 20
#: Instructions of one evaluation: a few tenths of a second at most. The default guardrails need about 1/1000.
MAX_FUEL: Final = 200_000_000
_CHUNK: Final = 4096
#: Compiled programs that are kept: policies are loaded again whenever an agent or a tool changes.
KEPT: Final = 4
#: What stands before the input in memory: the number of the answer, and the length of the input.
_HEAD: Final = struct.Struct("<ii")
_CALLER: Final = f"""
(module
  (import "env" "memory" (memory 0))
  (import "policy" "opa_eval" (func $eval (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (global $data (export "data") (mut i32) (i32.const 0))
  (global $at (export "at") (mut i32) (i32.const 0))
  (func (export "ask") (result i32)
    (local $input i32) (local $size i32)
    (local.set $input (i32.add (global.get $at) (i32.const {_HEAD.size})))
    (local.set $size (i32.load offset=4 (global.get $at)))
    (call $eval
      (i32.const 0) (i32.load (global.get $at)) (global.get $data)
      (local.get $input) (local.get $size) (i32.add (local.get $input) (local.get $size))
      (i32.const 0))))
"""
_INSTALL: Final = "install remit with the extra `rego`: `pip install 'remit[rego]'`"


class Trapped(Exception):
    """Raised where an evaluation fails; the text never quotes values of the call."""


class _Program:
    """A compiled Wasm program; several machines may run it."""

    def __init__(self, wasm: bytes) -> None:
        try:
            import wasmtime
        except ImportError:
            raise ConfigInvalid(
                "Rego in process needs `wasmtime`, which is not installed", remediation=_INSTALL
            ) from None
        self.lib: Any = wasmtime
        config = wasmtime.Config()
        config.consume_fuel = True
        self.engine = wasmtime.Engine(config)
        try:
            self.module: Any = wasmtime.Module(self.engine, wasm)
            self.caller = wasmtime.Module(self.engine, _CALLER)
        except wasmtime.WasmtimeError:
            raise ConfigInvalid("the policy is not a Wasm program", remediation=_REBUILD) from None
        # Closed in this order, and before the interpreter takes the library apart.
        weakref.finalize(self, _close, [self.caller, self.module, self.engine])


@functools.lru_cache(KEPT)
def _compiled(wasm: bytes) -> _Program:
    return _Program(wasm)


class Machine:
    """One policy, ready to evaluate. Not safe to use from several threads at once."""

    def __init__(
        self, wasm: bytes, *, fuel: int = MAX_FUEL, pages: int = MAX_PAGES, data: bytes = b"{}"
    ) -> None:
        """Compile, unless the same program is compiled already.

        Raises `ConfigInvalid` for a program that is not a policy, or needs functions of a host.
        """
        self._program = _compiled(wasm)
        self._lib = self._program.lib
        self._fuel = fuel
        self._pages = pages
        self._data = data
        #: Closed before its program.
        self._held: list[Any] = []
        weakref.finalize(self, _close, self._held)
        self._instance: _Instance | None = None
        started = self._started()
        #: The numbers of the answers that the policy can be asked for, by their paths.
        self.entries: Mapping[str, int] = started.entries
        missing = sorted(started.host_functions)
        if missing:
            names = ", ".join(f"`{name}`" for name in missing)
            raise ConfigInvalid(
                f"the policies call {names}, which is not available in process",
                remediation="write them otherwise, or have a policy server decide (`policy.kind: opa`)",
            )

    def evaluate(self, document: bytes, entry: int = 0) -> bytes:
        """Return the JSON text of an answer for an input (JSON); raise `Trapped`."""
        try:
            instance = self._instance or self._started()
            return instance.evaluate(document, entry, self._fuel)
        except (self._lib.WasmtimeError, self._lib.Trap) as fault:
            self._instance = None
            raise Trapped(self._why(fault)) from None
        except Trapped:
            self._instance = None
            raise

    def _why(self, fault: Exception) -> str:
        if isinstance(fault, self._lib.Trap) and fault.trap_code is self._lib.TrapCode.OUT_OF_FUEL:
            return "the policies take too long"
        return "the policies fail"

    def _started(self) -> _Instance:
        try:
            self._instance = _Instance(self._program, self._pages, self._data, self._fuel)
        except (self._lib.WasmtimeError, self._lib.Trap, Trapped, LookupError, StopIteration, TypeError):
            raise ConfigInvalid("the Wasm program is not an OPA policy", remediation=_REBUILD) from None
        self._held[:] = [self._instance.store]
        return self._instance


def _close(held: list[Any]) -> None:
    for one in held:
        one.close()


_REBUILD: Final = "build the bundle again with `remit policy build`"


class _Instance:
    """The policy with its own memory."""

    def __init__(self, program: _Program, pages: int, data: bytes, fuel: int) -> None:
        lib, module = program.lib, program.module
        self.store = store = lib.Store(program.engine)
        store.set_fuel(fuel)
        least = next(one.type.limits.min for one in module.imports if one.name == "memory")
        self._memory = lib.Memory(store, lib.MemoryType(lib.Limits(least, pages)))
        given = [self._memory if one.name == "memory" else self._host(lib, one) for one in module.imports]
        exports = lib.Instance(store, module, given).exports(store)
        at = exports["opa_malloc"](store, len(data))
        self._memory.write(store, data, at)
        parsed = exports["opa_json_parse"](store, at, len(data))
        self.host_functions = self._json_at(exports["opa_json_dump"](store, exports["builtins"](store)))
        self.entries = self._json_at(exports["opa_json_dump"](store, exports["entrypoints"](store)))
        self._heap: int = exports["opa_heap_ptr_get"](store)
        caller = lib.Instance(store, program.caller, [self._memory, exports["opa_eval"]]).exports(store)
        caller["data"].set_value(store, parsed)
        caller["at"].set_value(store, self._heap)
        self._ask: Callable[..., int] = caller["ask"]

    def _host(self, lib: Any, one: Any) -> Any:
        def refuse(*_: Any) -> int:
            # A text that comes with the call is not passed on, because it could quote a value.
            raise Trapped("the policies stop" if one.name == "opa_abort" else "the policies call the host")

        return lib.Func(self.store, one.type, refuse if one.name != "opa_println" else lambda *_: None)

    def evaluate(self, document: bytes, entry: int, fuel: int) -> bytes:
        store, memory = self.store, self._memory
        store.set_fuel(fuel)
        question = _HEAD.pack(entry, len(document)) + document
        beyond = self._heap + len(question) - memory.data_len(store)
        if beyond > 0:
            memory.grow(store, -(-beyond // PAGE))
        memory.write(store, question, self._heap)
        return self._text_at(self._ask(store))

    def _json_at(self, address: int) -> Json:
        return msgspec.json.decode(self._text_at(address))

    def _text_at(self, address: int) -> bytes:
        found = bytearray()
        size = self._memory.data_len(self.store)
        address %= 1 << 32  # Wasm's addresses have no sign, and the library's numbers have one
        while len(found) <= MAX_ANSWER_BYTES and address < size:
            chunk = self._memory.read(self.store, address, min(address + _CHUNK, size))
            at = chunk.find(b"\0")
            if at >= 0:
                return bytes(found + chunk[:at])
            found += chunk
            address += len(chunk)
        raise Trapped("the policies answer without an end")
