"""What README.md and docs/command-line.md tell people to type → it works.

Their Python blocks are run by test_docs.py; here are the shell's, the files that are linked, and
the promises of the first screen.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import PATIENCE, environment
from tieline.testing import EchoServer

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = README + (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")

#: Language and text of each block; the shell's have no language.
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINES = [
    line for language, text in _BLOCK.findall(PAGES) if not language for line in text.split("\n")
]
COMMANDS = sorted(
    {line.partition("  #")[0].strip() for line in LINES if re.search(r"\btieline [-a-z]", line)}
)

#: Commands that run until somebody ends them; their own tests do.
ENDLESS = {
    "tieline serve",
    "tieline serve --port 8080",
    "tieline listen wss://example.com/feed",
}
ENDING = [command for command in COMMANDS if command not in ENDLESS]


def test_the_pages_have_commands() -> None:
    assert len(ENDING) >= 11
    assert set(COMMANDS) >= ENDLESS


@pytest.mark.slow
@pytest.mark.parametrize("command", ENDING)
def test_command_works_as_written(command: str) -> None:
    with EchoServer(on_open=lambda connection: connection.send("news")) as server:
        local = command.replace("wss://example.com/feed", server.url)
        local = local.replace("tieline ", f"{shlex.quote(sys.executable)} -m tieline ", 1)
        done = subprocess.run(
            ["sh", "-c", local],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            env=environment(),
        )

    assert done.returncode == 0, done.stderr
    assert not done.stderr or done.stderr.startswith(b"closed: 1000 ")


def test_links_lead_to_files() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]

    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize(("pure", "folder"), [("0", ".venv"), ("1", ".venv-pure")])
def test_the_demo_ends_with_what_to_try_next(pure: str, folder: str) -> None:
    # What a make that runs these tests has set is not for this one.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    planned = subprocess.run(
        ["make", "--dry-run", "demo"],
        cwd=ROOT,
        env={**inherited, "TIELINE_PURE": pure},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    ).stdout.splitlines()

    command = f"{folder}/bin/tieline serve --port 8080"
    assert planned[-1] == f"echo 'now try: {command}'"
    assert "tieline serve --port 8080" in ENDLESS
    assert "`tieline serve --port 8080`" in README
    assert "`.venv/bin/tieline`" in README


def test_the_two_commands_exist() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"^make (\w+)", README, re.MULTILINE)

    assert named == ["demo", "test"]
    assert set(named) <= set(targets)
