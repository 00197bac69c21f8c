"""``python -m taxi_platform.cli``: the ``taxi`` command where its script is not on the path."""

from taxi_platform.cli import main

if __name__ == "__main__":
    main()
