"""What JupyterHub reads at its start. It only assigns: decisions are in `hub_config.plan`."""

from typing import Any

from hub_config.authenticator import GoatAuthenticator
from hub_config.members import USER_SCOPES, first_page, user_redirect
from hub_config.plan import PACKAGE, SERVICE, Plan
from hub_config.singleuser.sessions import BELIEVED_S
from scoring_service.settings import Settings

if Settings.from_env().hub_isolation == "docker":
    from hub_config.docker_spawner import ContainerSpawner as Chosen
else:
    from hub_config.spawner import TeamSpawner as Chosen

c: Any = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub provides it
plan = Plan(Settings.from_env())

# Where everything is. The proxy is a program of its own: a hub that restarts disturbs no notebook.
c.JupyterHub.bind_url = plan.public_url
c.JupyterHub.hub_bind_url = f"http://{plan.listens}:{plan.hub_port}"
c.JupyterHub.hub_connect_url = plan.hub_url
c.JupyterHub.db_url = f"sqlite:///{plan.folder / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(plan.folder / "cookie_secret")
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = plan.proxy_api_url
c.ConfigurableHTTPProxy.auth_token = plan.secret("proxy_token")
c.JupyterHub.cleanup_servers = False
c.JupyterHub.cleanup_proxy = False
# How often the hub looks what the proxy knows. A proxy that was restarted knows no team's server until then,
# and JupyterHub's own five minutes would be five minutes without a notebook for everybody.
c.JupyterHub.last_activity_interval = 5
c.JupyterHub.log_level = "WARN"
c.JupyterHub.template_paths = [str(PACKAGE / "templates")]
c.JupyterHub.template_vars = {"goat_service": SERVICE, "goat_personal": plan.personal}

# Who may log in: whoever the scoring service knows.
c.JupyterHub.authenticator_class = GoatAuthenticator
c.GoatAuthenticator.service_url = plan.service_url
c.GoatAuthenticator.service_token = plan.secret("service_token")
c.GoatAuthenticator.personal = plan.personal
c.GoatAuthenticator.allow_all = True
c.GoatAuthenticator.manage_groups = True
c.GoatAuthenticator.manage_roles = plan.personal
c.GoatAuthenticator.enable_auth_state = False
# Who was removed is out after this and as much again in the team's server.
c.GoatAuthenticator.auth_refresh_age = BELIEVED_S
c.GoatAuthenticator.auth_refresh_strict = True
c.JupyterHub.user_redirect_hook = user_redirect
c.JupyterHub.default_url = first_page

# A server per team.
c.JupyterHub.spawner_class = Chosen
spawner = c[Chosen.__name__]
spawner.plan = plan
spawner.default_url = plan.first_page
spawner.start_timeout = 120
spawner.http_timeout = 120
c.TeamSpawner.interrupt_timeout = 3
c.TeamSpawner.term_timeout = 2
spawner.oauth_client_allowed_scopes = [f"access:services!service={SERVICE}"]
c.JupyterHub.concurrent_spawn_limit = 30

# The scoring service, run beside the hub and not by it.
c.JupyterHub.services = [
    {
        "name": SERVICE,
        "url": plan.service_url,
        "api_token": plan.secret("service_token"),
        "oauth_no_confirm": True,
        "display": False,
    },
    {"name": "culler", "api_token": plan.secret("culler_token"), "display": False},
]
c.JupyterHub.load_roles = [
    {"name": "user", "scopes": USER_SCOPES},
    {
        "name": "server",
        "scopes": [
            "users:activity!user",
            "access:servers!server",
            f"access:services!service={SERVICE}",
        ],
    },
    {"name": SERVICE, "scopes": ["list:users", "read:servers", "read:hub"], "services": [SERVICE]},
    {
        "name": "culler",
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        "services": ["culler"],
    },
]
