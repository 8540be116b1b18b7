"""What a user gives → one frozen object that holds every option, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from weakref import ref

from tieline.call_memory import CallMemory
from tieline.errors import OptionError
from tieline.option_checks import Check
from tieline.option_rules import refuse_contradictions, refuse_unknown
from tieline.option_table import OptionTable
from tieline.redact import has_no_secret, safe_username
from tieline.request_checks import HeaderPairs, URLSource, normalise_headers

if TYPE_CHECKING:
    from dataclasses import dataclass as table

    from tieline.auth import Basic, Bearer, Challenge, Credentials, Digest
else:
    from tieline.option_field import table

__all__ = ["OptionDescription", "Options", "describe", "normalise_headers"]


@table(frozen=True, kw_only=True, repr=False)
class Options(OptionTable):
    """Every option of a connection; `describe` lists them. Made by `Options.build` or by keywords.

    A value that cannot be used raises `OptionError`, which names the option, the type of the
    value and what is accepted. Immutable, so any number of threads and clients may share one.
    The repr shows what is not at its default, secrets masked.
    """

    if not TYPE_CHECKING:  # type checkers know the one that has a parameter for each option

        def __init__(self, **given: object) -> None:
            # Only what is given is stored, and looked at: the defaults are the class's. Most
            # clients give a handful of eighty, and there may be ten thousand clients.
            stored = self.__dict__
            stored["parsed"] = {}
            for name, value in given.items():
                if name not in _ROWS:
                    raise TypeError(f"{type(self).__name__} has no option {name!r}")
                default, accepts = _ROWS[name]
                if value is not default:
                    stored[name] = accepts.apply(name, value)
            if self.url is None:
                raise OptionError(
                    "option 'url' is missing; give a str such as 'wss://example.com/feed', "
                    "or a callable giving one (by name, url=..., where a callback may come first)"
                )
            refuse_contradictions(self, given)

    @classmethod
    def build(
        cls,
        url_or_options: object = None,
        keywords: Mapping[str, object] | None = None,
        *,
        also_known: Iterable[str] = (),
    ) -> Options:
        """The options of a call such as ``WebSocketClient(callback, url_or_options, **keywords)``.

        ``url_or_options`` is the URL, as the option takes it, a mapping of options that holds
        ``"url"``, an `Options`, or None; keywords override what a mapping or an `Options` holds.
        ``also_known`` are names that the caller takes itself: they help to tell what a misspelt
        name was meant to be. Raises `OptionError`.
        """
        if cls is Options and keywords is not None:
            made: Options | None = of_calls.find(url_or_options, keywords)
            if made is None:
                made = _kept(url_or_options, keywords)
            if made is not None:
                return made
        given = _as_mapping(url_or_options)
        if keywords:
            if "url" in keywords and not isinstance(url_or_options, Mapping | Options | None):
                raise OptionError("option 'url' is given twice, as first argument and by name")
            given.update(keywords)
        refuse_unknown(given, _ROWS, also_known)
        return cls(**given)

    def replace(self, **changes: object) -> Options:
        """A copy with some options changed, checked as a whole. Raises `OptionError`."""
        refuse_unknown(changes, _ROWS)
        return type(self)(**{**self.given(), **cast(dict[str, Any], changes)})

    def given(self) -> dict[str, Any]:
        """What may be at other values than its default, by name."""
        return {name: value for name, value in vars(self).items() if name in _ROWS}

    if TYPE_CHECKING:

        @property
        def parsed(self) -> dict[str, Any]:
            """URLs among `urls` → what `tieline.engine.route` makes of them: it is made once."""

        @property
        def kept(self) -> Options | None:
            """The same without query and reactor, kept while the program runs; None: there is none.

            Nothing in it is secret, and what is made of it may be kept there.
            """
    else:
        # Stored like the options, without a function in between: each dial asks several times.
        kept = None

    @property
    def urls(self) -> tuple[URLSource, ...]:
        """``url`` as the tuple that it is when there are several."""
        return self.url if isinstance(self.url, tuple) else (self.url,)

    def attempt_url(self, source: URLSource | None = None) -> str:
        """The URL of the next attempt: ``source``, or what it gives now when it is a callable.

        ``source`` is one of `urls`; None: the first of them. What a callable raises passes through.
        """
        source = self.urls[0] if source is None else source
        if isinstance(source, str):
            return source
        url = source()
        if not isinstance(url, str):
            raise OptionError(
                f"option 'url': the callable must give a str, got {type(url).__name__}"
            )
        return cast(str, _ROWS["url"][1].apply("url", url))

    def attempt_headers(self) -> HeaderPairs:
        """The extra headers of the next attempt: ``headers``, or what it gives now."""
        return normalise_headers(self.headers()) if callable(self.headers) else self.headers

    def attempt_auth(
        self, url: str, challenges: tuple[Challenge, ...] = ()
    ) -> Basic | Bearer | Digest | None:
        """The credentials for the URL of the next attempt, or None when no option gives any.

        They go before those that stand in the URL or in a netrc file, which are not looked at here.
        A callable that wants to sees the challenges. What it raises passes through.
        """
        if self.token is not None:
            from tieline.auth import Bearer

            return Bearer(self.token, self.token_type)
        if self.username is not None:
            from tieline.auth import Basic

            return Basic(self.username, self.password or "")
        return _given("auth", self.auth, url, challenges)

    def attempt_proxy_auth(
        self, proxy: str, challenges: tuple[Challenge, ...] = ()
    ) -> Basic | Bearer | Digest | None:
        """The same for the HTTP proxy with this URL: `proxy_auth`, or what it gives now."""
        return _given("proxy_auth", self.proxy_auth, proxy, challenges)

    def __repr__(self) -> str:
        from tieline.option_texts import shown  # loaded where somebody looks

        given = (
            f"{name}={shown(name, self._printable(name), check.secret)}"
            for name, (default, check) in _ROWS.items()
            if name in vars(self)
            and (type(value := getattr(self, name)) is not type(default) or value != default)
        )
        return f"Options({', '.join(given)})"

    def _printable(self, name: str) -> object:
        if name == "username" and self.username is not None:
            return safe_username(self.username, self.password)
        return getattr(self, name)


class OptionDescription(NamedTuple):
    """One row of the documentation's table of options."""

    group: str
    name: str
    default: str
    meaning: str
    accepted: str


def describe() -> list[OptionDescription]:
    """Every option, in the order of the table, as text for the documentation."""
    from tieline.option_texts import shown

    return [
        OptionDescription(
            entry.metadata["group"],
            entry.name,
            "required" if entry.name == "url" else shown(entry.name, entry.default, False),
            entry.metadata["meaning"],
            entry.metadata["check"].accepted,
        )
        for entry in fields(Options)
    ]


# Read once: a client is made faster than the fields could be walked.
_ROWS: dict[str, tuple[object, Check]] = {
    entry.name: (entry.default, entry.metadata["check"]) for entry in fields(Options)
}


#: Values of these types never change, and hold no secret (but for texts: see `_kept`).
_PLAIN = frozenset({bool, int, float, type(None)})


def _kept(url: object, keywords: Mapping[str, object]) -> Options | None:
    """What was made before of the same; None where something in it is private, or may change.

    The query of the URL may be private, and a reactor is not to be kept alive: the rest is kept,
    and these join it anew. Where there is no reactor, and nothing private in the query, that is
    kept as well.
    """
    made = _kept_or_joined(url, keywords)
    if made is not None:
        if made.kept is None:
            of_calls.keep(url, keywords, made)
        elif made.reactor is None and has_no_secret(cast(str, made.url)):
            of_calls.keep(url, keywords, made, variant=True)
    return made


#: What `Options.build` was given, and has made of it: options that are kept as they are.
of_calls = CallMemory(64)


def _kept_or_joined(url: object, keywords: Mapping[str, object]) -> Options | None:
    if url is None:
        url = keywords.get("url")
    elif "url" in keywords:
        return None
    # An "@" behind the query would make a user name and a password of what comes before it.
    if type(url) is not str or "@" in url or "#" in url or not url.isprintable():
        return None
    place, mark, _ = url.partition("?")
    names: list[str] = []
    values: list[object] = []
    reactor: object = None
    for name, value in keywords.items():
        if name == "url":
            value = place
        elif name == "reactor" and value is not None:
            reactor = _ROWS[name][1].apply(name, value)
            continue
        elif type(value) not in _PLAIN or name not in _ROWS:
            if name != "compression" or type(value) is not str:
                return None
        names.append(name)
        values.append(value)
    try:
        # To a dictionary True and 1.0 are 1, to an option they are not.
        kept = _built(place, tuple(names), tuple(values), tuple(map(type, values)))
    except _Private:
        return None
    if reactor is not None:
        return _on_reactor(kept, url, reactor)
    return _joined(kept, url) if mark else kept


class _Private(Exception):
    """It is not to be kept."""


@lru_cache(maxsize=64)
def _built(
    url: str, names: tuple[str, ...], values: tuple[object, ...], types: tuple[type, ...]
) -> Options:
    """Programs ask again and again for the same. What is refused is not kept."""
    if not has_no_secret(url):
        raise _Private
    given: dict[str, Any] = dict(zip(names, values, strict=True))
    given["url"] = url
    return Options(**given)


#: What `_on_reactor` has given last.
_last: ref[Options] | None = None


def _on_reactor(kept: Options, url: str, reactor: object) -> Options:
    """The same on a reactor. Many clients on one are mostly made one after the other, of the same.

    These share it, for as long as one of them has it.
    """
    global _last
    made = None if _last is None else _last()
    if made is None or made.reactor is not reactor or made.kept is not kept or made.url != url:
        made = _joined(kept, url, reactor=reactor)
        _last = ref(made)
    return made


def _joined(kept: Options, url: str, **further: object) -> Options:
    """The same, but for the query of the URL and what is given here."""
    made = object.__new__(Options)
    stored = made.__dict__
    stored.update(kept.__dict__)
    stored["url"], stored["parsed"], stored["kept"] = url, {}, kept
    stored.update(further)
    return made


def _as_mapping(url_or_options: object) -> dict[str, Any]:
    if url_or_options is None:
        return {}
    if isinstance(url_or_options, Options):
        return url_or_options.given()
    if isinstance(url_or_options, Mapping):
        for name in url_or_options:
            if not isinstance(name, str):
                raise OptionError(
                    f"an option's name must be a str, got {type(name).__name__} in the mapping"
                )
        return dict(url_or_options)
    if isinstance(url_or_options, str | list | tuple) or callable(url_or_options):
        return {"url": url_or_options}
    raise OptionError(
        "option 'url': expected the URL (a str, a callable giving one, or a list of these) or a "
        f"mapping of options that holds 'url'; got {type(url_or_options).__name__}"
    )


def _given(
    option: str,
    auth: Credentials | Callable[..., object] | None,
    url: str,
    challenges: tuple[Challenge, ...],
) -> Credentials | None:
    if auth is None:
        return None
    from tieline.auth import Basic, Bearer, Digest
    from tieline.auth.asking import ask, sees_challenges

    if isinstance(auth, Basic | Bearer | Digest):
        return auth
    return ask(option, auth, url, challenges if sees_challenges(auth) else None)
