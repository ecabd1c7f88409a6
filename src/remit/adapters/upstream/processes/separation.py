# SPDX-License-Identifier: Apache-2.0
"""Keeping processes of one user of the machine apart from each other. Standard library only; Linux.

The kernel lets every process of the same user read another process under `/proc`, including its environment
and memory. Three measures prevent that without the rights of root:

- A *Landlock* domain (Linux 5.13): a process in a domain cannot look into a process outside of it, and from
  6.12 on cannot signal it. The domain cannot be left, and applies to everything that the process starts. To
  enter a domain, a process gives up gaining rights by `setuid` programs.
- Limits, which a domain does not cover: a process that may set the *limits* of another process can make it
  write a core file, or have the kernel end it. So a process in a domain cannot set the limits of another
  process (seccomp), and writes no core file.
- Not being *dumpable*: no process of the same user can look into such a process. The flag is lost when the
  process executes another program, so it protects remit and its guards, not the programs that they start.

A separate user id for each process (`become`) requires the rights of root.

    python -I -S separation.py USER...    kills every process of these users
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
#: System calls with the same number on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_MAKE_BLOCK_DEVICE: Final = 1 << 11
_REFER: Final = 1 << 13
_SCOPE_SIGNAL: Final = 1 << 1
#: Turns a user id of a program into an id that no system assigns.
_NOBODYS: Final = 1 << 31
#: World-writable folders, and the seconds for removing what one user has left in them.
_SHARED: Final = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run/lock")  # noqa: S108 - cleared only
_CLEARING_S: Final = 20
#: The capabilities by which root can look into any process, whatever its domain, or raise any limit:
#: SYS_MODULE, SYS_RAWIO, SYS_PTRACE, SYS_ADMIN, SYS_RESOURCE, PERFMON and BPF (`capabilities(7)`).
_LOOKING: Final = (16, 17, 19, 21, 24, 38, 39)
#: Smaller than any core file, and the only limit at which no core is piped to a program (`core(5)`).
_NO_CORE: Final = 1
#: The number of `prlimit64` by architecture (`AUDIT_ARCH_*`): x86-64, i386, arm64, arm, riscv64, loongarch64,
#: ppc64le, s390x.
_PRLIMIT: Final = (
    (0xC000003E, 302), (0x40000003, 340), (0xC00000B7, 261), (0x40000028, 369),
    (0xC00000F3, 261), (0xC0000102, 261), (0xC0000015, 325), (0x80000016, 334),
)  # fmt: skip
#: Opcodes of Berkeley packet filters: load a word, bitwise and, jump if equal, return.
_LOAD, _AND, _EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001
#: All bits but the one that marks x32 system calls on x86-64.
_NOT_X32: Final = 0xBFFFFFFF
_CAPABILITY_VERSION: Final = 0x20080522
_RULES_PATH: Final = getattr(os, "O_PATH", 0) | getattr(os, "O_CLOEXEC", 0)


class _Ruleset(ctypes.Structure):
    """The rights that a domain restricts: `struct landlock_ruleset_attr`."""

    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    """The rights that remain permitted below a folder: `struct landlock_path_beneath_attr`."""

    _layout_ = "ms"  # what `_pack_` means; Python 3.14 asks for the word
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


class _CapabilityOf(ctypes.Structure):
    """The process whose capabilities are meant: `struct __user_cap_header_struct`."""

    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Filter(ctypes.Structure):
    """A filter program: `struct sock_fprog`."""

    _fields_ = (("instructions", ctypes.c_ushort), ("program", ctypes.c_char_p))


class _Capabilities(ctypes.Structure):
    """Half of a set of capabilities: `struct __user_cap_data_struct`."""

    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("kept", ctypes.c_uint32))


def version() -> int:
    """Return the kernel's Landlock version; 0 for none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)))


def keep_apart() -> bool:
    """Put this process, and everything that it starts later, into a new domain.

    Returns `False` where that is impossible.
    """
    spoken = version()
    if not spoken or _prctl(_PR_SET_NO_NEW_PRIVS, 1) or not (_leave_limits() and _give_up_looking()):
        return False
    if spoken >= 6:
        made = _ruleset(_Ruleset(0, 0, _SCOPE_SIGNAL), 24)
    else:
        # A domain must restrict some right: it restricts one that stays permitted everywhere.
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
    """Prevent every user but root from looking into this process; lost when it executes another program."""
    return not _prctl(_PR_SET_DUMPABLE, 0)


def adopt_orphans() -> None:
    """Become the parent of descendants whose parents end."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def become(user: int) -> None:
    """Run as another user, irrevocably; raises `OSError` without the rights of root."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def kill_user(user: int) -> None:
    """Kill every process of a user, by a child that runs as that user but that the user cannot kill."""
    for _ in range(2):  # the second round kills what was being started during the first
        child = os.fork()
        if not child:
            try:
                _act_as(user)
                os.kill(-1, signal.SIGKILL)
            finally:
                os._exit(0)
        os.waitpid(child, 0)


def _act_as(user: int) -> None:
    """Take the rights of a user, as a process that the user's processes cannot signal."""
    os.setgroups([])
    os.setresgid(user, user, user)
    try:
        # The real and saved ids decide who may signal this process, the effective id between them its rights.
        os.setresuid(user ^ _NOBODYS, user, user ^ _NOBODYS)
    except OSError:  # a container that does not have such ids
        os.setresuid(user, user, user)


def clear_user(user: int) -> bool:
    """Kill every process of a user, and remove the user's files from world-writable folders.

    Returns `False` if some of them are left: there may be very many.
    """
    kill_user(user)
    child = os.fork()
    if not child:
        left = 1
        try:
            signal.alarm(_CLEARING_S)
            # As that user, who can remove no other user's files. No module can be imported from here on.
            become(user)
            _clear_shared_memory(user)
            left = sum(not _clear(place, user) for place in _SHARED if os.path.isdir(place))
        finally:
            os._exit(min(left, 1))
    return os.waitpid(child, 0)[1] == 0


def _clear(place: str, user: int) -> bool:
    """Remove a user's files from a folder. Each nested folder is first moved out, so that any depth can be
    removed.
    """
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
            # Another process has removed it, or something in it.
            if os.path.lexists(path):
                left.append(path)
        except OSError:
            cleared = False
    return cleared


def _owner(one: os.DirEntry[str]) -> int:
    """Return the owner, or -1 if the file is gone: any process may create and remove files there."""
    try:
        return one.stat(follow_symlinks=False).st_uid
    except FileNotFoundError:
        return -1


def _clear_shared_memory(user: int) -> None:
    """Remove System V shared memory, semaphores and message queues that a user owns."""
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
                # The first column is the key, the second the id; in all three calls `IPC_RMID` is 0.
                getattr(libc, remove)(int(row[1]), 0, 0)


def _leave_limits() -> bool:
    """Write no core file, and set no limits of another process; return `False` where that is impossible."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    core = 0 if most == 0 else _NO_CORE
    resource.setrlimit(resource.RLIMIT_CORE, (core, core))
    program = _limits_of_no_other()
    made = _Filter(len(program) // 8, program)
    return not _libc().prctl(_PR_SET_SECCOMP, 2, ctypes.byref(made), 0, 0)


def _limits_of_no_other() -> bytes:
    """Return a filter that lets a process read limits, and set only its own (`pid` 0, as `setrlimit`
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
    """Drop the capabilities by which root looks into processes or raises limits; most processes have none."""
    for one in _LOOKING:
        _prctl(_PR_CAPBSET_DROP, one)  # a process that may not change this set gains nothing from it either
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
