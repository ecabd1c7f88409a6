# SPDX-License-Identifier: Apache-2.0
"""Keeping processes of one user of the machine apart from each other. Of the standard library alone; Linux.

What is read under `/proc` of another process (its environment, its memory) the kernel grants to every process
of the same user. Three things take that away without the rights of root:

- a *Landlock* domain (Linux 5.13): who is in one looks into no process outside of it, and from 6.12 on sends
  it no signal either. It cannot be left, and holds for all that its process starts. To enter one a process
  gives up gaining rights by `setuid` programs.
- what a domain does not shut: whoever may set the *limits* of another process lets it write a core file, and
  has the kernel end it. So a process in a domain sets the limits of no other (seccomp), and leaves no core.
- not being *dumpable*: nobody of the same user looks into such a process. That is lost when a process starts
  another program, so it is for remit and its guards, and not for the programs that they start.

A user id of its own for each process (`become`) needs the rights of root.

    python -I -S apart.py USER...    kills every process of these users
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import stat
import struct
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_SECCOMP: Final = 22
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
#: What makes an id that no system gives out of one that programs have.
_NOBODYS: Final = 1 << 31
#: Where everybody may write, and seconds for clearing it of what one user has left.
_SHARED: Final = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run/lock")  # noqa: S108 - cleared only
_CLEARING_S: Final = 20
#: By these rights root looks into any process, whatever its domain, or raises any limit: SYS_MODULE,
#: SYS_RAWIO, SYS_PTRACE, SYS_ADMIN, SYS_RESOURCE, PERFMON and BPF (`capabilities(7)`).
_LOOKING: Final = (16, 17, 19, 21, 24, 38, 39)
#: Fewer bytes than any core file has, and the one limit at which none is piped to a program (`core(5)`).
_NO_CORE: Final = 1
#: The number of `prlimit64` on each architecture (`AUDIT_ARCH_*`): x86-64, i386, arm64, arm, riscv64,
#: loongarch64, ppc64le, s390x.
_PRLIMIT: Final = (
    (0xC000003E, 302), (0x40000003, 340), (0xC00000B7, 261), (0x40000028, 369),
    (0xC00000F3, 261), (0xC0000102, 261), (0xC0000015, 325), (0x80000016, 334),
)  # fmt: skip
#: Of Berkeley packet filters: load a word, and with a value, jump where equal, return.
_LOAD, _AND, _EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001
#: All but the bit by which x86-64 marks its calls of x32.
_NOT_X32: Final = 0xBFFFFFFF
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


class _Filter(ctypes.Structure):
    """A program of instructions: `struct sock_fprog`."""

    _fields_ = (("instructions", ctypes.c_ushort), ("program", ctypes.c_char_p))


class _Capabilities(ctypes.Structure):
    """Half of a set of capabilities: `struct __user_cap_data_struct`."""

    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("kept", ctypes.c_uint32))


def version() -> int:
    """Return the version of Landlock that the kernel speaks; 0 for none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)))


def keep_apart() -> bool:
    """Put this process, and all that it starts from now on, into a domain of its own; `False` where that
    cannot be.
    """
    spoken = version()
    if not spoken or _prctl(_PR_SET_NO_NEW_PRIVS, 1) or not (_leave_limits() and _give_up_looking()):
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
    """Kill every process of a user: a child kills as that user, and nobody who runs as them can kill it."""
    for _ in range(2):  # what was being started while the first one looked
        child = os.fork()
        if not child:
            try:
                _act_as(user)
                os.kill(-1, signal.SIGKILL)
            finally:
                os._exit(0)
        os.waitpid(child, 0)


def _act_as(user: int) -> None:
    """Have the rights of a user, and be one whom no process of theirs may send a signal."""
    os.setgroups([])
    os.setresgid(user, user, user)
    try:
        # Whom signals may be sent to goes by these two, and what one may do by the one between them.
        os.setresuid(user ^ _NOBODYS, user, user ^ _NOBODYS)
    except OSError:  # a container that has no such ids
        os.setresuid(user, user, user)


def clear_user(user: int) -> bool:
    """Kill every process of a user, and remove what they have left where everybody may write; `False` where
    some of it is left: it may be very much.
    """
    kill_user(user)
    child = os.fork()
    if not child:
        left = 1
        try:
            signal.alarm(_CLEARING_S)
            # As that user, for whom nothing else can be removed; no module can be read any more.
            become(user)
            _clear_shared_memory(user)
            left = sum(not _clear(place, user) for place in _SHARED if os.path.isdir(place))
        finally:
            os._exit(min(left, 1))
    return os.waitpid(child, 0)[1] == 0


def _clear(place: str, user: int) -> bool:
    """Remove what a user owns in a folder. However deep folders lie, each is taken out of the other first."""
    left = [one.path for one in os.scandir(place) if _owner(one) == user]
    cleared, number = True, 0
    while left:
        path = left.pop()
        try:
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                os.unlink(path)
                continue
            os.chmod(path, 0o700)
            for one in list(os.scandir(path)):
                if not one.is_dir(follow_symlinks=False):
                    os.unlink(one.path)
                    continue
                number += 1
                out = f"{place}/.remit-{user}-{os.getpid()}-{number}"
                os.chmod(one.path, 0o700)
                os.rename(one.path, out)
                left.append(out)
            os.rmdir(path)
        except FileNotFoundError:
            # Somebody else has removed it, or something in it.
            if os.path.lexists(path):
                left.append(path)
        except OSError:
            cleared = False
    return cleared


def _owner(one: os.DirEntry[str]) -> int:
    """Return whose it is, or -1 where it is gone meanwhile: everybody makes and removes files there."""
    try:
        return one.stat(follow_symlinks=False).st_uid
    except FileNotFoundError:
        return -1


def _clear_shared_memory(user: int) -> None:
    """Remove memory, semaphores and queues of System V that a user owns."""
    libc = _libc()
    for kind, remove in (("shm", "shmctl"), ("sem", "semctl"), ("msg", "msgctl")):
        try:
            with open(f"/proc/sysvipc/{kind}", "rb") as listed:
                names, *rows = [line.split() for line in listed]
        except OSError:
            continue
        for row in rows:
            one = dict(zip(names, row, strict=False))
            if str(user).encode() in (one.get(b"uid"), one.get(b"cuid")):
                # What stands first is its key; `IPC_RMID` is 0 at the place of each.
                getattr(libc, remove)(int(row[1]), 0, 0)


def _leave_limits() -> bool:
    """Leave no core file, and set no limits of another process; `False` where that cannot be."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    core = 0 if most == 0 else _NO_CORE
    resource.setrlimit(resource.RLIMIT_CORE, (core, core))
    program = _limits_of_no_other()
    made = _Filter(len(program) // 8, program)
    return not _libc().prctl(_PR_SET_SECCOMP, 2, ctypes.byref(made), 0, 0)


def _limits_of_no_other() -> bytes:
    """Return a filter that lets a process read limits, and set its own alone (`pid` 0, as `setrlimit`
    does).
    """
    # `struct seccomp_data`: number, architecture, address (8), arguments (8 each).
    low, high = (0, 4) if sys.byteorder == "little" else (4, 0)
    whose, new, check, steps = 16, 32, 4 * len(_PRLIMIT) + 2, list[tuple[int, int, int, int]]()
    allow, refuse = check + 6, check + 7

    def step(what: int, value: int, then: int = 0, otherwise: int = 0) -> None:
        # Jumps are counted from the next instruction.
        here = len(steps) + 1
        steps.append((what, then and then - here, otherwise and otherwise - here, value))

    step(_LOAD, 4)
    for architecture, number in _PRLIMIT:
        following = len(steps) + 4
        step(_EQUAL, architecture, len(steps) + 1, following)
        step(_LOAD, 0)
        step(_AND, _NOT_X32)
        step(_EQUAL, number, check, allow)
    step(_RETURN, _ALLOW)
    step(_LOAD, whose + low)
    step(_EQUAL, 0, allow, check + 2)
    step(_LOAD, new + low)
    step(_EQUAL, 0, check + 4, refuse)
    step(_LOAD, new + high)
    step(_EQUAL, 0, allow, refuse)
    step(_RETURN, _ALLOW)
    step(_RETURN, _REFUSE)
    return b"".join(struct.pack("HBBI", *one) for one in steps)


def _give_up_looking() -> bool:
    """Return up the rights by which root looks into processes or raises limits; most have none."""
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
