"""What travels between a worker, its fork server and the child that touches hostile bytes.

Towards the child everything is ours and may be pickled. Back from the child nothing is trusted: one
frame of bounded length holding MessagePack, decoded only as the type that the called function declares
to return, and problems whose texts are cut to size and cleaned. A child taken over by its input can
lie about its own submission, and do nothing else.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, get_type_hints

import msgspec

from goat.errors import Problem

MAX_REPLY_BYTES = 16 << 20
"""Longest reply of a child; a plan for 300 files takes some 100 KB."""
MAX_PROBLEMS = 1000
MAX_MESSAGE = 4000
"""Characters of one problem; room to name some two hundred missing files."""
MAX_CHARACTERS = 200_000
"""Of all problems of a submission together."""
MAX_FILE_NAME = 255

LENGTH = struct.Struct("!I")
"""Prefix of every frame."""

_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
_UNPRINTABLE = re.compile(
    r"[^\x20-\x7e\xa0-\u2027\u202f-\u2065\u2070-\ud7ff\uf900-\ufffd\U00010000-\U0010ffff]"
)


class Reply(msgspec.Struct, omit_defaults=True):
    """The child's only message: exactly one of the four is set."""

    result: msgspec.Raw = msgspec.Raw(b"")
    problems: list[tuple[str, str, str | None]] = []
    fault: str = ""
    """Our code failed in an unforeseen way: what the exception said, for the log."""
    out_of_memory: bool = False


class Ended(msgspec.Struct):
    """How a child ended, told by the fork server (ours, trusted)."""

    status: int
    """As by ``os.waitpid``."""
    peak_bytes: int
    cpu_s: float


def encode_result(result: Any) -> bytes:
    """Raises `TypeError` if the result is not made of plain values, named tuples and dataclasses."""
    return encode_reply(Reply(result=msgspec.Raw(msgspec.msgpack.encode(result))))


def encode_reply(reply: Reply) -> bytes:
    return msgspec.msgpack.encode(reply)


def decode_reply(payload: bytes) -> Reply:
    """Raises `ValueError` on anything but a well-formed reply."""
    reply: Reply = _decode(payload, Reply)
    return reply


def decode_result(reply: Reply, function: Callable[..., Any]) -> Any:
    """The result as the type that ``function`` declares to return.

    Raises `ValueError` if it is anything else.
    """
    return _decode(reply.result, _returned_type(function))


def _decode(payload: bytes | msgspec.Raw, type_: Any) -> Any:
    try:
        return msgspec.msgpack.decode(payload, type=type_)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error


@cache
def _returned_type(function: Callable[..., Any]) -> Any:
    return get_type_hints(function).get("return", Any)


def clean_problems(problems: Iterable[Problem]) -> list[Problem]:
    """Problems that are safe to store and show: bounded in number, length and alphabet."""
    cleaned: list[Problem] = []
    room = MAX_CHARACTERS
    for problem in problems:
        message = clean_text(problem.message, MAX_MESSAGE) or "The submission is not acceptable."
        room -= len(message)
        if cleaned and (room < 0 or len(cleaned) == MAX_PROBLEMS):
            break
        code = problem.code if _CODE.fullmatch(problem.code) else "rejected"
        file = None if problem.file is None else clean_text(problem.file, MAX_FILE_NAME)
        cleaned.append(Problem(code, message, file))
    return cleaned


def clean_text(text: str, limit: int) -> str:
    """``text`` without control and direction characters, at most ``limit`` characters."""
    text = _UNPRINTABLE.sub("\ufffd", text[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1] + "…"
