from collections.abc import AsyncIterator

import pytest

from tests.bci_server.web.web_place import Place, serving


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def place(anyio_backend) -> AsyncIterator[Place]:
    async with serving() as place:
        yield place
