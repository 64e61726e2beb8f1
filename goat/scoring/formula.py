"""Score formulas of an event file: arithmetic over declared domains, evaluated without ``eval``.

A formula is accepted when the event is loaded or not at all: over the whole of its declared domain
it is finite and moves in the right direction with each metric. What lies outside the domain is
clamped to it or refused, as declared, so no pair of wrong signs can ever make a good score.
"""

from __future__ import annotations

import ast
import itertools
import math
import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from simpleeval import InvalidExpression, SimpleEval

MAX_LENGTH: Final = 400
MAX_NODES: Final = 120
MAX_EXPONENT: Final = 64
_GRID_POINTS: Final = 20_000

_FUNCTIONS: dict[str, Any] = {
    "abs": abs, "exp": math.exp, "log": math.log, "log2": math.log2, "log10": math.log10,
    "max": max, "min": min, "sqrt": math.sqrt,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Domain:
    """Values that a metric may take in a formula, and what happens to those outside."""

    low: float
    high: float
    better: Literal["up", "down"] = "up"
    outside: Literal["clamp", "reject"] = "clamp"

    def admit(self, name: str, value: float) -> float:
        """The value, clamped if so declared. Raises ValueError for NaN, and outside if refused."""
        if math.isnan(value):
            raise ValueError(f"{name} is not a number")
        if self.outside == "reject" and not self.low <= value <= self.high:
            raise ValueError(f"{name} = {value:g} lies outside [{self.low:g}, {self.high:g}]")
        return min(self.high, max(self.low, value))


def _power(base: float, exponent: float) -> float:
    if abs(exponent) > MAX_EXPONENT:
        raise ValueError(f"exponents reach at most {MAX_EXPONENT}")
    result: Any = float(base) ** float(exponent)
    if isinstance(result, complex):
        raise ValueError("a root of a negative number")
    return float(result)


_OPERATORS: dict[type[ast.AST], Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: _power, ast.USub: operator.neg, ast.UAdd: operator.pos,
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
_ALLOWED_NODES = (
    ast.BinOp, ast.UnaryOp, ast.Compare, ast.IfExp, ast.Call, ast.Name, ast.Constant, ast.Load, *_OPERATORS,
)  # fmt: skip


class Formula:
    """A checked formula: call it with the metrics.

    >>> score = Formula("0.7*psnr/50 + 0.3*ssim", {"psnr": Domain(0, 50), "ssim": Domain(-1, 1)})
    >>> score.faults()
    []
    >>> round(score({"psnr": 60.0, "ssim": 0.5}), 3)
    0.85
    """

    def __init__(self, text: str, domains: Mapping[str, Domain], *, higher_is_better: bool = True) -> None:
        """Raises ValueError, in a sentence, if the text is not a formula over the domains' names."""
        self.text = text
        self.higher_is_better = higher_is_better
        self._tree = _parse(text)
        self.names = _names(self._tree)
        unknown = sorted(self.names - set(domains))
        if unknown:
            known = ", ".join(sorted(domains))
            raise ValueError(f"formula names {', '.join(unknown)}; known here: {known}")
        self.domains = {name: domains[name] for name in sorted(self.names)}

    def __call__(self, metrics: Mapping[str, float]) -> float:
        """The score. Raises ValueError when a metric is NaN, refused by its domain, or the result
        is not finite."""
        names = {name: domain.admit(name, metrics[name]) for name, domain in self.domains.items()}
        return self._evaluate(names)

    def faults(self) -> list[str]:
        """What is wrong over the declared domain, as sentences; empty if it is sound.

        Checked on a grid that includes every corner: finite, and monotone in each metric in the
        direction that is better. Takes well under a second.
        """
        if not self.domains:
            return ["formula names no metric"]
        wrong = [
            f"{name} has an empty or infinite domain" for name, d in self.domains.items() if not _sound(d)
        ]
        return wrong or self._faults_on_grid()

    def _faults_on_grid(self) -> list[str]:
        axes = {name: list(_steps(domain, self._points())) for name, domain in self.domains.items()}
        values: dict[tuple[int, ...], float] = {}
        sizes = [range(len(axis)) for axis in axes.values()]
        for place in itertools.product(*sizes):
            point = {name: axis[index] for (name, axis), index in zip(axes.items(), place, strict=True)}
            try:
                values[place] = self._evaluate(point)
            except ValueError as error:
                return [f"formula is not finite over its domain: {error} at {_describe(point)}"]
        return [
            fault
            for position, name in enumerate(axes)
            if (fault := self._direction_fault(position, name, axes, values)) is not None
        ]

    def _direction_fault(
        self, position: int, name: str, axes: dict[str, list[float]], values: dict[tuple[int, ...], float]
    ) -> str | None:
        sign = 1.0 if (self.domains[name].better == "up") == self.higher_is_better else -1.0
        for place, value in values.items():
            index = place[position]
            if index + 1 == len(axes[name]):
                continue
            following = values[(*place[:position], index + 1, *place[position + 1 :])]
            if (following - value) * sign < -1e-12 * max(1.0, abs(value)):
                point = {key: axis[i] for (key, axis), i in zip(axes.items(), place, strict=True)}
                return (
                    f"formula rewards a worse {name} over its domain: {value:g} becomes {following:g} "
                    f"when {name} moves from {point[name]:g} to {axes[name][index + 1]:g} "
                    f"at {_describe(point)}; declare a narrower domain"
                )
        return None

    def _points(self) -> int:
        return max(3, min(501, int(_GRID_POINTS ** (1 / len(self.domains)))))

    def _evaluate(self, names: Mapping[str, float]) -> float:
        evaluator = SimpleEval(operators=_OPERATORS, functions=_FUNCTIONS, names=dict(names))
        try:
            result = evaluator.eval(self.text, previously_parsed=self._tree)
            value = float(result)
        except (ArithmeticError, ValueError, TypeError, InvalidExpression) as error:
            raise ValueError(str(error) or type(error).__name__) from error
        if not math.isfinite(value):
            raise ValueError(f"the result is {value}")
        return value


def _parse(text: str) -> ast.expr:
    """The expression, if it is arithmetic alone: numbers, names, operators, known functions."""
    if not text.strip() or len(text) > MAX_LENGTH:
        raise ValueError(f"formula has between 1 and {MAX_LENGTH} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"formula is not an arithmetic expression: {text!r}") from error
    nodes = list(ast.walk(tree))
    if len(nodes) > MAX_NODES:
        raise ValueError(f"formula is too long: at most {MAX_NODES} terms and operators")
    for node in nodes:
        _require_arithmetic(node)
    return tree


def _require_arithmetic(node: ast.AST) -> None:
    if isinstance(node, ast.Constant):
        value = node.value
        plain = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e12
    elif isinstance(node, ast.Call):
        plain = isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and not node.keywords
        plain = plain and not any(isinstance(argument, ast.Starred) for argument in node.args)
    else:
        plain = isinstance(node, _ALLOWED_NODES)
    if not plain:
        raise ValueError(
            f"formula is arithmetic over metrics and {', '.join(_FUNCTIONS)}; {ast.unparse(node)!r} is not"
            if isinstance(node, ast.expr)
            else "formula uses an operator that is not arithmetic"
        )


def _names(tree: ast.expr) -> set[str]:
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called}


def _sound(domain: Domain) -> bool:
    return math.isfinite(domain.low) and math.isfinite(domain.high) and domain.low < domain.high


def _steps(domain: Domain, points: int) -> Iterator[float]:
    for index in range(points):
        share = index / (points - 1)
        yield domain.low * (1.0 - share) + domain.high * share


def _describe(point: Mapping[str, float]) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in point.items())
