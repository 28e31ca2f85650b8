"""Who may do what: three roles, each with everything of the one before."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum


class Role(IntEnum):
    """What a person may do.

    A viewer explores and takes aggregate figures away; an editor also sees rows of patients, imports and
    publishes; an admin also goes back to earlier snapshots, deletes and sets the small-cell minimum.
    """

    VIEWER = 1
    EDITOR = 2
    ADMIN = 3


NEEDS: Mapping[str, Role] = {
    "see single patients": Role.EDITOR,
    "import": Role.EDITOR,
    "publish": Role.EDITOR,
    "roll back": Role.ADMIN,
    "delete": Role.ADMIN,
    "set the small-cell minimum": Role.ADMIN,
}
"""What not everybody who is signed in may do, and the role that it takes."""

VIEWERS_MINIMUM = 5
"""Counts under this are hidden from a viewer in every study: a patient is a count of one."""

_PATTERN = re.compile(r"(\*|[^@\s*]+)@[^@\s*]+")


class RolesFault(ValueError):
    """The roles in secrets.toml cannot be read."""


def rules(section: Mapping[str, object]) -> Mapping[str, Role]:
    """Return the role of each e-mail and ``*@domain`` of the section ``[roles]``.

    Raises
    ------
    RolesFault
        If it names another role, or what stands under one is no list of e-mails and domains.
    """
    found: dict[str, Role] = {}
    for name, given in section.items():
        if name.upper() not in Role.__members__:
            known = ", ".join(role.name.lower() for role in Role)
            raise RolesFault(f"[roles]: ‘{name}’ is no role. These are: {known}.")
        for text in _listed(name, given):
            role = Role[name.upper()]
            found[text.casefold()] = max(role, found.get(text.casefold(), role))
    return found


def _listed(name: str, given: object) -> Sequence[str]:
    if not isinstance(given, list | tuple):
        raise RolesFault(f'[roles]: write {name} = ["name@example.org", "*@example.org"].')
    for text in given:
        if not (isinstance(text, str) and _PATTERN.fullmatch(text)):
            raise RolesFault(
                f"[roles]: ‘{text}’ under {name} is neither an e-mail nor *@ and a domain."
            )
    return [str(text) for text in given]


def role_of(email: str, given: Mapping[str, Role]) -> Role | None:
    """Return the highest role that the rules give to an e-mail, None where they give none."""
    if not _PATTERN.fullmatch(email) or email.startswith("*"):
        return None
    known = email.casefold()
    domain = f"*@{known.rpartition('@')[2]}"
    return max((given[key] for key in (known, domain) if key in given), default=None)
