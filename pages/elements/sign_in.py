"""Who is here: signed in through the identity provider, named by a proxy, or whoever reaches the server.

Without ``[auth]`` in ``.streamlit/secrets.toml`` nobody signs in, and everybody who reaches the server is
an admin: it listens on this machine alone. `asgi.py` puts a guard before the pages, which drops a sign-in
that has ended before Streamlit sees it.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import math
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from data import audit, signed_out
from pages.elements.roles import NEEDS, Role, RolesFault, role_of, rules

PRODUCT = "MRD Cohort Explorer"
LONGEST_HOURS = 12
"""A sign-in ends with the identity provider's token, after this long at the latest."""

_SHORTEST_SECRET = 32
_NEEDED = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
_acting: ContextVar[Person | None] = ContextVar("acting", default=None)
_log = logging.getLogger(__name__)


class SignInFault(ValueError):
    """The sign-in is set up in a way that would let in whom it should not, or nobody."""


class Refused(PermissionError):
    """Somebody asks for what the own role does not allow."""


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in.

    Attributes
    ----------
    name : str
        E-mail; 'local' where nobody signs in.
    role : Role or None
        None where the rules give none.
    key : str
        Of this sign-in, 64 hexadecimal digits; '' where the server cannot end it.
    until : float
        When it ends, in seconds since 1970.
    """

    name: str
    role: Role | None
    key: str = ""
    until: float = math.inf

    @property
    def ended(self) -> bool:
        """Whether the sign-in is over: by time, or because the person signed out."""
        return time.time() >= self.until or (bool(self.key) and signed_out.ended(self.key))

    def may(self, action: str) -> bool:
        """Tell whether the role allows an action, a key of `NEEDS`."""
        return self.role is not None and self.role >= NEEDS[action] and not self.ended


LOCAL = Person(audit.LOCAL, Role.ADMIN)


@dataclass(frozen=True)
class Setup:
    """How people sign in.

    Attributes
    ----------
    origin : str
        Where the browser reaches the server, as ``https://host``; '' without an identity provider.
    headers : mapping of str to str
        Headers of a trusted proxy, by what they say of a person.
    roles : mapping of str to Role
    """

    origin: str = ""
    headers: Mapping[str, str] | None = None
    roles: Mapping[str, Role] | None = None

    @property
    def asked(self) -> bool:
        """Whether anybody has to sign in."""
        return bool(self.origin or self.headers)


class _Guard:
    stands = False


def guarded() -> None:
    """Note that the guard stands before the pages."""
    _Guard.stands = True


@functools.cache
def setup() -> Setup:
    """Return how people sign in, as the server was started; changing it takes a restart.

    Raises
    ------
    SignInFault
        If secrets.toml cannot be read, or what it says is not enough.
    """
    said: dict[str, Any] = {}
    for file in st.get_option("secrets.files"):
        if Path(file).exists():
            # Streamlit takes a file that it cannot read as none: then everybody would be an admin.
            try:
                said |= tomllib.loads(Path(file).read_text("utf-8"))
            except (OSError, ValueError) as error:
                raise SignInFault(f"{file} cannot be read: {error}") from error
    headers = {key: name for name, key in _trusted().items()}
    if "auth" not in said and not headers:
        return Setup()
    try:
        given = rules(said.get("roles", {}))
    except RolesFault as error:
        raise SignInFault(str(error)) from error
    if headers and "email" not in headers:
        raise SignInFault("server.trustedUserHeaders names no header for ‘email’.")
    return Setup(_origin(said["auth"]) if "auth" in said else "", headers, given)


def _trusted() -> Mapping[str, str]:
    given = st.get_option("server.trustedUserHeaders")
    return given if isinstance(given, dict) else {}


def _origin(auth: Mapping[str, Any]) -> str:
    """Return the origin of a section ``[auth]`` that is complete."""
    missing = [name for name in _NEEDED if not auth.get(name)]
    if missing:
        raise SignInFault(f"[auth] in secrets.toml lacks {', '.join(missing)}.")
    if len(str(auth["cookie_secret"])) < _SHORTEST_SECRET:
        raise SignInFault(
            f"[auth]: cookie_secret has fewer than {_SHORTEST_SECRET} characters. Make one with: "
            "python -c 'import secrets; print(secrets.token_hex(32))'"
        )
    uri = urlsplit(str(auth["redirect_uri"]))
    if uri.scheme not in ("http", "https") or not uri.netloc or uri.path[-15:] != "/oauth2callback":
        raise SignInFault(
            "[auth]: redirect_uri is the address of this server with /oauth2callback."
        )
    return f"{uri.scheme}://{uri.netloc}"


def person_of(claims: Mapping[str, Any]) -> Person | None:
    """Return who is signed in.

    Parameters
    ----------
    claims : mapping
        As `st.user` has them: of the identity token, or of the headers of a trusted proxy.
    """
    known = setup()
    if not known.asked:
        return LOCAL
    email = claims.get("email")
    if not isinstance(email, str) or not email or claims.get("email_verified") is False:
        return None
    role = role_of(email, known.roles or {})
    if known.headers:
        return Person(email, role)
    if claims.get("is_logged_in") is not True:
        return None
    began, ends = (_seconds(claims.get(name)) for name in ("iat", "exp"))
    told = [claims.get(name) for name in ("iss", "sub", "iat", "exp", "nonce")]
    key = hashlib.sha256(json.dumps(told).encode("utf-8")).hexdigest()
    return Person(email, role, key, min(began + LONGEST_HOURS * 3600, ends))


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def present() -> Person | None:
    """Return who is at this page or downloads from it, None where nobody is signed in."""
    person = _acting.get() or (person_of(st.user.to_dict()) if setup().asked else LOCAL)
    return None if person is None or person.ended else person


@contextmanager
def acting(person: Person | None) -> Iterator[None]:
    """Have what runs apart from a page, such as the making of a file, run for a person."""
    token = _acting.set(person or Person("", None))
    try:
        yield
    finally:
        _acting.reset(token)


def may(action: str) -> bool:
    """Tell whether the person at this page may do something, a key of `NEEDS`."""
    person = present()
    return person is not None and person.may(action)


def require(action: str) -> Person:
    """Return who does something; what is drawn for nobody else is asked again where it is done.

    Raises
    ------
    Refused
        If the role does not allow it; the audit log says so.
    """
    person = present()
    if person is None or not person.may(action):
        audit.record(person.name if person else "nobody", "refused", action=action)
        raise Refused(f"Your role does not allow you to {action}.")
    return person


def gate() -> Person:
    """Return who is at this page; where nobody is who may be, say so and stop. Nothing is read before."""
    known = setup()
    if known.asked and not _Guard.stands:
        st.error("Sign-in is set up, and this server runs without it. Start it with: "
                 "streamlit run asgi.py")  # fmt: skip
        st.stop()
    person = present()
    if person is None:
        _ask(known)
        st.stop()
    if person.role is None:
        st.title(PRODUCT, anchor=False)
        st.markdown("You are signed in, and nobody has given you access. Ask whoever runs this server "
                    "for a role, and say which e-mail you sign in with.")  # fmt: skip
        st.text(person.name)
        _sign_out_button(known)
        st.stop()
    if not known.asked and (address := exposed()):
        st.warning(f"This server listens on {address} without sign-in: everybody who reaches it sees, "
                   "changes and deletes everything.")  # fmt: skip
    return person


def _ask(known: Setup) -> None:
    st.title(PRODUCT, anchor=False)
    if known.headers or not known.origin:
        st.markdown("You are not signed in: the gate before this server has passed no name.")
        return
    st.markdown("Survival and measurable residual disease in cohorts of B-cell acute lymphoblastic "
                "leukemia, for those who were given access.")  # fmt: skip
    st.button("Sign in", on_click=st.login, type="primary", icon=":material/login:")


def badge() -> None:
    """Draw who is signed in, with the way out; nothing where nobody signs in."""
    known, person = setup(), present()
    if not known.asked or person is None or person.role is None:
        return
    # Not tertiary: the name of an open one is too dark to read in the dark theme.
    with st.popover("Signed in", icon=":material/account_circle:"):
        st.text(person.name)
        st.markdown(f":gray[as {person.role.name.lower()}]")
        _sign_out_button(known)


def _sign_out_button(known: Setup) -> None:
    # Behind a proxy that signs in, only the proxy signs out.
    if not known.headers:
        st.button("Sign out", on_click=st.logout, icon=":material/logout:", key="sign_out")


def exposed() -> str:
    """Return the address on which others than this machine reach the server, '' where none do."""
    address = st.get_option("server.address")
    if address is None:
        return "every address"
    try:
        return "" if ip_address(address).is_loopback else str(address)
    except ValueError:
        return "" if address == "localhost" else str(address)


def say_at_start() -> None:
    """Write to the log how people sign in.

    Raises
    ------
    SignInFault
    """
    known = setup()
    if not known.asked and (address := exposed()):
        _log.warning(
            "Listening on %s without sign-in: everybody who reaches this server sees, changes and "
            "deletes everything. See docs/security.md.", address,
        )  # fmt: skip
    if known.asked and not known.roles:
        _log.warning("Sign-in is set up, and [roles] in secrets.toml gives nobody a role.")
    if known.headers:
        _log.warning(
            "People are who the headers %s say: the proxy must drop these headers from outside.",
            ", ".join(known.headers.values()),
        )
