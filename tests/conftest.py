"""How many processes share the test files; each takes whole files, for their tests share fixtures."""

import os


def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes run the tests: two more than cores, for each often waits."""
    return min((os.cpu_count() or 1) + 2, 4)
