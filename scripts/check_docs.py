"""The documents tell the truth: links resolve, commands exist, every setting is described.

Run by ``make check`` and, check by check, by tests/docs. Prints what is wrong and exits with 1.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent

# Written in pieces, so that this file does not find itself.
FORBIDDEN = {
    r"(?:files\.)?python" + r"hosted\.org": "a package registry's address: whoever installs decides that",
    r"pypi" + r"\.org": "a package registry's address: whoever installs decides that",
    r"registry\.npm" + r"js\.org": "a package registry's address: whoever installs decides that",
    r"download\.py" + r"torch\.org": "a package registry's address: whoever installs decides that",
    r"\.\./" + r"shared\b": "a folder outside the project",
    r"(?<![\w.])/" + r"work/(?:main|shared|\.)": "a path of one machine",
    r"(?<![\w.])/" + r"opt/(?:pypi|wheels)": "a path of one machine",
    r"(?<![\w.])/(?:ro" + r"ot|ho" + r"me/\w+)/": "a path of one machine",
}

OTHER_VARIABLES = {
    "GOAT_URL", "GOAT_TOKEN", "GOAT_PASSWORD", "GOAT_CACHE", "GOAT_DEBUG",  # the library's
    "GOAT_VENV", "GOAT_PYTHON", "GOAT_TORCH_PIP_ARGS", "GOAT_WITH_TORCH", "GOAT_SOAK_SECONDS",  # Makefile
    "GOAT_RUNTIME",  # and the runtime of models
    "GOAT_CHROMIUM",  # and the browser's tests
}  # fmt: skip


def tracked() -> list[Path]:
    """Files that are or would be committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listing.returncode == 0:
        return sorted(
            {ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()}
        )
    skipped = {".venv", "var", "build", "dist", "__pycache__", ".git"}
    return sorted(p for p in ROOT.rglob("*") if p.is_file() and not skipped & set(p.relative_to(ROOT).parts))


def documents() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md"]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def check_links() -> Iterator[str]:
    """Every relative link leads to a file, every anchor to a heading."""
    for document in documents():
        text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            path = (document.parent / name).resolve() if name else document
            if not path.exists():
                yield f"{shown(document)}: link to {target}, which does not exist"
            elif anchor and path.suffix == ".md" and anchor not in anchors(path):
                yield f"{shown(document)}: link to {target}: no such heading"


def anchors(document: Path) -> set[str]:
    """Anchors of a document's headings, as code hosts make them."""
    headings = re.findall(r"^#+ +(.+?) *$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands_of(document: Path) -> Iterator[list[str]]:
    """Every command line of the document's shell blocks, and every inline ``make``, ``goat…``."""
    text = document.read_text(encoding="utf-8")
    lines = []
    for block in re.findall(r"```(?:bash|console|sh)\n(.*?)```", text, flags=re.DOTALL):
        lines += block.replace("\\\n", " ").splitlines()
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    lines += [code for code in inline if re.match(r"(?:[A-Z_]+=\S+ )*(?:make|goat|goat-server) ", code)]
    for line in lines:
        for part in re.split(r"&&|;|\|", line.partition(" #")[0].removeprefix("$ ")):
            try:
                words = shlex.split(part.replace("…", "").replace("<", "").replace(">", ""))
            except ValueError:
                continue
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words = words[1:]
            if words:
                yield [Path(words[0]).name, *words[1:]]


def check_commands() -> Iterator[str]:
    """Every command in the documents exists, with every option that they show."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for document in documents():
        for program, *arguments in commands_of(document):
            if program == "make":
                named = [word for word in arguments if re.fullmatch(r"[a-z]+", word)]
                for target in named[:1]:
                    if target not in targets:
                        yield f"{shown(document)}: make {target}: no such target"
            elif program in ("goat", "goat-server"):
                fault = command_fault(program_of(program), arguments)
                if fault:
                    yield f"{shown(document)}: {program} {' '.join(arguments)}: {fault}"


def program_of(name: str) -> click.Command:
    import goat.cli
    import scoring_service.cli

    return goat.cli.cli if name == "goat" else scoring_service.cli.cli


def command_fault(command: click.Command, arguments: list[str]) -> str:
    """What does not exist in a command line; empty if all does."""
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        # `goat login|submit` and `goat team add|list` name several at once
        names = arguments[0].split("|")
        found = [command.get_command(click.Context(command), name) for name in names]
        missing = [name for name, one in zip(names, found, strict=True) if one is None]
        if missing:
            return f"no such command: {', '.join(missing)}"
        first = found[0]
        assert first is not None
        command, arguments = first, arguments[1:]
    known = {
        option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]
    }
    known |= {"--help", "-h", "--version"}
    for word in arguments:
        option = word.partition("=")[0]
        if re.fullmatch(r"--?[a-z][a-z-]*", option) and option not in known:
            return f"no such option: {option}"
    return ""


def check_settings() -> Iterator[str]:
    """docs/settings.md lists every variable that is read, and no others."""
    from scoring_service.settings import VARIABLES

    document = ROOT / "docs" / "settings.md"
    rows = re.findall(r"^\| `([A-Z_]+)`", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    read = set(VARIABLES.values()) | {"REDIS_HOST", "REDIS_PORT"}
    for name in sorted(read - set(rows)):
        yield f"docs/settings.md: {name} is missing"
    for name in sorted(set(rows) - read - OTHER_VARIABLES):
        yield f"docs/settings.md: nothing reads {name}"
    for name in sorted({name for name in rows if rows.count(name) > 1}):
        yield f"docs/settings.md: {name} is listed twice"
    for other in documents():
        mentioned = set(re.findall(r"\bGOAT_[A-Z_]+\b", other.read_text(encoding="utf-8")))
        for name in sorted(mentioned - read - OTHER_VARIABLES):
            yield f"{shown(other)}: nothing reads {name}"


def check_addresses() -> Iterator[str]:
    """No committed file names a package registry, a folder outside the project, or somebody's machine."""
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for pattern, what in FORBIDDEN.items():
            for match in re.finditer(pattern, text):
                line = text.count("\n", 0, match.start()) + 1
                yield f"{shown(path)}:{line}: {match.group()} is {what}"


CHECKS: dict[str, Callable[[], Iterator[str]]] = {
    "links": check_links,
    "commands": check_commands,
    "settings": check_settings,
    "addresses": check_addresses,
}


def main() -> int:
    faults = [f"{name}: {fault}" for name, check in CHECKS.items() for fault in check()]
    print("\n".join(faults) or f"documents: {len(documents())} read, {', '.join(CHECKS)} in order")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
