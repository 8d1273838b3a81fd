from collections.abc import Iterator

import pytest

from tests.contract.forks import Forks


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    forks = Forks()
    with forks.process as process:
        yield forks
        assert process.stdin is not None
        process.stdin.close()
