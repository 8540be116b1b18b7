"""A user name and a password → proofs that they are known, for one server after the other."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tieline.auth.challenges import Challenge
from tieline.auth.credentials import check_pair
from tieline.auth.digest_response import (
    Proof,
    Terms,
    following,
    is_proven,
    prove,
    session_key,
    terms_of,
)
from tieline.redact import MASK

#: Servers whose nonces are kept. More than that, and those not used for longest have to ask again.
_MOST_SPACES = 256


@dataclass(frozen=True, slots=True)
class Session:
    """What a server (or proxy) and we have agreed on, and how often it was used. Any thread."""

    terms: Terms
    key: str
    #: Ours. Fixed where the key depends on it; None: a new one each time.
    cnonce: str | None
    counter: count[int] = field(default_factory=lambda: count(1))


@dataclass(frozen=True, slots=True, repr=False)
class Digest:
    """A user name and a password of which only proofs are sent (RFC 7616). Never sent as Basic.

    The first request to a server goes without; its challenge is answered on a second connection,
    and its nonce is kept for the connections after that. With MD5, SHA-256 and, where OpenSSL has
    it, SHA-512-256, and their -sess forms. Any thread may share one among any number of clients.

    Raises `OptionError` for a part that is not a str, for a colon in the user name and for
    control characters.
    """

    username: str
    password: str
    #: Whose challenge (see `take`) → the session with it, the one used last at the end.
    _sessions: dict[Hashable, Session] = field(default_factory=dict, init=False, compare=False)

    def __post_init__(self) -> None:
        check_pair("Digest", self.username, self.password)

    def __repr__(self) -> str:
        return f"Digest(username={self.username!r}, password={MASK})"

    def __reduce__(self) -> Any:
        # What was agreed on with servers stays here.
        return type(self), (self.username, self.password)

    def take(self, space: Hashable, challenge: Challenge) -> Session:
        """Answer to this challenge from now on. `space` is whose it is, credentials included.

        What is given serves `prove` also when somebody else has taken another one meanwhile: a
        server may have several realms. Raises ValueError for one that cannot be answered.
        """
        terms = terms_of(challenge)
        if terms is None:
            raise ValueError("not a Digest challenge, or one that asks for what is not known here")
        cnonce = _client_nonce()
        key = session_key(terms, self.username, self.password, cnonce)
        session = Session(terms, key, cnonce if terms.per_session else None)
        with _lock():
            self._keep(space, session)
        return session

    def is_ready(self, space: Hashable) -> bool:
        """True when a request can have its proof at once."""
        return space in self._sessions

    def prove(
        self, space: Hashable, method: str, uri: str, own: Session | None = None
    ) -> Proof | None:
        """What to send with a request; None while there is no challenge to answer.

        `own`: what `take` has given; else the one that was taken last serves.
        """
        with _lock():
            kept = self._sessions.pop(space, None)
            if kept is not None:
                self._sessions[space] = kept
            session = own or kept
            if session is None:
                return None
            number = next(session.counter)
        return prove(
            session.terms,
            self.username,
            session.key,
            method=method,
            uri=uri,
            cnonce=session.cnonce or _client_nonce(),
            count=number,
        )

    def learn(self, space: Hashable, proof: Proof, information: Mapping[str, str]) -> bool:
        """Take the parameters of an Authentication-Info (section 3.5), which `proof` led to.

        False: the server claims to know the password, and does not.
        """
        if "rspauth" in information and not is_proven(proof.expected, information["rspauth"]):
            return False
        if "nextnonce" in information:
            terms = following(proof.terms, information["nextnonce"])
            with _lock():
                session = self._sessions.get(space)
                # Not if another realm's challenge, or nonce, was taken meanwhile.
                if session is not None and session.terms == proof.terms != terms:
                    self._keep(space, Session(terms, session.key, session.cnonce))
        return True

    def _keep(self, space: Hashable, session: Session) -> None:
        self._sessions.pop(space, None)
        self._sessions[space] = session
        while len(self._sessions) > _MOST_SPACES:
            del self._sessions[next(iter(self._sessions))]


# One for all, held for a few lines: so it is easily made anew in a child process, whose parent may
# have forked while another thread had it.
_locks: dict[str, Any] = {}


def _lock() -> Any:
    lock = _locks.get("lock")
    if lock is None:
        from threading import RLock  # late: options are made without any threads

        # Reentrant, because a signal handler may connect on top of any line.
        lock = _locks.setdefault("lock", RLock())
    return lock


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_locks.clear)


def _client_nonce() -> str:
    import secrets  # late: it loads OpenSSL

    return secrets.token_urlsafe(24)
