"""``taxi shell``: typed at a terminal, and read from a pipe; and what Tab completes in a shell."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from taxi_platform.cli.statements import split_statements
from taxi_platform_tests.support.platform import Platform
from taxi_platform_tests.support.terminal import CTRL_C, Terminal, on_a_terminal

CTRL_D, UP = "\x04", "\x1b[A"
SHELL = [sys.executable, "-m", "taxi_platform.cli", "shell"]
FOREVER = "SELECT sum(a.range + b.range) FROM range(100000000) AS a, range(10000) AS b;"


PROMPT_BEGINS, PROMPT_ENDS = "\x1b[?2004h", "\x1b[?2004l"
"""What a prompt tells the terminal: how text is pasted from now on, and that no more is taken."""


@dataclass
class Conversation:
    """Says one thing at each prompt: between two of them the terminal itself would take Ctrl-C and Ctrl-D."""

    terminal: Terminal
    heard: int = 0
    """Characters until the last prompt."""

    def say(self, keys: str) -> None:
        self.heard = self.wait_for(PROMPT_BEGINS)
        self.terminal.press(keys)

    def wait_for(self, text: str) -> int:
        """Until that was sent after the last prompt; returns how many characters were until its end."""
        while text not in self.terminal.typed[self.heard :]:
            assert not self.terminal.ended, self.terminal.screen
            self.terminal.read()
        return self.terminal.typed.index(text, self.heard) + len(text)


def _environment(platform: Platform) -> dict[str, str]:
    return {**platform.environment, "PROMPT_TOOLKIT_NO_CPR": "1"}  # this screen does not tell where its cursor is


def _piped(platform: Platform, text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        SHELL, input=text, cwd=platform.folder, env=platform.environment, capture_output=True, text=True, check=False
    )


def test_a_conversation(one_month: Platform) -> None:
    """Statements over lines, errors, a query that is stopped, lists of tables and columns, what was typed before."""
    with on_a_terminal(SHELL, one_month.folder, _environment(one_month)) as terminal:
        talk = Conversation(terminal)
        terminal.wait_for("The warehouse, read-only.")
        talk.say("SELECT count(*) + 1000 AS n\rFROM taxi.green_trips;\r")
        terminal.wait_for("1149")
        talk.say("DROP TABLE taxi.green_trips;\r")
        terminal.wait_for("Error: one query can be run, a SELECT, and this is DROP")
        talk.say(f"{FOREVER}\r")
        talk.wait_for(PROMPT_ENDS)
        while "stopped" not in terminal.screen:  # it may not have begun when the first is pressed
            terminal.press(CTRL_C)
            time.sleep(1)
            terminal.read()
        talk.say("\\d\r")
        terminal.wait_for("taxi.green_quarantine")
        talk.say("\\d green_trips\r")
        terminal.wait_for("mta_tax")
        talk.say("\\d nowhere\r")
        terminal.wait_for("Error: there is no table nowhere")
        talk.say(CTRL_D)
        assert terminal.finish() == 0
    listed = [line for line in terminal.lines if line.startswith(("taxi.", "mta_tax", "congestion_surcharge"))]
    assert len(listed) > 3
    assert max(map(len, listed)) <= 80

    kept = one_month.data / ".shell-history"
    assert kept.stat().st_mode & 0o077 == 0
    with on_a_terminal(SHELL, one_month.folder, _environment(one_month)) as terminal:
        talk = Conversation(terminal)
        terminal.wait_for("warehouse>")
        talk.say(f"{UP * 5}\r")  # three commands, the query without an end, and the refused one
        terminal.wait_for("this is DROP")
        talk.say("\\q\r")
        assert terminal.finish() == 0


def test_while_a_shell_waits_for_its_user_another_process_writes(one_month: Platform) -> None:
    with on_a_terminal(SHELL, one_month.folder, _environment(one_month)) as terminal:
        talk = Conversation(terminal)
        talk.say("SELECT 41 + 1;\r")
        terminal.wait_for("42")
        writes = (
            "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('CREATE TABLE taxi.more AS SELECT 7 AS seven')"
        )
        subprocess.run([sys.executable, "-c", writes, str(one_month.data / "warehouse.duckdb")], check=True)
        talk.say("FROM taxi.more;\r")
        terminal.wait_for("seven")
        talk.say("quit\r")
        assert terminal.finish() == 0


def test_a_pipe_is_read_to_its_end_or_to_the_first_error(one_month: Platform) -> None:
    done = _piped(
        one_month, "SELECT 1 AS a; -- a remark; no statement\n;\nSELECT ';' AS b\n, 2 AS c;\n\\d\nSELECT 3 AS d"
    )
    assert (done.returncode, done.stderr) == (0, "")
    words = done.stdout.split()
    assert words[:6] == ["a", "1", "b", "c", ";", "2"]
    assert words[-2:] == ["d", "3"]
    assert "taxi.green_trips" in words

    done = _piped(one_month, "SELECT 1 AS a; \n\\x\nSELECT 2 AS b;")
    assert done.returncode == 1
    assert done.stdout.split() == ["a", "1"]
    assert done.stderr == "Error: there is no \\x: \\? lists what there is\n"


@pytest.mark.parametrize(
    ("text", "statements", "left"),
    [
        ("", [], ""),
        ("SELECT 1", [], "SELECT 1"),
        ("SELECT 1; ; SELECT 2;", ["SELECT 1", "SELECT 2"], ""),
        ("SELECT ';', \";\", `;`, 'it''s;'; rest", ["SELECT ';', \";\", `;`, 'it''s;'"], "rest"),
        ("-- one;\n/* two; */ SELECT 1 -- three;\n;", ["-- one;\n/* two; */ SELECT 1 -- three;"], ""),
        ("SELECT $$;$$, $a$;$$;$a$;", ["SELECT $$;$$, $a$;$$;$a$"], ""),
        ("SELECT 'open; ", [], "SELECT 'open;"),
        ("SELECT /* open; ", [], "SELECT /* open;"),
        ("SELECT 1; -- no more", ["SELECT 1"], ""),
    ],
)
def test_a_semicolon_ends_a_statement_where_it_is_one(text: str, statements: list[str], left: str) -> None:
    assert split_statements(text) == (statements, left)


def test_tab_completes_commands(tmp_path: Path) -> None:
    """In bash, by the line that the README names."""
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with on_a_terminal(["bash", "--norc", "-i"], tmp_path, {**os.environ, "PATH": scripts}) as terminal:
        terminal.press('eval "$(_TAXI_COMPLETE=bash_source taxi)"; echo re""ady\r')
        terminal.wait_for("ready")
        terminal.press("taxi verify\t")
        terminal.wait_for("taxi verify-upstream")
        terminal.press("\x15exit\r")
        assert terminal.finish() == 0
