"""The HTTP door: `/v1` resources, the documented older commands, event stream, health, docs pages.

Follow a request: `front` (text guard, fast board replies, lingering close) → `guard` (who may, before
any body is read) → a route in `v1`, `documented` or `admin` → a service → `encoding`. Every error
becomes a problem reply in `errors`, nowhere else.
"""
