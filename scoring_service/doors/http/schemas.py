"""Bodies that the door takes: every field typed and bounded, unknown ones refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

_PLAIN = r"^[^\x00-\x1f\x7f]+$"

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_PLAIN)]
Password = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
ChallengeId = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9:-]{1,130}$",
        description="`task1` means the default event's challenge, `event:task1` that of another event",
        examples=["task1"],
    ),
]
SubmissionId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", examples=["3f1c9a6b2d4e5f60718a"])]
TeamName = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]{1,64}$", examples=["team_awesome"])]
ChallengeFilter = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9:-]{1,130}$", examples=["task1"])]
EventFilter = Annotated[
    str | None, Query(pattern=r"^[a-z0-9-]{1,64}$", description="default: the default event")
]
PageSize = Annotated[int, Query(ge=1, le=1000)]
Before = Annotated[AwareDatetime | None, Query(description="only what was submitted before this moment")]
StateFilter = Annotated[
    Literal["QUEUED", "RUNNING", "EVALUATED", "REJECTED", "FAILED", "CANCELLED"] | None, Query()
]
OptionsQuery = Annotated[
    str,
    Query(
        max_length=2000,
        description="what the challenge's kind lets you choose beside the file, as a JSON object",
        examples=['{"batch_size": 8}'],
    ),
]
ModeQuery = Annotated[Literal["ranked", "test"], Query()]


def _example(values: dict[str, Any]) -> ConfigDict:
    return ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [values]})


class Login(BaseModel):
    model_config = _example({"name": "team_awesome", "password": "my_password"})
    name: Name
    password: Password


class NewPassword(BaseModel):
    model_config = _example({"old": "my_password", "new": "a better password"})
    old: Password
    new: Password


class Selection(BaseModel):
    model_config = _example({"selected": True})
    selected: bool


class NewTeam(BaseModel):
    model_config = _example({"name": "team_awesome", "password": "my_password"})
    name: Name
    password: Password


class SettingsChange(BaseModel):
    """What an organiser changes on one challenge; what is left out stays as it is."""

    model_config = _example({"challenge": "task1", "freeze": True})
    challenge: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:-]{1,130}$")]
    freeze: bool | None = None
    """True freezes the public board now, False thaws it."""
    freeze_at: Annotated[AwareDatetime | None, Field(strict=False)] = None
    reveal: bool | None = None


class Ban(BaseModel):
    model_config = _example({"banned": True})
    banned: bool


class ManualScore(BaseModel):
    model_config = _example({"team_name": "team_awesome", "name": "talk", "value": 8.5})
    team_name: Name
    name: Name
    value: Annotated[float, Field(allow_inf_nan=False, ge=-1e12, le=1e12)]
