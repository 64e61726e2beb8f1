"""The services with their real doorbell and change notices: what every long-running process builds."""

from __future__ import annotations

from scoring_service.services import Services, build_services
from scoring_service.settings import Settings
from scoring_service.workers.doorbell import DramatiqDoorbell, RedisChanges


def connected_services(settings: Settings) -> Services:
    """`build_services` on the queue server of the settings, which need not be there yet."""
    return build_services(
        settings,
        doorbell=DramatiqDoorbell(settings.redis_url),
        changes=RedisChanges(settings.redis_url),
    )
