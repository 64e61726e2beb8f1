"""The one file of a ``multipart/form-data`` body, taken out as the bytes pass by.

Nothing is spooled: file bytes go straight to where they are stored. Other fields are kept as text while
they are small and few.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from goat.errors import Invalid, UploadIncomplete

OVERHEAD_BYTES = 64 << 10
MAX_PARTS = 100
MAX_FIELD_BYTES = 1024
"""Of one field beside the file; what goes on longer is no option of ours and is skipped."""
"""What boundaries, part headers and other fields may add to the file itself."""


class FilePart:
    """Feed it the body; it calls ``write`` with the file's bytes and learns its name."""

    def __init__(self, content_type: str, write: Callable[[memoryview], None], field: str = "file") -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise Invalid(
                f"Send the file as a form (multipart/form-data), field '{field}': curl -F {field}=@a.zip",
                field="content-type",
            )
        self.filename: str | None = None
        self._values: dict[str, bytearray] = {}
        self._kept: bytearray | None = None
        self._field = field
        self._write = write
        self._name = self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._taking = self._ended = False
        self._other = 0
        self._parts = 0
        # Typed as Any: the library's callback table is a TypedDict of many shapes.
        callbacks: Any = {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError:
            raise Invalid("The multipart boundary is too long.", field="content-type") from None

    def feed(self, chunk: bytes) -> None:
        """Parse the next bytes of the body. Raises `goat.errors.Invalid`."""
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise Invalid("The body is not valid multipart/form-data.", field="body") from None

    def finish(self) -> str:
        """The file's name as sent. Raises `UploadIncomplete` or `Invalid` if there was no whole file."""
        if not self._ended:
            raise UploadIncomplete(
                "The upload ended before it was whole; nothing was accepted. Send it again."
            )
        if self.filename is None:
            raise Invalid(f"The form has no file in the field '{self._field}'.", field=self._field)
        return self.filename

    @property
    def fields(self) -> dict[str, str]:
        """The fields beside the file that are text of a sane length; the last of a name counts."""
        return {
            name: value.decode("utf-8", "replace")
            for name, value in self._values.items()
            if len(value) <= MAX_FIELD_BYTES
        }

    def _part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise Invalid(f"The form has more than {MAX_PARTS} parts.", field=self._field)
        self._headers = {}
        self._name = self._value = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._taking = options.get(b"name") == self._field.encode()
        self._kept = None
        if not self._taking:
            if b"filename" not in options:
                name = options.get(b"name", b"").decode("utf-8", "replace")
                self._kept = self._values[name] = bytearray()
            return
        if self.filename is not None:
            raise Invalid(f"The form has more than one file in the field '{self._field}'.", field=self._field)
        self.filename = options.get(b"filename", b"").decode("utf-8", "replace") or "upload"

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._taking:
            self._write(memoryview(data)[start:end])
            return
        self._other += end - start
        if self._other > OVERHEAD_BYTES:
            raise Invalid(f"Send only the file, in the field '{self._field}'.", field="body")
        if self._kept is not None and len(self._kept) <= MAX_FIELD_BYTES:
            self._kept += data[start:end]

    def _end(self) -> None:
        self._ended = True
