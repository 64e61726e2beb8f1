"""What a widget would send to a browser, recorded."""

from __future__ import annotations

import json
from typing import Any


class Comm:
    """Stands where the connection to the browser would be."""

    comm_id = "c" * 32
    kernel = object()

    def __init__(self, *args: Any, **options: Any) -> None:
        self.sent: list[tuple[dict[str, Any], list[bytes]]] = []

    def open(self, *args: Any, **options: Any) -> None: ...
    def close(self, *args: Any, **options: Any) -> None: ...
    def on_msg(self, *args: Any) -> None: ...
    def on_close(self, *args: Any) -> None: ...

    def send(self, data: Any = None, metadata: Any = None, buffers: Any = None, **options: Any) -> None:
        self.sent.append((data, list(buffers or [])))

    def custom(self) -> list[dict[str, Any]]:
        return [data["content"] for data, _ in self.sent if data["method"] == "custom"]

    def sizes(self) -> list[int]:
        """Payload of each message in bytes, as it is encoded for the browser."""
        return [
            len(json.dumps(data, separators=(",", ":")).encode()) + sum(map(len, buffers))
            for data, buffers in self.sent
        ]
