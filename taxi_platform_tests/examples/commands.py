"""Run in the example's environment: several dbt commands in one process, which imports dbt once.

`python commands.py TARGET 'build' 'docs generate'` prints ``== build`` before what ``dbt build`` says, and so on, and
ends with code 1 after the first command that fails.
"""

from __future__ import annotations

import shlex
import sys

from dbt.cli.main import dbtRunner


def main() -> None:
    """Run every command, until one fails."""
    target, *commands = sys.argv[1:]
    for command in commands:
        sys.stdout.write(f"== {command}\n")
        options = ["--target", target, "--target-path", f"target/{target}", "--no-use-colors"]
        if not dbtRunner().invoke([*shlex.split(command), *options]).success:
            sys.exit(1)


if __name__ == "__main__":
    main()
