"""From an event file's words to a checked formula: the domains that a kind knows, narrowed as declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from goat.kinds.settings import DomainSetting
from goat.scoring.formula import Domain


def narrowed(known: Mapping[str, Domain], declared: Mapping[str, DomainSetting]) -> dict[str, Domain]:
    """The kind's domains with those of the event file in place; which direction is better stays.

    Raises ValueError, in a sentence, for a name that the kind does not know.
    """
    domains = dict(known)
    for name, setting in declared.items():
        if name not in domains:
            raise ValueError(f"domains names {name}; known here: {', '.join(domains)}")
        domains[name] = replace(domains[name], low=setting.low, high=setting.high, outside=setting.outside)
    return domains
