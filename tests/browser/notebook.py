"""A notebook in JupyterLab, as somebody with a browser works in it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from tests.browser.chromium import artefacts

SESSION = "window.jupyterapp?.shell?.currentWidget?.context?.sessionContext"
OPEN = f"""() => {{
  const context = {SESSION};
  const kernel = context?.session?.kernel;
  return context?.isReady && kernel?.connectionStatus === 'connected' && kernel?.status;
}}"""
READY = f"() => ({OPEN})() === 'idle'"
PATIENCE_MS = 60_000
BOOK = "book.ipynb"


def book(*cells: str) -> dict[str, Any]:
    """A notebook file of these cells."""
    made = [
        {
            "cell_type": "code",
            "id": f"c{at}",
            "source": cell,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
        for at, cell in enumerate(cells)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


class Notebook:
    """One page on one JupyterLab at ``url``; ``requests`` has the address of everything it asked for."""

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        self.url = url
        self.requests: list[str] = []
        self.errors: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.context.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda socket: self.requests.append(socket.url.replace("ws", "http", 1)))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        # Leaving a notebook that is not saved is meant.
        page.on("dialog", lambda dialog: dialog.accept())

    # --- the notebook ---------------------------------------------------------------------------

    def show(self, path: str = BOOK, *, until: str = READY) -> None:
        """Load the page of a notebook, alone on the screen."""
        self.page.goto(f"{self.url}/lab/tree/{path}?reset")
        self.page.wait_for_function(until, timeout=120_000)

    def reload(self) -> None:
        """Load the page anew, whatever the kernel is doing."""
        self.page.reload()
        self.page.wait_for_function(OPEN, timeout=120_000)

    def see_again(self, selector: str) -> Any:
        """What a widget shows after a reload, once it is seen.

        JupyterLab may lose track of its widgets while a cell is busy, and says so: one reloads once more.
        """
        lost = self.page.get_by_text("model not found")
        self.page.locator(selector).or_(lost).first.wait_for()
        if lost.count():
            self.reload()
        return self.see(selector)

    def save(self) -> None:
        self.page.evaluate("async () => { await window.jupyterapp.commands.execute('docmanager:save') }")

    def command(self, name: str, **arguments: Any) -> None:
        """Start a command of JupyterLab; its end is not waited for."""
        self.page.evaluate(
            f"() => {{ window.jupyterapp.commands.execute({name!r}, {json.dumps(arguments)}) }}"
        )

    def run_all(self) -> None:
        self.command("notebook:run-all-cells")

    def run_cell(self, number: int) -> None:
        """Start one cell, counted from 0."""
        self.page.evaluate(
            "n => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = n;"
            " window.jupyterapp.commands.execute('notebook:run-cell') }",
            number,
        )

    def kernel(self, code: str) -> str:
        """What code prints in the notebook's kernel, beside its cells."""
        said: str = self.page.evaluate(
            f"""async code => {{
              const future = {SESSION}.session.kernel.requestExecute({{ code, store_history: false }});
              const said = [];
              future.onIOPub = message => {{
                if (message.header.msg_type === 'stream') said.push(message.content.text);
                if (message.header.msg_type === 'error') said.push(message.content.traceback.join('\\n'));
              }};
              await future.done;
              return said.join('');
            }}""",
            code,
        )
        return said

    def status(self) -> str:
        """``idle``, ``busy``, …"""
        return str(self.page.evaluate(f"() => {SESSION}.session.kernel.status"))

    def until_idle(self) -> None:
        self.page.wait_for_function(READY)

    def restart_kernel(self) -> None:
        self.page.evaluate(f"async () => {{ await {SESSION}.session.kernel.restart() }}")
        self.until_idle()

    # --- what is on it --------------------------------------------------------------------------

    def see(self, selector: str, *, timeout: float = PATIENCE_MS) -> Any:
        """The first element of the selector, once it is seen."""
        self.page.wait_for_selector(selector, timeout=timeout)
        return self.page.locator(selector).first

    def board(self) -> list[tuple[str, float]]:
        """Team and score of the rows in view, best first."""
        rows: list[list[Any]] = self.page.evaluate(
            "() => [...document.querySelectorAll('.goat-board .goat-body .goat-row')]"
            ".sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)"
            ".map(row => [row.querySelector('.goat-name').textContent,"
            " Number(row.querySelector('.goat-score').textContent)])"
        )
        return [(name, score) for name, score in rows]

    def until_board(self, wanted: Any, what: str, *, seconds: float = PATIENCE_MS / 1000) -> float:
        """Wait until ``wanted(rows as a dict)`` holds; the seconds that took."""
        began = time.monotonic()
        while not wanted(dict(self.board())):
            assert time.monotonic() - began < seconds, f"{what}: {self.board()}"
            self.page.wait_for_timeout(50)
        return time.monotonic() - began

    def listen(self) -> None:
        """From now on remember every sentence that a widget shows, however short."""
        self.page.evaluate(
            """() => {
              window.goatSaid = new Set();
              const look = () => document.querySelectorAll('.goat-problem, .goat-panel .goat-box, .goat-said')
                .forEach(place => place.textContent && window.goatSaid.add(place.textContent));
              new MutationObserver(look).observe(
                document.body, { subtree: true, childList: true, characterData: true, attributes: true });
              look();
            }"""
        )

    def said(self) -> list[str]:
        """What widgets have shown since `listen`."""
        found: list[str] = self.page.evaluate("() => [...window.goatSaid]")
        return found

    def until_said(self, part: str) -> str:
        """Wait for a sentence with these words; the sentence."""
        self.page.wait_for_function(
            "part => [...window.goatSaid].some(text => text.includes(part))", arg=part
        )
        return next(text for text in self.said() if part in text)

    def external(self) -> list[str]:
        """Requests that left the address which was opened."""
        scheme, _, rest = self.url.partition("://")
        origin = f"{scheme}://{rest.partition('/')[0]}"
        return [address for address in self.requests if not address.startswith((origin, "blob:", "data:"))]

    # --- pictures -------------------------------------------------------------------------------

    def theme(self, name: str) -> None:
        """``Light`` or ``Dark``."""
        self.command("apputils:change-theme", theme=f"JupyterLab {name}")
        light = "true" if name == "Light" else "false"
        self.page.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached")

    def picture(self, name: str, selector: str | None = None) -> None:
        """Keep how a widget, or the whole page, looks, for people."""
        # JupyterLab asks whether it may show news; that is not part of our picture.
        self.page.add_style_tag(content=".Toastify { display: none }")
        place = self.page if selector is None else self.page.locator(selector).first
        place.screenshot(path=str(artefacts() / f"{name}.png"))

    def in_both_themes(self) -> Iterator[str]:
        """``light``, then ``dark``, each shown while it is iterated; light again afterwards."""
        for name in ("Light", "Dark"):
            self.theme(name)
            yield name.lower()
        self.theme("Light")
