"""Find a Python that is new enough and let it set up the environment.

Written so that even a very old ``python3`` can read it and say what to install.
Usage: ``bootstrap.py server|hub|test [browser]`` (see environment.py).
"""

import os
import subprocess
import sys

MINIMUM = (3, 11)
CANDIDATES = (
    "python3",
    "python3.13",
    "python3.12",
    "python3.14",
    "python3.11",
    "python3.15",
    "/usr/bin/python3",
)


def version_of(command):
    """(major, minor) of a Python command, or None if it does not run."""
    program = "import sys; print(sys.version_info[0], sys.version_info[1])"
    try:
        # A version manager's shim exists for every version it knows, installed or not: run it.
        answer = subprocess.run([command, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return tuple(int(part) for part in answer.stdout.split()) if answer.returncode == 0 else None
    except (OSError, ValueError):
        return None


def serves_others(command):
    """Whether other users can run this Python: root starts every team's server as a user of its own."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return True
    program = "import sys; print(sys.base_prefix)"
    try:
        answer = subprocess.run([command, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        folder = os.path.realpath(answer.stdout.decode().strip())
        while os.stat(folder).st_mode & 0o005 == 0o005:
            if folder == os.path.dirname(folder):
                return True
            folder = os.path.dirname(folder)
    except (OSError, ValueError):
        pass
    return False


def find_python(current=tuple(sys.version_info[:2])):
    """The command to use: $GOAT_PYTHON, this very Python, or the first candidate that is new enough."""
    wanted = os.environ.get("GOAT_PYTHON")
    if wanted:
        version = version_of(wanted)
        if version is None or version < MINIMUM:
            found = "does not run" if version is None else "is Python %d.%d" % version
            sys.exit("GOAT_PYTHON=%s %s; it must be Python %d.%d or newer." % (wanted, found, *MINIMUM))
        return wanted
    if current >= MINIMUM and serves_others(sys.executable):
        return sys.executable
    usable = [command for command in CANDIDATES if (version_of(command) or (0, 0)) >= MINIMUM]
    if current >= MINIMUM:
        usable.insert(0, sys.executable)
    for command in usable:
        if serves_others(command):
            return command
    if usable:
        return usable[0]
    sys.exit(
        "Python %d.%d or newer is needed; python3 here is %d.%d.\n" % (MINIMUM + current)
        + "  Debian, Ubuntu:  apt-get install python3.11 python3.11-venv\n"
        + "  Fedora:          dnf install python3.11\n"
        + "  macOS:           brew install python\n"
        + "If one is installed elsewhere, name it: GOAT_PYTHON=/path/to/python3.11 make up"
    )


if __name__ == "__main__":
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "environment.py")
    sys.exit(subprocess.call([find_python(), script, *sys.argv[1:]]))
