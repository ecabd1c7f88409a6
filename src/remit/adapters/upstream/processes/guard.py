# SPDX-License-Identifier: Apache-2.0
"""A guard between remit and an upstream's process, so that no such process outlives remit.

    python -I -S guard.py LIFELINE DEATHLINE GRACE_S LEASE_S APART USER MARK PROGRAM [ARGUMENT...]

A separate program that uses the standard library alone. LIFELINE is the reading end of a pipe whose writing
end only remit holds. When the pipe ends (remit closed it, or died in any way), the guard asks the program's
process group to end, and after GRACE_S seconds kills the group and every other descendant. With a LEASE_S
above 0 it does the same if remit wrote nothing to the pipe for that many seconds, because a stopped remit
cannot end anything. DEATHLINE is the writing end of a pipe that only the guard holds: remit sees its end even
while another process still has the program's output open. The guard writes two lines to it: `enclosed PID` or
`counted` once the program is started, and `none` when nothing of it is left. The guard does not read MARK;
remit finds the guard by it.

*Enclosed* (`namespace`): the program has a PID namespace, and the kernel kills all of it at once, even if the
guard is killed. PID is the first process of the namespace. This applies to a program with a LEASE_S, unless
APART is `off`, on a machine that supports it. *Counted*, in every other case: the guard kills all
descendants, and looks for them again, until it has no child. If the guard is killed before that, it is
unknown what is left.

The program is kept apart from every other process of the same user (`separation`): it cannot read their
memory or environment, and cannot end them. APART decides whether it starts on a machine that does not support
that: `required`, `where-possible` or `off`. A USER above 0 requires the rights of root. The program then runs
with that user id, with a separate home folder. All processes of that user id are killed before the program
starts and after it ends. Files that an earlier program of that user id left elsewhere are removed first.

On Linux, descendants that left the group become children of the guard (PR_SET_CHILD_SUBREAPER), and the
program dies with a killed guard (PR_SET_PDEATHSIG). The guard is single-threaded, so its steps between fork
and exec are safe.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time

# Type checkers take this as true. Importing `typing` would take longer than the rest of this program's start.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from remit.adapters.upstream.processes import namespace, separation
else:
    # The modules lie beside this file; remit itself is not on this program's path.
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))
    import namespace
    import separation

CANNOT_START = 127
_POLL_MS = 20


def start(command: list[str], guard: int, how: str, user: int) -> int:
    """Start the program in a new process group; return its process id."""
    pid = os.fork()
    if pid:
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        return pid
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        if user:
            separation.become(user)
        if how != "off" and not separation.keep_apart():
            os.write(2, b"this machine keeps programs of one user not apart: no Landlock\n")
            if how == "required":
                os._exit(CANNOT_START)
        # After the change of the user, which clears it.
        separation.die_with_parent()
        if os.getppid() == guard:
            os.execvp(command[0], command)  # noqa: S606 - that is what a guard is for; there is no shell
    except OSError as error:
        os.write(2, f"`{command[0]}` cannot be started: {error.strerror}\n".encode())
    os._exit(CANNOT_START)


def enclose(command: list[str], how: str, user: int, lines: list[int]) -> int:
    """Start the program in a PID namespace; return the id of its first process, or -1 if none can be made."""
    if not namespace.possible():
        return -1
    living, life = os.pipe()
    pid = namespace.begin()
    if pid:
        os.close(living)
        return pid
    os.close(life)
    separation.die_with_parent()
    if select.select([living], [], [], 0)[0]:
        os._exit(CANNOT_START)  # the guard is gone already
    for line in lines:
        os.close(line)
    signal.set_wakeup_fd(-1)
    main = start(command, os.getpid(), how, user)
    signal.signal(signal.SIGTERM, lambda *_: kill_group(main, signal.SIGTERM))
    let_go()
    while True:
        ended, status = os.wait()
        if ended == main:
            os._exit(shell_status(os.waitstatus_to_exitcode(status)))


def let_go() -> None:
    """Close the program's streams here: while the guard holds them, their ends are not visible to remit."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)


def shell_status(status: int | None) -> int:
    """Return an exit status as shells do: 128 + n for signal n."""
    return 128 + signal.SIGKILL if status is None else status if status >= 0 else 128 - status


def reap(main: int, status: int | None) -> tuple[int | None, bool]:
    """Reap ended children; return the program's exit status once known, and whether a child is left."""
    try:
        while True:
            pid, ended = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return status, True
            if pid == main:
                status = os.waitstatus_to_exitcode(ended)
    except ChildProcessError:
        return status, False


def kill_group(group: int, number: int) -> None:
    """Send a signal to the program's process group."""
    with contextlib.suppress(OSError):
        os.killpg(group, number)


def parents() -> dict[int, int]:
    """Return the parent of each process of the machine; empty if `/proc` cannot be read."""
    found = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as opened:
                    # After the program's name, which may contain anything: state, parent.
                    found[int(name)] = int(opened.read().rpartition(b")")[2].split()[1])
    return found


def descendants() -> list[int]:
    """Return the processes below the guard, parents first; orphans are its children."""
    below: dict[int, list[int]] = {}
    for pid, parent in parents().items():
        below.setdefault(parent, []).append(pid)
    found = [os.getpid()]
    for one in found:
        found += below.get(one, [])
    return found[1:]


def kill_all(main: int, status: int | None) -> tuple[int | None, bool]:
    """Kill the group and every descendant until the guard has no child left, and so no descendant."""
    kill_group(main, signal.SIGKILL)
    before: set[int] = set()
    while True:
        found = descendants()
        # Parents first, so that none of them starts a replacement for a killed child.
        send(found, signal.SIGKILL)
        status, left = reap(main, status)
        if not left or (sys.platform != "linux" and status is not None):
            return status, left
        if before == set(found):
            # No new process appears; dying may take a while.
            time.sleep(_POLL_MS / 1000)
        before = set(found)


def send(pids: Iterable[int], number: int) -> None:
    """Send a signal to each process."""
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def own_home(user: int) -> str:
    """Create a home for the program, if the configuration names none; return its path."""
    import tempfile

    if "HOME" in os.environ:
        return ""
    home = tempfile.mkdtemp(prefix="remit-")
    os.chown(home, user, user)
    os.environ["HOME"] = os.environ["TMPDIR"] = home
    return home


def now_s() -> float:
    """Return a time in seconds that also passes while the machine sleeps, if there is such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def watch(
    main: int, lifeline: int, woken: int, grace_s: float, lease_s: float, ask: Callable[[], None]
) -> int | None:
    """Wait for the end of the program or of remit, or until remit was silent for `lease_s`.

    In the last two cases `ask` the program to end, and wait `grace_s` for that.
    """
    poll = select.poll()
    poll.register(lifeline, select.POLLIN | select.POLLHUP)
    poll.register(woken, select.POLLIN)
    killed_at = None
    due = now_s() + lease_s if lease_s else None
    while True:
        status, _ = reap(main, None)
        if status is not None:
            return status
        if killed_at is not None and now_s() >= killed_at:
            return None
        ended = due is not None and killed_at is None and now_s() >= due
        wait_ms = _POLL_MS if killed_at is not None else None if due is None else (due - now_s()) * 1000
        ready = {fd for fd, _ in poll.poll(wait_ms if wait_ms is None else max(0, int(wait_ms) + 1))}
        if woken in ready:
            os.read(woken, 512)
        if lifeline in ready:
            if os.read(lifeline, 512):
                # A sign of life written in time counts, even if it is read late.
                due, ended = now_s() + lease_s if lease_s else None, False
            else:
                ended = True
        if ended and killed_at is None:
            poll.unregister(lifeline)
            ask()
            killed_at = now_s() + grace_s


def main(arguments: list[str]) -> int:
    """Guard one program from its start to its end; return its exit status, 128 + n for signal n."""
    lifeline, deathline = int(arguments[0]), int(arguments[1])
    grace_s, lease_s = float(arguments[2]), float(arguments[3])
    how, user, command = arguments[4], int(arguments[5]), arguments[7:]
    separation.hide()
    separation.adopt_orphans()
    os.set_inheritable(lifeline, False)
    os.set_inheritable(deathline, False)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # The guard learns of remit's end by the lifeline; no signal to the guard may leave the program running.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    signal.set_wakeup_fd(wake)
    if user and not separation.clear_user(user):
        os.write(2, b"what an earlier program of this user id has left cannot be removed\n")
        tell(deathline, "none")
        return CANNOT_START
    home = own_home(user) if user else ""
    first = enclose(command, how, user, [lifeline, deathline]) if lease_s and how != "off" else -1
    pid = first if first > 0 else start(command, os.getpid(), how, user)
    tell(deathline, f"enclosed {pid}" if first > 0 else "counted")
    let_go()

    def ask() -> None:
        if first > 0:
            send([pid], signal.SIGTERM)
        else:
            kill_group(pid, signal.SIGTERM)

    status = watch(pid, lifeline, woken, grace_s, lease_s, ask)
    if first > 0:
        send([first], signal.SIGKILL)
        # The end of the first process ends all of the namespace, so it is awaited.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(first, 0)
    status, left = kill_all(pid, status)
    if user:
        separation.kill_user(user)
        reap(pid, status)
        if home:
            import shutil

            # Folders nested too deeply are removed before this user id is used again.
            with contextlib.suppress(RecursionError):
                shutil.rmtree(home, ignore_errors=True)
    if sys.platform == "linux" and not left:
        tell(deathline, "none")
    return shell_status(status)


def tell(deathline: int, line: str) -> None:
    """Write a line to remit, which may be gone."""
    with contextlib.suppress(OSError):
        os.write(deathline, f"{line}\n".encode("ascii"))


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))
