"""Jupyter's connection to a kernel, which also says in the running cell what the keeper has to tell.

A kernel that was killed for want of memory says nothing itself, and Jupyter only that it died. The keeper
leaves a line in the team's folder (`hub_config.watch`); here it is put under the cell.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from tornado.ioloop import PeriodicCallback

from hub_config.watch import NOTICES

LOOK_EVERY_MS = 500
Connection: Any = ZMQChannelsWebsocketConnection  # whose methods have no types


class NoticingConnection(Connection):
    """One open notebook's connection to its kernel."""

    _running: Any = None
    """Header of the request whose cell runs now."""
    _untold = ""
    _read = 0
    _looking: PeriodicCallback | None = None

    @property
    def _notices(self) -> Path:
        return Path.home() / NOTICES

    def connect(self) -> Any:
        """Begin, with what comes from now on."""
        self._read = self._notices.stat().st_size if self._notices.is_file() else 0
        self._looking = PeriodicCallback(self.look, LOOK_EVERY_MS)
        self._looking.start()
        return super().connect()

    def disconnect(self) -> Any:
        """End."""
        if self._looking is not None:
            self._looking.stop()
        return super().disconnect()

    def handle_outgoing_message(self, stream: Any, outgoing_msg: list[Any]) -> None:
        """Note which cell runs, on the way of a message to the browser."""
        super().handle_outgoing_message(stream, outgoing_msg)
        parts = self.session.feed_identities(outgoing_msg)[1]
        _, header, parent, _, content, *_ = map(bytes, parts)
        if b'"execute_input"' in header:
            self._running = json.loads(parent)
            self.look()
        elif b'"status"' in header and b'"idle"' in content and self._runs(json.loads(parent)):
            self._running = None

    def _runs(self, parent: dict[str, Any]) -> bool:
        return self._running is not None and parent.get("msg_id") == self._running["msg_id"]

    def on_kernel_restarted(self) -> None:
        """Tell why before the browser forgets the cell."""
        self.look()
        self._running = None
        super().on_kernel_restarted()

    def look(self) -> None:
        """Show what is new in the cell that runs, or in the next one that does."""
        self._untold += self._new()
        if self._untold and self._running is not None:
            self.write_stderr(self._untold.strip(), self._running)
            self._untold = ""

    def _new(self) -> str:
        try:
            size = self._notices.lstat().st_size
            if size == self._read or not self._notices.is_file():
                return ""
            with self._notices.open("rb") as file:
                file.seek(self._read if self._read < size else 0)
                text = file.read(10_000)
                self._read = size
        except OSError:
            return ""
        return text.decode(errors="replace")
