"""The value: frozen, JSON-able, without secrets."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle

import pytest

import tieline

SECRET = "hush-hush"

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture
def explanation() -> tieline.Explanation:
    return tieline.explain(
        f"wss://me:{SECRET}@example.com/?token={SECRET}",
        proxy=f"https://me:{SECRET}@proxy.example",
        cookies={"a": SECRET},
        subprotocols=["chat"],
        reconnect=True,
        ping_interval=None,
    )


def test_it_is_frozen(explanation: tieline.Explanation) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        explanation.url = "x"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(explanation)) == explanation == copy.deepcopy(explanation)


def test_json(explanation: tieline.Explanation) -> None:
    found = json.loads(json.dumps(explanation.as_dict()))
    assert found == explanation.as_dict()
    assert set(found) == {field.name for field in dataclasses.fields(explanation)}
    assert found["proxy"]["url"] == "https://me:***@proxy.example:443"
    assert found["proxy"]["tls"]["alpn"] == ["http/1.1"]
    assert ["Cookie", "***"] in found["headers"]
    assert found["cookies"] == [{"name": "a", "sent": True, "reason": "from cookies="}]
    assert found["times"]["ping_interval"] is None and found["times"]["connect_timeout"] == 30
    assert SECRET not in json.dumps(found)


def test_repr_and_text_hold_no_secret(explanation: tieline.Explanation) -> None:
    assert SECRET not in repr(explanation) + str(explanation)
