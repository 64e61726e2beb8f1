"""HTTP under the client: one method per way of talking, with retries and one error mapping.

Every request of ours may be sent twice without harm (reads, idempotency keys, sets to a value), so a
broken connection is tried again, with jittered pauses; so are 502, 503, 504 and a 429 whose
Retry-After is short. Anything else is an answer and is raised as an error of `goat.errors`.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx

from goat import version
from goat.errors import Invalid, ServiceUnreachable
from goat.transports.backoff import Backoff, retry_after
from goat.transports.problems import error_of, unreachable
from goat.transports.sse import ServerEvent, events

_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_STREAM_TIMEOUT = httpx.Timeout(40.0, connect=5.0)
"""The stream beats every 15 s; two missed beats and a bit mean that it is gone."""
_TRY_AGAIN = frozenset({502, 503, 504})

Body = Callable[[], Iterator[bytes]]
"""Makes the body anew for each attempt, so that a retry sends it from its first byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent, and in plain words what for (``doing``: "send the submission")."""

    method: str
    path: str
    doing: str
    headers: Mapping[str, str | bytes]
    params: Mapping[str, str | int] | None = None
    json: Any = None
    body: Body | None = None


class HttpTransport:
    """One service at one address. Safe to use from several threads."""

    def __init__(
        self,
        url: str,
        *,
        backoff: Backoff | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        on_retry: Callable[[str], None] | None = None,
    ) -> None:
        self.url = url
        self.on_retry = on_retry
        self._backoff = backoff or Backoff()
        self._sleep = sleep
        self._answered = False
        self._http = httpx.Client(
            base_url=url,
            timeout=_TIMEOUT,
            transport=transport,
            headers={"User-Agent": f"goat/{version()}", "Accept": "application/json"},
            # A service on this very machine is never behind the proxy of the environment.
            trust_env=not _is_loopback(urlsplit(url).hostname or ""),
        )

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> HttpTransport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, request: Request) -> httpx.Response:
        """The reply, read whole. Raises `goat.errors.RequestError` and `goat.errors.ServiceUnreachable`."""
        with self.open(request) as response:
            return response

    @contextlib.contextmanager
    def open(
        self, request: Request, *, stream: bool = False, timeout: httpx.Timeout = _TIMEOUT
    ) -> Iterator[httpx.Response]:
        """A reply of status below 300; with ``stream`` its body is left to be read by the caller."""
        attempt = 0
        while True:
            pause: float | None = None
            try:
                response = self._http.send(self._build(request, timeout), stream=True)
            except httpx.LocalProtocolError as error:
                raise Invalid(f"Could not {request.doing}: {error}.") from None
            except httpx.TransportError as error:
                attempt += 1
                if attempt >= self._attempts():
                    raise unreachable(error, self.url, request.doing, attempt) from None
                pause = self._backoff.delay(attempt - 1)
            else:
                with contextlib.closing(response):
                    try:
                        pause = self._accepted(response, request, attempt, read=not stream)
                    except httpx.TransportError as error:
                        attempt += 1
                        if attempt >= self._attempts():
                            raise unreachable(error, self.url, request.doing, attempt) from None
                        pause = self._backoff.delay(attempt - 1)
                    else:
                        if pause is None:
                            yield response
                            return
                        attempt += 1
            if self.on_retry is not None:
                self.on_retry(f"{self.url} does not answer or is busy; trying again")
            self._sleep(pause)

    def _attempts(self) -> int:
        return self._backoff.attempts if self._answered else self._backoff.first_contact_attempts

    def _accepted(
        self, response: httpx.Response, request: Request, attempt: int, *, read: bool
    ) -> float | None:
        """None if the reply is good; seconds to wait if it says "later"; raises what it says otherwise."""
        status = response.status_code
        if status < 300:
            if read:
                response.read()
            self._answered = True
            return None
        response.read()
        wait = retry_after(response.headers.get("retry-after"), response.headers.get("date"))
        later = status in _TRY_AGAIN or (status == 429 and wait is not None)
        patient = wait is None or wait <= self._backoff.patience_s
        if later and patient and attempt + 1 < self._backoff.attempts:
            # Everyone who was told the same number comes back a little later, not all at once.
            return self._backoff.delay(attempt) if wait is None else wait + self._backoff.delay(0)
        raise error_of(response, self.url, request.doing)

    def _build(self, request: Request, timeout: httpx.Timeout) -> httpx.Request:
        return self._http.build_request(
            request.method,
            request.path,
            params=request.params,
            json=request.json,
            content=request.body() if request.body else None,
            headers=[(name.encode(), _raw(value)) for name, value in request.headers.items()],
            timeout=timeout,
        )

    def events(
        self, request: Request, on_open: Callable[[Callable[[], None]], None]
    ) -> Iterator[ServerEvent]:
        """Events of one connection until it ends; ``on_open`` is handed a function that cuts it off.

        Raises `goat.errors.ServiceUnreachable` when the connection breaks.
        """
        with self.open(request, stream=True, timeout=_STREAM_TIMEOUT) as response:
            on_open(lambda: _cut(response))
            try:
                yield from events(response.iter_raw())
            except (httpx.TransportError, httpx.StreamError, ValueError) as error:
                raise ServiceUnreachable(f"The connection to the service ({self.url}) was lost.") from error


def _cut(response: httpx.Response) -> None:
    """Wake up a thread that waits for the next bytes of ``response``."""
    stream = response.extensions.get("network_stream")
    connection = stream.get_extra_info("socket") if stream is not None else None
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _raw(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("ascii")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
