"""A challenge's description, written in a little Markdown, as HTML that can do no harm.

Escaped first, marked up afterwards: whatever the text holds, only these tags come out.

>>> render("Bring *them* **back**: `a.pt` <b>")
'<p>Bring <em>them</em> <strong>back</strong>: <code>a.pt</code> &lt;b&gt;</p>'
"""

from __future__ import annotations

import re

from goat.text import markup

_INLINE = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"\*([^*]+)\*"), r"<em>\1</em>"),
)


def render(text: str) -> str:
    """Paragraphs, bullet lists, headings, **bold**, *emphasis* and `code`."""
    blocks = re.split(r"\n\s*\n", text.strip())
    return "".join(_block(block) for block in blocks if block.strip())


def _block(block: str) -> str:
    lines = [line.rstrip() for line in block.splitlines()]
    if lines[0].lstrip().startswith("#"):
        return f"<h4>{_inline(' '.join(lines).lstrip('# '))}</h4>"
    if not lines[0].lstrip().startswith(("- ", "* ")):
        return f"<p>{_inline(' '.join(line.strip() for line in lines))}</p>"
    items: list[str] = []
    for line in lines:
        if line.lstrip().startswith(("- ", "* ")):
            items.append(line.lstrip()[2:])
        else:
            items[-1] += " " + line.strip()
    return f"<ul>{''.join(f'<li>{_inline(item)}</li>' for item in items)}</ul>"


def _inline(text: str) -> str:
    # What stands in `code` is left alone: it is cut out, and put back when the rest is marked up.
    parts = re.split(r"(`[^`]+`)", markup(text, 20_000))
    return "".join(
        _INLINE[0][0].sub(_INLINE[0][1], part) if part.startswith("`") else _emphasis(part) for part in parts
    )


def _emphasis(text: str) -> str:
    for pattern, replacement in _INLINE[1:]:
        text = pattern.sub(replacement, text)
    return text
