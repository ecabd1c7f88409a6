# SPDX-License-Identifier: Apache-2.0
"""Keeping processes of one user of the machine apart from each other. Of the standard library alone; Linux.

What is read under `/proc` of another process (its environment, its memory) the kernel grants to every process
of the same user. Two things take that away without the rights of root:

- a *Landlock* domain (Linux 5.13): who is in one looks into no process outside of it, and from 6.12 on sends
  it no signal either. It cannot be left, and holds for all that its process starts. To enter one a process
  gives up gaining rights by `setuid` programs.
- not being *dumpable*: nobody of the same user looks into such a process. That is lost when a process starts
  another program, so it is for remit and its guards, and not for the programs that they start.

A user id of its own for each process (`become`) needs the rights of root.

    python -I -S apart.py USER...    kills every process of these users
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_CAPBSET_DROP: Final = 24
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38
#: System calls that have one number on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_MAKE_BLOCK_DEVICE: Final = 1 << 11
_REFER: Final = 1 << 13
_SCOPE_SIGNAL: Final = 1 << 1
#: By these rights root looks into any process, whatever its domain: SYS_MODULE, SYS_RAWIO, SYS_PTRACE,
#: SYS_ADMIN, PERFMON and BPF (`capabilities(7)`).
_LOOKING: Final = (16, 17, 19, 21, 38, 39)
_CAPABILITY_VERSION: Final = 0x20080522
_RULES_PATH: Final = getattr(os, "O_PATH", 0) | getattr(os, "O_CLOEXEC", 0)


class _Ruleset(ctypes.Structure):
    """What a domain is about: `struct landlock_ruleset_attr`."""

    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    """What stays permitted below a folder: `struct landlock_path_beneath_attr`."""

    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


class _CapabilityOf(ctypes.Structure):
    """Whose capabilities: `struct __user_cap_header_struct`."""

    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Capabilities(ctypes.Structure):
    """Half of a set of capabilities: `struct __user_cap_data_struct`."""

    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("kept", ctypes.c_uint32))


def version() -> int:
    """Give the version of Landlock that the kernel speaks; 0 for none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)))


def keep_apart() -> bool:
    """Put this process, and all that it starts from now on, into a domain of its own; `False` where that
    cannot be.
    """
    spoken = version()
    if not spoken or _prctl(_PR_SET_NO_NEW_PRIVS, 1) or not _give_up_looking():
        return False
    if spoken >= 6:
        made = _ruleset(_Ruleset(0, 0, _SCOPE_SIGNAL), 24)
    else:
        # A domain must be about something: about what stays permitted everywhere.
        kept = _MAKE_BLOCK_DEVICE | (_REFER if spoken >= 2 else 0)
        made = _ruleset(_Ruleset(kept, 0, 0), 8)
        if made >= 0 and not _allow_everywhere(made, kept):
            return False
    if made < 0:
        return False
    try:
        return int(_libc().syscall(_RESTRICT_SELF, made, 0)) == 0
    finally:
        os.close(made)


def hide() -> bool:
    """Let nobody but root look into this process; lost when it starts another program in its place."""
    return not _prctl(_PR_SET_DUMPABLE, 0)


def adopt_orphans() -> None:
    """Become the parent of descendants whose parents end."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Be killed when the parent ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def become(user: int) -> None:
    """Run as another user, without a way back; raises `OSError` without the rights of root."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def kill_user(user: int) -> None:
    """Kill every process of a user: a child becomes that user, and kills all that it may."""
    for _ in range(2):  # what was being started while the first one looked
        child = os.fork()
        if not child:
            try:
                become(user)
                os.kill(-1, signal.SIGKILL)
            except OSError:
                pass
            os._exit(0)
        os.waitpid(child, 0)


def _give_up_looking() -> bool:
    """Give up the rights by which root looks into other processes; most users have none of them."""
    for one in _LOOKING:
        _prctl(_PR_CAPBSET_DROP, one)  # whoever may not change this set gains nothing from it either
    header, held = _CapabilityOf(_CAPABILITY_VERSION, 0), (_Capabilities * 2)()
    if _libc().capget(ctypes.byref(header), held):
        return False
    for one in _LOOKING:
        half, left = held[one // 32], 0xFFFFFFFF ^ 1 << one % 32
        half.effective, half.permitted, half.kept = (
            half.effective & left,
            half.permitted & left,
            half.kept & left,
        )
    return not _libc().capset(ctypes.byref(header), held)


def _ruleset(asked: _Ruleset, size_bytes: int) -> int:
    return int(_libc().syscall(_CREATE_RULESET, ctypes.byref(asked), ctypes.c_size_t(size_bytes), 0))


def _allow_everywhere(ruleset: int, kept: int) -> bool:
    top = os.open("/", _RULES_PATH)
    try:
        rule = _Beneath(kept, top)
        return int(_libc().syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)) == 0
    finally:
        os.close(top)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> int:
    if sys.platform != "linux":
        return -1
    return int(_libc().prctl(option, value, 0, 0, 0))


if __name__ == "__main__":
    for named in sys.argv[1:]:
        kill_user(int(named))
