"""A team's server in a container of its own, on the machine whose engine ``DOCKER_HOST`` names."""

from __future__ import annotations

from typing import Any

from dockerspawner import DockerSpawner
from traitlets import Any as AnyTrait

from hub_config.container import HOME, PORT, PREFIX, team_container
from hub_config.plan import Plan


class ContainerSpawner(DockerSpawner):
    """Starts, watches and stops one team's container; its files are in a volume and stay."""

    plan: Plan = AnyTrait(help="`hub_config.plan.Plan`").tag(config=True)  # type: ignore[assignment]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.prefix, self.name_template = PREFIX, "{prefix}-{username}"
        self.port = PORT
        self.use_internal_ip = True
        self.network_name = self.plan.settings.hub_network
        self.image = self.plan.settings.hub_image
        self.pull_policy = "never"  # built or pulled by the organiser, not at a team's first click
        self.remove = True

    def get_env(self) -> dict[str, str]:
        """The hub's own variables, and where the scoring service is."""
        env: dict[str, str] = super().get_env()
        env.update({"HOME": HOME, "USER": self.user.name, "GOAT_URL": self.plan.service_url})
        if self.plan.settings.hub_collaboration:
            env["GOAT_HUB_COLLABORATION"] = "1"
        return env

    async def create_object(self) -> Any:
        """Create the container as `team_container` describes it."""
        variables = {key: str(value) for key, value in self.get_env().items()}
        description = team_container(self.plan.settings, self.object_name, variables)
        return await self.docker("create_container_from_config", description, self.object_name)
