"""``python -m taxi_platform.cli``: the ``taxi`` command if its script is not on the path."""

from taxi_platform.cli import main

if __name__ == "__main__":
    main()
