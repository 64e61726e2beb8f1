"""Problems of many files, put so that a person can read them: alike ones become one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from goat.errors import Problem

_APART = 3  # so many files with the same problem are still listed one by one


class Findings:
    """Collects problems of a submission's files, in the order of the files."""

    def __init__(self, order: Sequence[str]) -> None:
        self._order: Mapping[str, int] = {name: index for index, name in enumerate(order)}
        self._general: list[Problem] = []
        self._files: dict[tuple[str, str], list[tuple[str, str]]] = {}

    def add(self, code: str, message: str) -> None:
        """A problem of the submission as a whole."""
        self._general.append(Problem(code, message))

    def add_file(self, name: str, code: str, message: str, detail: str = "") -> None:
        """A problem of one file. ``detail`` is shown only while the file is listed on its own."""
        self._files.setdefault((code, message), []).append((name, detail))

    def problems(self) -> list[Problem]:
        """All of them, general ones first."""
        result = list(self._general)
        for (code, message), places in self._files.items():
            if len(places) <= _APART:
                result += [Problem(code, _single(name, message, detail), name) for name, detail in places]
            else:
                names = ranges([name for name, _ in places], self._order)
                result.append(Problem(code, f"{len(places)} files: {message} ({names})"))
        return result


def ranges(names: Sequence[str], order: Mapping[str, int]) -> str:
    """Names in short: neighbours in ``order`` become ``first–last``.

    >>> ranges(["a1", "a2", "a3", "a7"], {f"a{i}": i for i in range(9)})
    'a1–a3, a7'
    """
    parts: list[tuple[str, str]] = []
    for name in sorted(names, key=order.__getitem__):
        if parts and order[name] == order[parts[-1][1]] + 1:
            parts[-1] = (parts[-1][0], name)
        else:
            parts.append((name, name))
    return ", ".join(first if first == last else f"{first}–{last}" for first, last in parts)


def _single(name: str, message: str, detail: str) -> str:
    return f"{name}: {message} ({detail})" if detail else f"{name}: {message}"
