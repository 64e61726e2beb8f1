"""Records to JSON and back: one encoder, strict about what comes in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from goat.errors import Invalid

JSON = "application/json"
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
_encoder = msgspec.json.Encoder()
encode = _encoder.encode


class Json(Response):
    """A reply whose content (records, lists, dicts) is encoded by msgspec; no validation on the way out,
    since records are typed already."""

    media_type = JSON

    def __init__(
        self, content: Any, status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(encode(content), status_code, {**_HEADERS, **(headers or {})}, JSON)


class MalformedJson(Invalid):
    """The body is not JSON at all."""

    code = "malformed_json"


def decode(body: bytes) -> Any:
    """Plain values from strict JSON: no NaN, no infinities, no numbers beyond a double, bounded depth.

    Raises `MalformedJson`.
    """
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise MalformedJson("The JSON body is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedJson(f"The body is not valid JSON: {error}") from None


class StrictRequest(Request):
    """A request whose body was read and bounded before, and whose JSON is decoded strictly."""

    def keep_body(self, body: bytes) -> None:
        """Hand the bytes over to whoever asks for the body."""
        self._body = body

    async def json(self) -> Any:
        return decode(await self.body())
