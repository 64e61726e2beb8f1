"""The organiser's pages, shown inside the hub: server-rendered, read with the hub's login.

- `visits`: who is looking: OAuth at the hub, a cookie, nothing else
- `overview`: what the first page shows, gathered from the services and the hub
- `routes`: decode, call, render
"""
