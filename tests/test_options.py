"""Options are built from any promised form, hold still, describe themselves, keep their secrets."""

from __future__ import annotations

import gc
import pickle
import re
import socket
import ssl
import weakref
from collections.abc import Callable
from dataclasses import fields
from http.cookiejar import Cookie, CookieJar
from typing import Any

import pytest

from tests.refusals import PEM, SECRET, URL, Stranger, assert_silent, refusal
from tieline import Reactor
from tieline import options as options_module
from tieline.auth import Basic, Bearer, Challenge, Digest
from tieline.errors import OptionError
from tieline.options import Options, describe
from tieline.reconnect import Reconnect

NAMES = [entry.name for entry in fields(Options)]
BASIC = Basic("joe", "pw")
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def give_url() -> str:
    return URL


def a_jar() -> CookieJar:
    jar = CookieJar()
    jar.set_cookie(
        Cookie(
            0, "session", SECRET, None, False, "h", False, False, "/", True, False, None, False,
            None, None, {}
        )
    )  # fmt: skip
    return jar


# --- what build takes


def test_url_alone_callable_mapping_and_keywords() -> None:
    assert Options.build(URL).url == URL
    assert Options.build(give_url).url is give_url
    assert Options.build(None, {"url": URL}).url == URL
    assert Options.build([URL, "ws://b"]).url == Options.build((URL, "ws://b")).url
    merged = Options.build({"url": URL, "timeout": 3, "max_queue": 5}, {"timeout": 4})
    assert (merged.url, merged.timeout, merged.max_queue) == (URL, 4.0, 5)
    assert Options.build({"url": URL}, {"url": "ws://other"}).url == "ws://other"
    assert Options.build(merged, {"max_queue": 6}) == merged.replace(max_queue=6)


@pytest.mark.parametrize("value", [b"ws://h", 5, object()])
def test_what_is_no_url(value: object) -> None:
    with pytest.raises(OptionError, match="option 'url': expected the URL .* mapping of options"):
        Options.build(value)


def test_what_is_asked_for_again_is_made_once() -> None:
    built = Options.build("ws://example.com/", {"compression": None, "ping_interval": 5})
    again = {"compression": None, "ping_interval": 5}
    assert Options.build("ws://example.com/", again) is built
    assert Options.build(None, {"url": "ws://example.com/", **again}) == built
    assert Options.build("ws://example.com/", {**again, "ping_interval": 6}).ping_interval == 6
    assert Options.build("ws://example.com/", {**again, "ping_interval": 5.0}) is not built
    with pytest.raises(OptionError, match="ping_interval"):
        Options.build("ws://example.com/", {**again, "ping_interval": True})


@pytest.mark.parametrize(
    ("url", "keywords"),
    [
        ("ws://user:pass@example.com/", {}),
        ("ws://example.com/?token=1", {}),
        (None, {"url": "ws://example.com/?token=1"}),
        ("ws://example.com/", {"token": "1"}),
        ("ws://example.com/", {"headers": ()}),
    ],
)
def test_nothing_private_is_kept(url: Any, keywords: dict[str, Any]) -> None:
    assert Options.build(url, keywords) is not Options.build(url, keywords)


@pytest.mark.parametrize("by_name", [False, True])
def test_what_differs_in_the_query_is_made_once_without_it(by_name: bool) -> None:
    def build(url: str) -> Options:
        given = {"ping_interval": 5, "compression": None}
        return Options.build(None, {**given, "url": url}) if by_name else Options.build(url, given)

    plain, first, second = map(build, ("ws://h/a", "ws://h/a?token=1", "ws://h/a?token=2"))
    assert plain.kept is None and first.kept is second.kept is plain
    assert (first.url, second.url, plain.url) == (
        "ws://h/a?token=1",
        "ws://h/a?token=2",
        "ws://h/a",
    )
    assert first == Options(url="ws://h/a?token=1", ping_interval=5.0, compression=None)
    assert first.given().keys() == plain.given().keys() and first.parsed is not plain.parsed
    assert pickle.loads(pickle.dumps(first)) == first


@pytest.mark.parametrize("by_name", [False, True])
def test_a_query_of_plain_words_is_kept(by_name: bool) -> None:
    def build(query: str, **keywords: Any) -> Options:
        url = f"ws://h/a{query}"
        if by_name:
            return Options.build(None, {"url": url, **keywords})
        return Options.build(url, keywords)

    plain, first, second = map(build, ("", "?depth=5", "?depth=10"))
    assert build("?depth=5") is first and build("?depth=10") is second
    assert (first.url, second.url) == ("ws://h/a?depth=5", "ws://h/a?depth=10")
    assert plain.kept is None and first.kept is second.kept is plain
    reactor = Reactor()
    known = weakref.ref(reactor)
    assert build("?depth=5", reactor=reactor) is not first and build("?depth=5") is first
    del reactor
    gc.collect()
    assert known() is None


def test_many_queries_put_nothing_else_out() -> None:
    plain = Options.build("ws://stays/", {})
    for number in range(200):
        Options.build(f"ws://stays/?n={number}", {})
    assert Options.build("ws://stays/", {}) is plain


@pytest.mark.parametrize("query", ["", "?token=1", "?depth=1"])
def test_clients_of_reactors_share_all_but_the_reactor(query: str) -> None:
    reactors = Reactor(), Reactor()
    plain = Options.build("ws://h/a", {"ping_interval": 5})
    first, second = (
        Options.build(f"ws://h/a{query}", {"ping_interval": 5, "reactor": reactor})
        for reactor in reactors
    )
    assert (first.reactor, second.reactor, plain.reactor) == (*reactors, None)
    assert first.kept is second.kept is plain
    assert first == Options(url=f"ws://h/a{query}", ping_interval=5.0, reactor=reactors[0])
    assert first.given().keys() == {*plain.given(), "reactor"}
    with pytest.raises(OptionError, match="reactor"):
        Options.build("ws://h/a", {"reactor": 5})


def test_no_reactor_is_kept() -> None:
    reactor = Reactor()
    known = weakref.ref(reactor)
    Options.build("ws://h/a", {"reactor": reactor})
    del reactor
    gc.collect()
    assert known() is None


@pytest.mark.parametrize(
    "url",
    [
        "ws://user:pass?@example.com/",
        "ws://user:pa?ss@example.com/",
        "ws://example.com/?a#b",
        "ws://example.com/link/2bXq81LmZ0?a=b",
    ],
)
def test_nothing_is_kept_of_such_urls(url: str) -> None:
    assert Options.build(url, {}).kept is None


def test_a_users_mapping_is_left_as_it_was() -> None:
    given = {"url": URL, "timeout": 3}
    Options.build(given, {"timeout": 4, "max_queue": 5})
    assert given == {"url": URL, "timeout": 3}


@pytest.mark.parametrize("nothing", [None, {}, {"timeout": 3}, {"url": None}])
def test_a_missing_url_is_said(nothing: Any) -> None:
    assert "option 'url' is missing" in refusal(nothing)


@pytest.mark.parametrize("wrong", [7, b"ws://h", {"ws://h"}, Stranger()])
def test_a_first_argument_of_another_type_is_named(wrong: object) -> None:
    assert f"got {type(wrong).__name__}" in refusal(wrong)


def test_url_twice_is_refused() -> None:
    assert "given twice" in refusal(URL, url=URL)


def test_a_mapping_with_other_keys_than_names_is_refused() -> None:
    assert "option's name must be a str, got int" in refusal({7: 1})


# --- per attempt


def test_callables_are_asked_for_every_attempt() -> None:
    urls = iter(["ws://a", "ws://b"])
    counts = iter("12")
    options = Options(url=lambda: next(urls), headers=lambda: {"X-Try": next(counts)})
    assert [options.attempt_url(), options.attempt_url()] == ["ws://a", "ws://b"]
    assert options.attempt_headers() == (("X-Try", "1"),)
    assert options.attempt_headers() == (("X-Try", "2"),)


def test_constants_stay_the_same_for_every_attempt() -> None:
    options = Options(url=URL, headers={"X-A": "1"})  # type: ignore[arg-type]
    assert options.attempt_url() == URL
    assert options.attempt_headers() == (("X-A", "1"),)


def test_one_url_or_several() -> None:
    assert Options(url=URL).urls == (URL,)
    assert Options(url=give_url).urls == (give_url,)
    several = Options.build([URL, give_url, "ws://b"])
    assert several.url == several.urls == (URL, give_url, "ws://b")
    assert several.attempt_url() == URL
    assert [several.attempt_url(source) for source in several.urls] == [URL, URL, "ws://b"]
    with pytest.raises(OptionError, match="option 'url'.*got int"):
        several.attempt_url(lambda: 7)  # type: ignore[arg-type, return-value]


def test_what_a_callable_gives_is_checked() -> None:
    def wrong(*_: object) -> Any:
        return 7

    options = Options(url=wrong, headers=wrong, auth=wrong)
    for attempt in (options.attempt_url, options.attempt_headers, lambda: options.attempt_auth("")):
        with pytest.raises(OptionError, match="option '.*got int"):
            attempt()
    with pytest.raises(OptionError, match="option 'url'"):
        Options(url=lambda: "ws://h\r\n").attempt_url()
    with pytest.raises(OptionError, match="option 'headers'.*'Upgrade'"):
        Options(url=URL, headers=lambda: {"Upgrade": "x"}).attempt_headers()


def test_credentials_come_from_any_of_the_options() -> None:
    def for_host(url: str) -> Bearer | None:
        return Bearer("t") if url == URL else None

    def given(**keywords: Any) -> object:
        return Options(url=URL, **keywords).attempt_auth(URL)

    assert given() is None
    assert given(auth=("joe", "pw")) == BASIC
    assert given(username="joe", password="pw") == BASIC
    assert given(username="joe") == Basic("joe", "")
    assert given(token="t") == Bearer("t")
    assert given(token="t", token_type="ApiKey") == Bearer("t", "ApiKey")
    assert given(auth=for_host) == Bearer("t")
    assert Options(url=URL, auth=for_host).attempt_auth("ws://other") is None
    assert given(auth=Digest("joe", "pw")) == Digest("joe", "pw")
    assert given(auth=lambda url: ("joe", "pw")) == BASIC
    with pytest.raises(OptionError, match="'auth'.*or None, got str"):
        given(auth=lambda url: SECRET)


def test_a_callable_that_wants_to_sees_the_challenges() -> None:
    seen: list[object] = []

    def answer(url: str, challenges: tuple[Challenge, ...]) -> Basic | None:
        seen.append((url, challenges))
        return BASIC if challenges else None

    options = Options(url=URL, auth=answer, proxy_auth=answer)
    challenge = Challenge("basic", "here")
    assert options.attempt_auth(URL) is None
    assert options.attempt_auth(URL, (challenge,)) == BASIC
    assert options.attempt_proxy_auth("http://p:1", (challenge,)) == BASIC
    assert seen == [(URL, ()), (URL, (challenge,)), ("http://p:1", (challenge,))]


# --- secrets


@pytest.mark.parametrize(
    "given",
    [
        {"auth": ("joe", SECRET)},
        {"auth": Bearer(SECRET)},
        {"auth": Digest("joe", SECRET)},
        {"proxy_auth": ("joe", SECRET)},
        {"netrc": f"/home/joe/.netrc?token={SECRET}"},
        {"cookies": a_jar()},
        {"username": "joe", "password": SECRET},
        {"username": f"{SECRET}-0123"},
        {"subprotocols": ["v1", f"bearer.{SECRET}"]},
        {"token": SECRET},
        {"headers": {"Authorization": SECRET, "Cookie": SECRET, "X-Api-Key": SECRET}},
        {"cookies": {"session": SECRET}},
        {"proxy": f"http://joe:{SECRET}@proxy"},
        {"proxy_headers": {"Proxy-Authorization": SECRET}},
        {"ssl_cert_data": PEM, "ssl_key_data": f"-----BEGIN {SECRET}"},
        {"ssl_cert_path": "a", "ssl_key_password": SECRET},
        {"url": f"wss://joe:{SECRET}@example.com/?token={SECRET}"},
        {"url": [f"wss://joe:{SECRET}@example.com/", f"ws://b/?token={SECRET}"]},
        {"heartbeat_message": f'{{"token": "{SECRET}"}}', "heartbeat_interval": 1},
        {"heartbeat_message": SECRET.encode(), "heartbeat_interval": 1},
        {"origin": f"https://joe:{SECRET}@example.com"},
        {"default_path": f"/feed?token={SECRET}"},
    ],
)
def test_a_repr_shows_the_option_but_no_secret(given: dict[str, Any]) -> None:
    options = Options.build({"url": URL, **given})
    for text in (repr(options), str(options), f"{options}"):
        assert SECRET not in text
        for name in given:
            assert f"{name}=" in text


@pytest.mark.parametrize("name", NAMES)
def test_no_error_shows_a_secret(name: str) -> None:
    spoilt = SECRET + "\r\n"
    secret = {"password", "token", "auth", "headers", "proxy_headers", "cookies", "token_type"}
    secret.add("proxy_auth")
    secret |= {entry for entry in NAMES if entry.startswith("ssl_key") or entry.endswith("_data")}
    values: list[Any] = [{"password": SECRET}, [SECRET], (SECRET, SECRET, SECRET), {SECRET, "x"}]
    values += [f"ws://joe:{SECRET}@h/?token={SECRET}\r\n"]
    if name in secret:
        values += [SECRET.encode(), spoilt, {"Cookie": spoilt}, ("joe", spoilt)]
        values += [[("Authorization", spoilt)], {f"Authorization: {SECRET}": ""}]
    refused = 0
    for value in values:
        try:
            Options.build(None, {"url": URL, name: value})
        except OptionError as error:
            assert_silent(error)
            refused += 1
    assert refused


def test_a_key_given_as_a_path_is_not_shown() -> None:
    for name in ("ssl_ca_path", "ssl_cert_path", "ssl_key_path"):
        text = refusal(URL, **{name: f"-----BEGIN PRIVATE KEY-----\n{SECRET}"})
        assert "_data" in text


def test_the_repr_shows_only_what_is_not_at_its_default() -> None:
    assert repr(Options(url=URL)) == f"Options(url={URL!r})"
    same = Options(url=URL, ping_interval=20, max_redirects=5, headers=())
    assert repr(same) == f"Options(url={URL!r})"
    assert repr(Options(url=URL, timeout=3, family=socket.AF_INET)) == (
        f"Options(url={URL!r}, family=2, timeout=3.0)"
    )


def test_the_repr_of_several_urls_and_of_a_policy() -> None:
    options = Options.build([URL, give_url], {"reconnect": Reconnect(max_attempts=3, retry=len)})
    assert repr(options) == (
        f"Options(url=({URL!r}, {__name__}.give_url), "
        "reconnect=Reconnect(max_attempts=3, retry=builtins.len))"
    )
    assert repr(Options(url=(URL,))) == f"Options(url=({URL!r},))"


def test_the_repr_shows_schemes_as_they_are_given() -> None:
    options = Options(url=URL, schemes={"feed": {"port": 80, "ssl": True}})
    assert repr(options).endswith("schemes={'feed': {'port': 80, 'ssl': True}})")


def test_a_long_value_is_cut_in_the_error() -> None:
    text = refusal(URL, default_path="x" * 1000)
    assert "... of length 1000" in text
    assert len(text) < 300


def test_the_repr_never_asks_a_users_object() -> None:
    class Quiet(Stranger):
        def submit(self) -> None: ...

        def __call__(self) -> str:
            return URL

    policy = Reconnect(retry=Quiet())
    text = repr(
        Options(
            url=Quiet(),
            executor=Quiet(),
            ssl_context=CONTEXT,
            json_dumps=repr,
            reconnect=policy,
        )
    )
    assert text == (
        "Options(url=<Quiet>, ssl_context=<SSLContext>, reconnect=Reconnect(retry=<Quiet>), "
        "executor=<Quiet>, json_dumps=builtins.repr)"
    )
    assert repr(policy) == "Reconnect(retry=<Quiet>)"


# --- the object


def test_options_cannot_change() -> None:
    options = Options(url=URL, schemes={"feed": {"port": 80}})
    with pytest.raises(AttributeError):
        options.timeout = 1  # type: ignore[misc]
    assert options.schemes is not None
    with pytest.raises(TypeError):
        options.schemes["feed"]["port"] = 81  # type: ignore[index]
    with pytest.raises((AttributeError, TypeError)):
        options.new = 1  # type: ignore[attr-defined]


def test_a_users_lists_and_mappings_are_copied() -> None:
    headers, names, schemes = {"X-A": "1"}, ["a"], {"feed": {"port": 80}}
    options = Options.build(URL, {"headers": headers, "subprotocols": names, "schemes": schemes})
    headers["X-B"], names[0], schemes["feed"]["port"] = "2", "b", 81
    assert options.headers == (("X-A", "1"),)
    assert options.subprotocols == ("a",)
    assert options.schemes == {"feed": {"port": 80, "ssl": False}}


def test_replace_checks_as_build_does() -> None:
    options = Options(url=URL, token=SECRET)
    assert options.replace(token=None, timeout=3) == Options(url=URL, timeout=3)
    with pytest.raises(OptionError, match="timeout"):
        options.replace(timeout=0)
    with pytest.raises(OptionError, match="'auth' and 'token'"):
        options.replace(auth=("a", "b"))
    with pytest.raises(OptionError, match="did you mean 'timeout'"):
        options.replace(timout=3)
    assert options.token == SECRET


def test_equal_options_are_equal_also_after_a_pickle() -> None:
    options = Options(url=URL, timeout=3, auth=BASIC)
    assert options == Options(url=URL, timeout=3.0, auth=("joe", "pw"))  # type: ignore[arg-type]
    assert hash(options) == hash(Options(url=URL, timeout=3, auth=BASIC))
    assert pickle.loads(pickle.dumps(options)) == options


def test_describe_has_a_complete_row_for_every_option() -> None:
    rows = describe()
    assert [row.name for row in rows] == NAMES
    for row in rows:
        assert all(row), row
        assert not re.search(r"[|\n]", "".join(row)), "would break the table in the documentation"
    groups = list(dict.fromkeys(row.group for row in rows))
    assert groups == "request route TLS time limits compression reconnection threads other".split()
    by_name = {row.name: row for row in rows}
    assert by_name["url"].default == "required"
    assert by_name["json_dumps"].default == "json.dumps"
    assert by_name["ping_interval"].default == "20.0"


@pytest.mark.parametrize("row", describe(), ids=lambda row: row.name)
def test_errors_say_what_the_documentation_says(row: Any) -> None:
    assert row.accepted in refusal(None, **{"url": URL, row.name: Stranger()})


def test_importing_the_options_loads_no_socket_tls_or_thread_module(
    modules_loaded_by: Callable[[str], set[str]],
) -> None:
    loaded = modules_loaded_by("import tieline.options")
    assert "tieline.options" in loaded
    assert not loaded & {"socket", "ssl", "threading", "selectors", "asyncio", "logging"}


def test_clients_on_one_reactor_share_their_options_for_as_long_as_they_last() -> None:
    reactor, other = Reactor(), Reactor()

    def built(url: str, reactor: Reactor) -> Options:
        return Options.build(url, {"reactor": reactor, "compression": None})

    one = built("ws://shared/", reactor)
    assert built("ws://shared/", reactor) is one and one.reactor is reactor
    assert built("ws://shared/", other).reactor is other
    assert built("ws://shared/?a=1", reactor).url == "ws://shared/?a=1"
    assert built("ws://another/", reactor).url == "ws://another/"
    gone = weakref.ref(other)
    del other
    assert gone() is None


class Unlike:
    """A value of a user's that must not be compared, and has no hash."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    def __hash__(self) -> int:
        raise RuntimeError("no hash")


def test_values_are_told_from_each_other_by_their_types() -> None:
    one = Options.build("ws://same/", {"ping_interval": 1.0, "compression": None})
    assert Options.build("ws://same/", {"ping_interval": 1.0, "compression": None}) is one
    assert Options.build("ws://same/", {"ping_interval": 1, "compression": None}) == one
    for value in (True, Unlike(), [1.0]):
        with pytest.raises(OptionError, match="ping_interval"):
            Options.build("ws://same/", {"ping_interval": value, "compression": None})


def test_few_calls_are_remembered() -> None:
    for number in range(1000):
        assert Options.build(f"ws://{number}/", {}).url == f"ws://{number}/"
    found = [options_module.of_calls.find(f"ws://{number}/", {}) for number in range(1000)]
    assert 0 < len([each for each in found if each is not None]) <= 64
