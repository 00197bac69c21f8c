"""The suite that every store passes: import it in the tests of a new one, and give it a store.

Belongs here: what all stores promise, as tests: stores of tables (``tables``, and several processes at one:
``sharing``), those that make marts (``marts``), and objects of a lake (``objects``). Does not: what one store alone
promises.

pytest is imported here and nowhere else in the package, which does not depend on it: who runs these tests has it.
"""

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in ("tables", "sharing", "marts", "objects")))
