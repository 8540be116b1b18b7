"""Credentials and the challenges of one server, or proxy → what each request says of who we are.

Every dial has a login, and few have credentials: `auth` is loaded for those.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, NamedTuple

from tieline.headers import Headers, excerpt

if TYPE_CHECKING:
    from tieline.auth import Basic, Challenge, Credentials, Digest
    from tieline.auth.digest import Session
    from tieline.auth.digest_response import Proof

#: Challenges that are answered before the party has to be content: a callable may try another
#: password, a nonce may have become stale meanwhile, and then something is wrong.
MOST_ANSWERS = 3

#: Challenges that an error names: a server may send thousands.
_MOST_SHOWN = 5

_SPOKEN = frozenset({"basic", "digest", "bearer"})

#: Asks the user's callable.
Ask = Callable[["tuple[Challenge, ...]"], "Credentials | None"]


class Party(NamedTuple):
    """Who asks for credentials."""

    #: Its URL, secrets masked.
    shown: str
    is_proxy: bool
    #: Equal for those that may share credentials.
    origin: Hashable
    #: How a user gives credentials for it, for error texts.
    advice: str


class Login:
    """One dial's login to one party. Not thread-safe: it belongs to the thread that dials."""

    def __init__(
        self,
        party: Party,
        credentials: Credentials | None,
        source: str,
        ask: Ask | None = None,
        *,
        renews: bool = True,
    ) -> None:
        self.party = party
        #: Where the credentials come from, in words; "" when there are none.
        self.source = source
        self._credentials = credentials
        # None: whoever gave the credentials does not want to see challenges.
        self._ask = ask
        # Whether to ask also about a refusal that holds no challenge.
        self._renews = renews
        self._answers = 0
        self._proof: Proof | None = None
        #: What this dial has agreed on itself; others that share the Digest may go on meanwhile.
        self._session: Session | None = None
        #: Schemes that were tried since the last acceptance, for the error.
        self._tried: list[str] = []
        # The Digest challenge that was answered last was one of this dial's.
        self._is_answered = False
        self._gave_up = False

    @property
    def is_ready(self) -> bool:
        """True when the next request has credentials."""
        found = self._credentials
        if found is None:
            return False
        from tieline.auth import Digest

        return not isinstance(found, Digest) or found.is_ready(self._space)

    @property
    def credentials(self) -> Credentials | None:
        """What is used now."""
        return self._credentials

    def authorization(self, method: str, uri: str) -> str | None:
        """The value for the next request, or None when it goes without."""
        credentials, self._proof = self._credentials, None
        if credentials is None:
            return None
        from tieline.auth import Basic, Digest

        if isinstance(credentials, Digest):
            self._proof = credentials.prove(self._space, method, uri, self._session)
            if self._proof is None:
                return None  # section 3.4 of RFC 7616: there is nothing to prove it with yet
            self._note("digest")
            return self._proof.header
        self._note("basic" if isinstance(credentials, Basic) else credentials.token_type.lower())
        return credentials.header_value()

    def challenged(self, lines: list[str]) -> Challenge | None:
        """The party said 401, or 407. The challenge that the next request answers; None: give up.

        `lines` are those of WWW-Authenticate or Proxy-Authenticate.
        """
        if self._answers >= MOST_ANSWERS:
            return None
        from tieline.auth.challenges import parse_challenges

        challenges = parse_challenges(lines)
        if not challenges and (self._ask is None or not self._renews):
            return None
        before = self._credentials
        if self._ask is not None:
            self._credentials = self._ask(challenges)
            self._gave_up = self._credentials is None
            self.source = "proxy_auth=" if self.party.is_proxy else "auth="
        found = self._answer_to(challenges, before) if challenges else self._renewed(before)
        if found is not None:
            self._answers += 1
        return found

    def _renewed(self, before: Credentials | None) -> Challenge | None:
        """A refusal that does not say how to log in: by other credentials, such as a new token."""
        found = self._credentials
        if found == before:
            return None
        from tieline.auth import Basic, Bearer, Challenge
        from tieline.auth.credentials import safe_scheme

        if isinstance(found, Bearer):
            return Challenge(safe_scheme(found.token_type).lower())
        return Challenge("basic") if isinstance(found, Basic) else None

    def _answer_to(
        self, challenges: tuple[Challenge, ...], before: Credentials | None
    ) -> Challenge | None:
        credentials = self._credentials
        if credentials is None:
            return None
        from tieline.auth import Basic, Bearer, Digest
        from tieline.auth.digest_response import choose

        if isinstance(credentials, Bearer):
            scheme = credentials.token_type.lower()
            return None if credentials == before else _of_scheme(challenges, scheme)
        digest = choose(challenges)
        if digest is not None:
            if isinstance(credentials, Basic):
                # The server prefers to have a proof. Given the same pair it is the same login.
                known = isinstance(before, Digest) and _pair(before) == _pair(credentials)
                credentials = before if known else Digest(*_pair(credentials))
            assert isinstance(credentials, Digest)
            # A nonce that was kept may be worn out, also where the server does not say so; but two
            # fresh ones that were answered in vain mean that the password is wrong.
            is_stale = digest.parameters.get("stale", "").lower() == "true"
            if self._is_answered and not is_stale and credentials == before:
                self._credentials = credentials
                return None
            self._credentials = credentials
            self._session = credentials.take(self._space, digest)
            self._is_answered = True
            return digest
        if isinstance(credentials, Basic) and credentials != before:
            return _of_scheme(challenges, "basic")
        return None

    def accepted(self, headers: Headers) -> bool:
        """The party took the request. False: it claims to know the password, and does not."""
        self._answers, self._is_answered, self._session = 0, False, None
        self._tried.clear()
        proof = self._proof
        if proof is None:
            return True
        name = "proxy-authentication-info" if self.party.is_proxy else "authentication-info"
        lines = headers.get_all(name)
        if not lines:
            return True
        from tieline.auth import Digest
        from tieline.auth.challenges import parse_parameters

        assert isinstance(self._credentials, Digest)
        return self._credentials.learn(self._space, proof, parse_parameters(lines))

    def explain(self, lines: list[str]) -> str:
        """Why there is no better answer to these challenges, and what can be done."""
        from tieline.auth import Bearer
        from tieline.auth.challenges import parse_challenges
        from tieline.auth.credentials import safe_scheme

        challenges = parse_challenges(lines)
        offered = " or ".join(dict.fromkeys(map(_shown, challenges[:_MOST_SHOWN])))
        asked = f"it asks for {offered}" if offered else "it does not say how to log in"
        what = f"{asked}; "
        if self._gave_up:
            return what + f"the callable in {self.source} gave None"
        schemes = {each.scheme for each in challenges}
        if schemes and schemes.isdisjoint(_SPOKEN | set(self._tried)):
            return what + "only Basic, Digest and Bearer are spoken here"
        if self._tried:
            # What the party has named itself is no secret.
            tried = " and ".join(
                _name(each) if each in schemes or safe_scheme(each) == each else safe_scheme(each)
                for each in self._tried
            )
            if schemes and schemes.isdisjoint(self._tried):
                return what + f"{tried} with {self.source} does not answer that"
            told = next((text for each in challenges if (text := _complaint(each))), "")
            is_token = isinstance(self._credentials, Bearer)
            part = "the token" if is_token else "user name and password"
            return what + f"{tried} with {self.source} was refused{told}: check {part}"
        if self._credentials is not None:
            kind = type(self._credentials).__name__
            text = what + f"{self.source} holds {kind}, "
            if any(each.scheme == "basic" for each in challenges):
                return text + "which is never sent as Basic: give (user, password) to allow that"
            return text + "which cannot answer that"
        if self.source and self._ask is None:
            return what + f"{self.source} was refused"
        return what + self.party.advice

    @property
    def _space(self) -> Hashable:
        return self.party.is_proxy, self.party.origin

    def _note(self, scheme: str) -> None:
        if scheme not in self._tried:
            self._tried.append(scheme)


def _pair(credentials: Basic | Digest) -> tuple[str, str]:
    return credentials.username, credentials.password


def _of_scheme(challenges: tuple[Challenge, ...], scheme: str) -> Challenge | None:
    return next((each for each in challenges if each.scheme == scheme), None)


def _shown(challenge: Challenge) -> str:
    from tieline.auth.digest_response import choose

    realm = "" if challenge.realm is None else f" (realm {excerpt(challenge.realm)})"
    algorithm = challenge.parameters.get("algorithm")
    known = choose([challenge]) is not None or challenge.scheme != "digest" or algorithm is None
    unknown = "" if known else f" with {excerpt(algorithm)}, which is not known here"
    return _name(challenge.scheme)[:40] + realm + unknown


def _name(scheme: str) -> str:
    return scheme.upper() if scheme in ("ntlm",) else scheme.capitalize()


def _complaint(challenge: Challenge) -> str:
    """What a server says that is wrong with a token (RFC 6750 section 3)."""
    error = challenge.parameters.get("error_description") or challenge.parameters.get("error")
    return "" if error is None else f" ({excerpt(error)})"
