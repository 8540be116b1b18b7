"""Limits and times of a connection that is told nothing else."""

from __future__ import annotations

import dataclasses

import pytest

from tieline.http1 import HeadLimits
from tieline.options import Options
from tieline.protocol.settings import Settings


def test_defaults_are_bounded() -> None:
    settings = Settings()
    assert settings.max_message_size == 64 * 1024 * 1024
    assert settings.max_fragments == 131_072
    assert (settings.ping_interval, settings.ping_timeout, settings.close_timeout) == (20, 20, 10)
    assert settings.decode_text
    assert not settings.inspect_frames
    assert settings.head_limits == HeadLimits()


def test_defaults_are_the_options_defaults() -> None:
    options = Options.build("ws://example.com/", {})
    settings = Settings()
    shared = ("max_message_size", "max_fragments", "ping_interval", "ping_timeout")
    for name in (*shared, "close_timeout", "decode_text"):
        assert getattr(settings, name) == getattr(options, name)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().close_timeout = 1.0
