"""Jupyter inside a team's server. It only assigns; a team may override it in its own folder."""

from typing import Any

from hub_config.notices import NoticingConnection
from hub_config.singleuser.sessions import BELIEVED_S

c: Any = get_config()  # type: ignore[name-defined]  # noqa: F821 - Jupyter provides it

# Kernels speak over Unix sockets in a folder of the team: a port of this machine is open to everybody on it.
c.KernelManager.transport = "ipc"
# Uploads by a widget travel in one message; Tornado's own limit of 10 MiB drops them without a word.
c.ServerApp.tornado_settings = {"websocket_max_message_size": 160 << 20}
# What was stopped for want of memory is told in the cell.
c.ServerApp.kernel_websocket_connection_class = NoticingConnection
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.handlers.announcements.NeverCheckForUpdate"
# The hub's answer is soon asked for again: who was removed from the team is out.
c.HubOAuth.cache_max_age = BELIEVED_S
c.ServerApp.jpserver_extensions = {
    "hub_config.singleuser.sessions": True,
    "jupyter_lsp": False,  # looks for language servers at every start, and there are none
}
