"""``python -m taxi_platform_tests.torture.watched DATA LOG``: a month into every store of a folder, under the library.

Belongs here: one walk that ``strace`` can watch. Does not: comparing what the two saw (``test_torture``).
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from taxi_platform_tests.torture.knife import arm, rest
from taxi_platform_tests.torture.walks import Place, first, load, make_marts, material, second, views

if __name__ == "__main__":
    _data, _log = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as _folder:
        _things, _place = material(Path(_folder)), Place(_data)
        _data.mkdir()
        arm(_data, log=os.open(_log, os.O_WRONLY | os.O_CREAT, 0o600))
        for _step in (first, load, make_marts, views, second, load, make_marts, views):
            _step(_place, _things)
        rest()
