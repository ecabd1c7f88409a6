# SPDX-License-Identifier: Apache-2.0
"""Stands between remit and an upstream's process, so that none outlives remit.

    python -I -S guard.py LIFELINE DEATHLINE GRACE_S LEASE_S APART USER PROGRAM [ARGUMENT...]

A program of its own, of the standard library alone. LIFELINE is the reading end of a pipe whose writing end
only remit holds: when it ends (remit closed it, or died in whatever way) the guard asks the program's process
group to end, and after GRACE_S seconds kills it and every other descendant. With a LEASE_S above 0 it does so
too when remit wrote nothing to it for that many seconds: a remit that was stopped cannot end anything.
DEATHLINE is the writing end of a pipe that only the guard holds: remit sees its end whoever still has the
program's output open.

The program is kept apart from every other process of the same user (`apart`): it reads neither their memory
nor their environment, and ends none of them. APART says whether it starts where the machine cannot do that:
`required`, `where-possible` or `off`. With a USER above 0, which needs the rights of root, it runs as that
user id, whose processes are all killed before it and after it, with a folder of its own as home. What an
earlier program of that user id has left elsewhere is removed before.

On Linux descendants that left the group come back to the guard (PR_SET_CHILD_SUBREAPER), and the program
dies with a killed guard (PR_SET_PDEATHSIG). The guard is single-threaded: what it does between fork and exec
is safe.
"""

import contextlib
import os
import select
import signal
import sys
import time

# What says so to type checkers; reading `typing` would take longer than all else of this program's start.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from remit.adapters.upstream import apart
else:
    # It lies beside this file, and nothing of remit is on the path of this program.
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))
    import apart

CANNOT_START = 127
_POLL_MS = 20


def start(command: list[str], guard: int, how: str, user: int) -> int:
    """Start the program in a process group of its own; give its process id."""
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
            apart.become(user)
        if how != "off" and not apart.keep_apart():
            os.write(2, b"this machine keeps programs of one user not apart: no Landlock\n")
            if how == "required":
                os._exit(CANNOT_START)
        # After the user has changed, which clears it.
        apart.die_with_parent()
        if os.getppid() == guard:
            os.execvp(command[0], command)  # noqa: S606 - that is what a guard is for; there is no shell
    except OSError as error:
        os.write(2, f"`{command[0]}` cannot be started: {error.strerror}\n".encode())
    os._exit(CANNOT_START)


def reap(main: int, status: int | None) -> int | None:
    """Take in whoever ended; give the program's exit status once it is known."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, ended = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == main:
                status = os.waitstatus_to_exitcode(ended)
    return status


def kill_group(group: int, number: int) -> None:
    """Send a signal to the program's process group."""
    with contextlib.suppress(OSError):
        os.killpg(group, number)


def children() -> list[int]:
    """Give the processes whose parent is the guard by now."""
    me = os.getpid()
    try:
        with open(f"/proc/{me}/task/{me}/children", encoding="ascii") as listed:
            return [int(pid) for pid in listed.read().split()]
    except OSError:
        return []


def kill_all(main: int, status: int | None) -> int | None:
    """Kill the group and every descendant, those that become orphans meanwhile included."""
    kill_group(main, signal.SIGKILL)
    for _ in range(250):
        status = reap(main, status)
        left = children()
        if not left and (status is not None or sys.platform != "linux"):
            break
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_MS / 1000)
    return status


def own_home(user: int) -> str:
    """Remove what is left of a user, and give the program a home where the configuration names none."""
    import tempfile

    if not apart.clear_user(user):
        os.write(2, b"what an earlier program of this user id has left cannot be removed\n")
        os._exit(CANNOT_START)
    if "HOME" in os.environ:
        return ""
    home = tempfile.mkdtemp(prefix="remit-")
    os.chown(home, user, user)
    os.environ["HOME"] = os.environ["TMPDIR"] = home
    return home


def now_s() -> float:
    """Seconds that also pass while the machine sleeps, where it has such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def watch(main: int, lifeline: int, woken: int, grace_s: float, lease_s: float) -> int | None:
    """Wait for the program's end, for remit's, or until remit has not been heard of for `lease_s`."""
    poll = select.poll()
    poll.register(lifeline, select.POLLIN | select.POLLHUP)
    poll.register(woken, select.POLLIN)
    killed_at = None
    due = now_s() + lease_s if lease_s else None
    while True:
        status = reap(main, None)
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
                # What was written in time counts, however late it is read here.
                due, ended = now_s() + lease_s if lease_s else None, False
            else:
                ended = True
        if ended and killed_at is None:
            poll.unregister(lifeline)
            kill_group(main, signal.SIGTERM)
            killed_at = now_s() + grace_s


def main(arguments: list[str]) -> int:
    """Guard one program from its start to its end; give its exit status, 128 + n for signal n."""
    lifeline, deathline = int(arguments[0]), int(arguments[1])
    grace_s, lease_s = float(arguments[2]), float(arguments[3])
    how, user, command = arguments[4], int(arguments[5]), arguments[6:]
    apart.hide()
    apart.adopt_orphans()
    os.set_inheritable(lifeline, False)
    os.set_inheritable(deathline, False)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # The end of remit is the end of the lifeline; no signal to the guard may leave the program behind.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.set_wakeup_fd(wake)
    home = own_home(user) if user else ""
    pid = start(command, os.getpid(), how, user)
    # The program's streams are its own: kept open here, their ends would not be seen.
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    status = watch(pid, lifeline, woken, grace_s, lease_s)
    status = kill_all(pid, status)
    if user:
        apart.kill_user(user)
        reap(pid, status)
        if home:
            import shutil

            # What lies too deep is removed before this user id is used again.
            with contextlib.suppress(RecursionError):
                shutil.rmtree(home, ignore_errors=True)
    return 128 + signal.SIGKILL if status is None else status if status >= 0 else 128 - status


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))
