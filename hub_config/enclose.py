"""Launcher in front of a team's server: give up every right it must not have, then become it.

Run by path with ``python -IS enclose.py [options] -- command…``, so it may import nothing but the
standard library. Started as root it moves into a mount namespace in which the hidden folders are empty
but for what is kept, limits itself, and becomes the team's own user for good; ``exec`` keeps the process
id. Started by anybody else it runs itself once more in bubblewrap, with process numbers of its own.
What lies in the team's folder is the team's: nothing there is followed before the rights are gone.

    --uid N           become this user (root only)
    --home DIR        the team's folder: made if missing, the only one it may write to
    --hide DIR        empty from inside, except for what --keep names (several)
    --keep DIR        stays readable inside a hidden folder (several)
    --starters DIR    copy these files into the home's folder ``notebooks``, never over an existing one
    --cgroup DIR      join this control group first
    --memory BYTES    limit of private memory per process
    --processes N     limit of processes and threads of the team, where the kernel counts them for itself
    --no-gpus         the machine's GPUs are not for teams (in bubblewrap they never are)
    --bubblewrap FILE the program to use without root
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CLONE_NEWNS = 0x00020000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
SHARED = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - a team gets its own in their place
GPUS = ("nvidia*", "dri", "kfd", "accel*")
SHARED_SIZE = 256 << 20
TAKEN_FIRST = 500
TEMPORARY = ".tmp"
LOG = ".server.log"
LOG_BYTES = 10_000_000


class Trouble(Exception):
    """Why the server cannot be enclosed: one sentence."""


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _mount(source: str, target: str, kind: str = "none", flags: int = 0, data: str = "") -> None:
    if _libc().mount(source.encode(), target.encode(), kind.encode(), flags, data.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount on {target}: {os.strerror(number)}")


def own_mounts() -> bool:
    """Move into a mount namespace of our own; False where the system does not let us."""
    try:
        if _libc().unshare(CLONE_NEWNS) != 0:
            return False
        _mount("none", "/", flags=MS_REC | MS_PRIVATE)
    except (OSError, AttributeError):
        return False
    return True


def cover(hidden: Sequence[str], kept: Sequence[str], home: str) -> None:
    """Lay an empty folder over each hidden one, then bring back what is kept, read-only, and the home."""
    wanted = [(folder, False) for folder in dict.fromkeys(kept)] + [(home, True)]
    inside = [
        (folder, writable, os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        for folder, writable in wanted
        if any(_lies_in(folder, outer) for outer in hidden)
    ]
    # What is hidden outside of another hidden folder comes first.
    for folder in sorted(hidden, key=len):
        with contextlib.suppress(FileNotFoundError):
            os.makedirs(folder, exist_ok=True)
            how = f"mode=1777,size={SHARED_SIZE}" if folder in SHARED else "mode=0755,size=1m"
            _mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, how)
    for folder, writable, descriptor in inside:
        os.makedirs(folder, mode=0o755, exist_ok=True)
        _mount(f"/proc/self/fd/{descriptor}", folder, flags=MS_BIND)
        if not writable:
            _mount("none", folder, flags=MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)
        os.close(descriptor)


def cover_gpus() -> None:
    """Put nothing in the place of what drives GPUs."""
    for path in (path for pattern in GPUS for path in Path("/dev").glob(pattern)):
        if path.is_dir():
            _mount("tmpfs", str(path), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=4k")
        else:
            _mount("/dev/null", str(path), flags=MS_BIND)


def _lies_in(folder: str, outer: str) -> bool:
    return folder != outer and Path(folder).is_relative_to(outer)


def join(group: str) -> None:
    """Move into a control group; what we start will be in it too."""
    if group:
        with open(os.path.join(group, "cgroup.procs"), "w") as file:
            file.write("0")


def limit(memory: int, processes: int) -> None:
    """Bound what one process may hold and how many a team may have; no core files.

    Where the whole machine runs out of memory all the same, the kernel takes a team's process before ours.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(TAKEN_FIRST))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind, value in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_NPROC, processes)):
        if value:
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(kind, (value, value))


def become(uid: int) -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    # No set-user-id program may give anything back.
    if _libc().prctl(38, 1, 0, 0, 0) != 0:  # PR_SET_NO_NEW_PRIVS
        raise Trouble("The kernel refused to rule out new privileges.")


def hand_over(home: str, uid: int) -> None:
    """Make the home the team's own; also one that came back from a backup under another number."""
    os.makedirs(home, mode=0o700, exist_ok=True)
    if os.lstat(home).st_uid == uid:
        return
    for _, folders, files, descriptor in os.fwalk(home, follow_symlinks=False):
        for name in (*folders, *files):
            os.chown(name, uid, uid, dir_fd=descriptor, follow_symlinks=False)
    os.chown(home, uid, uid, follow_symlinks=False)
    os.chmod(home, 0o700)


def copy_starters(source: str, home: str) -> None:
    """Copy starter files into ``home/notebooks``. What is there already is the team's work: it stays."""
    for folder, folders, names in os.walk(source):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        target = os.path.join(home, "notebooks", os.path.relpath(folder, source))
        for name in sorted(names):
            if name.startswith("."):
                continue
            with contextlib.suppress(OSError):  # a starter less is no reason not to start
                os.makedirs(target, exist_ok=True)
                if not os.path.lexists(os.path.join(target, name)):
                    _copy(os.path.join(folder, name), os.path.join(target, name))


def _copy(source: str, target: str) -> None:
    """Copy a file whole or not at all: half a one would be taken for the team's work from then on."""
    half = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.half")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(half)
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with open(source, "rb") as read, os.fdopen(descriptor, "wb") as write:
            shutil.copyfileobj(read, write)
        os.rename(half, target)
    except OSError:
        os.unlink(half)
        raise


def write_log(home: str) -> None:
    """What the server prints goes into the team's own folder: the organiser's logs stay the organiser's."""
    path = os.path.join(home, LOG)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
    with contextlib.suppress(OSError):
        if os.lstat(path).st_size > LOG_BYTES:
            os.unlink(path)
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError:
        descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def as_root(options: argparse.Namespace) -> None:
    """Enclose by a user of its own, and by mounts of its own where the system allows."""
    os.umask(0o022)
    join(options.cgroup)
    hand_over(options.home, options.uid)
    enclosed = own_mounts()
    temporary = open_temporary(options.home, options.uid)
    if enclosed:
        private, covered = shared_folders(options)
        for folder in private:
            _mount(f"/proc/self/fd/{temporary}", folder, flags=MS_BIND)
        cover((*options.hide, *covered), options.keep, options.home)
        if options.no_gpus:
            cover_gpus()
        with contextlib.suppress(OSError):  # only the team's own processes can be seen
            _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=invisible")
    limit(options.memory, options.processes)
    become(options.uid)
    os.umask(0o077)
    prepare(options)
    os.execvp(options.command[0], options.command)


def prepare(options: argparse.Namespace) -> None:
    """What the team's own user does before its server starts, inside its folder."""
    os.chdir(options.home)
    if options.starters:
        copy_starters(options.starters, options.home)
    write_log(options.home)


def open_temporary(home: str, uid: int) -> int:
    """The team's temporary folder, made if missing, as a descriptor: its name can be led elsewhere."""
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISDIR(os.stat(TEMPORARY, dir_fd=folder, follow_symlinks=False).st_mode):
                os.unlink(TEMPORARY, dir_fd=folder)  # a link or file of the team's, in the way of its server
        with contextlib.suppress(FileExistsError):
            os.mkdir(TEMPORARY, 0o700, dir_fd=folder)
            os.chown(TEMPORARY, uid, uid, dir_fd=folder, follow_symlinks=False)
        found = os.open(TEMPORARY, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    finally:
        os.close(folder)
    if os.fstat(found).st_uid != uid:
        raise Trouble(f"{TEMPORARY} in the team's folder belongs to somebody else.")
    os.chmod(f"/proc/self/fd/{found}", 0o700)
    return found


def shared_folders(options: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Folders that everybody may write to: those that become the team's own, and those to be emptied.

    The latter hold something that is needed.
    """
    needed = (options.home, *options.keep)
    found = [folder for folder in SHARED if os.path.isdir(folder)]
    covered = [folder for folder in found if any(_lies_in(path, folder) for path in needed)]
    return [folder for folder in found if folder not in covered], covered


def bubblewrapped(options: argparse.Namespace) -> list[str]:
    """Ourselves in bubblewrap: everything read-only, the hidden folders empty, the home writable."""
    arguments = [options.bubblewrap, "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    abilities = _abilities(options.bubblewrap)
    if "--disable-userns" in abilities and os.geteuid() != 0:
        # In a namespace of its own making a team could mount file systems in memory.
        arguments += ["--unshare-user", "--disable-userns"]
    arguments += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    program = os.path.abspath(__file__)
    kept = dict.fromkeys((*options.keep, os.path.dirname(program)))
    private, covered = shared_folders(argparse.Namespace(home=options.home, keep=kept))
    hidden = [folder for folder in dict.fromkeys(sorted(options.hide, key=len)) if os.path.isdir(folder)]
    hidden = [folder for folder in hidden if not any(_lies_in(folder, outer) for outer in covered)]
    for folder in covered:
        # What is written there is memory that no process holds: the keeper does not see it.
        arguments += [*(["--size", str(SHARED_SIZE)] if "--size" in abilities else []), "--tmpfs", folder]
    for folder in hidden:
        arguments += ["--tmpfs", folder]
    for folder in kept:
        if any(_lies_in(folder, outer) for outer in (*hidden, *covered)):
            arguments += ["--ro-bind", folder, folder]
    for folder in private:
        arguments += ["--bind", os.path.join(options.home, TEMPORARY), folder]
    arguments += ["--bind", options.home, options.home]
    for folder in (*hidden, "/dev"):
        arguments += ["--remount-ro", folder]
    itself = [sys.executable, "-IS", program, f"--home={options.home}", f"--starters={options.starters}"]
    itself += [f"--memory={options.memory}", f"--processes={options.processes}"]
    return [*arguments, "--chdir", options.home, "--", *itself, "--", *options.command]


def _abilities(bubblewrap: str) -> set[str]:
    """Options that this bubblewrap knows; one that is set-user-id can use few of them."""
    if os.stat(bubblewrap).st_mode & stat.S_ISUID:
        return set()
    said = subprocess.run([bubblewrap, "--help"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return set((said.stdout + said.stderr).decode(errors="replace").split())


def counted_alone() -> bool:
    """Whether the kernel counts a team's processes and not all of the organiser's.

    It does in a user namespace with one user, since Linux 5.14.
    """
    release = [int(number) for number in re.findall(r"\d+", os.uname().release)[:2]]
    try:
        users = Path("/proc/self/uid_map").read_text().split()
    except OSError:
        return False
    return release >= [5, 14] and len(users) == 3 and users[2] == "1"


def without_root(options: argparse.Namespace) -> int:
    """Enclose by bubblewrap, or by nothing but the limits; ends with the command."""
    os.umask(0o077)
    join(options.cgroup)
    os.makedirs(options.home, mode=0o700, exist_ok=True)
    if not options.bubblewrap:
        os.makedirs(os.path.join(options.home, TEMPORARY), mode=0o700, exist_ok=True)
        prepare(options)
        limit(options.memory, options.processes if counted_alone() else 0)
        os.execvp(options.command[0], options.command)
    os.close(open_temporary(options.home, os.geteuid()))
    process = subprocess.Popen(bubblewrapped(options))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: process.terminate())
    return process.wait()


def main() -> None:
    if sys.argv[1:] == ["--may-mount"]:  # a question of who prepares everything
        sys.exit(not own_mounts())
    parser = argparse.ArgumentParser(prog="enclose.py")
    parser.add_argument("--uid", type=int, default=0)
    parser.add_argument("--home", required=True)
    parser.add_argument("--hide", action="append", default=[])
    parser.add_argument("--keep", action="append", default=[])
    parser.add_argument("--starters", default="")
    parser.add_argument("--cgroup", default="")
    parser.add_argument("--memory", type=int, default=0)
    parser.add_argument("--processes", type=int, default=0)
    parser.add_argument("--no-gpus", action="store_true")
    parser.add_argument("--bubblewrap", default="")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    try:
        if options.uid:
            as_root(options)
        sys.exit(without_root(options))
    except (Trouble, OSError) as error:
        sys.exit(f"enclose: {error}")


if __name__ == "__main__":
    main()
