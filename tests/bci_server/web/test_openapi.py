"""Every REST call answers as the OpenAPI document says, whatever it is asked."""

import asyncio
import threading

import pytest
from hypothesis import HealthCheck, given, settings

from bci_server.web.asyncapi import asyncapi, schemas
from tests.bci_server.web.web_place import TOKEN, check, serving


@pytest.fixture(scope="module")
def served():
    """A server on a loop of its own."""
    started, stop = threading.Event(), asyncio.Event()
    found = {}

    async def serve():
        async with serving() as place:
            found.update(place=place, loop=asyncio.get_running_loop())
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert started.wait(20)
    yield found["place"]
    found["loop"].call_soon_threadsafe(stop.set)
    thread.join(20)
    assert not thread.is_alive()


def test_answers_are_as_described(served):
    import schemathesis  # takes seconds

    api = schemathesis.openapi.from_url(f"{served.http}/v1/openapi.json")
    # That one does not end.
    operations = [o.ok() for o in api.exclude(path_regex="/events$").get_all_operations()]
    assert len(operations) >= 10
    for operation in operations:

        @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def ask(case):
            case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"})

        ask()


def test_the_asyncapi_document_points_nowhere_that_is_not():
    document = asyncapi()
    assert document["asyncapi"].startswith("3.")

    def references(node):
        if isinstance(node, dict):
            yield from (v for k, v in node.items() if k == "$ref" and isinstance(v, str))
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    found = set(references(document))
    assert len(found) > 20
    for reference in found:
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_every_message_has_a_schema_with_its_type():
    for name in ("Hello", "Result", "CommandMessage", "Subscribe", "Arm"):
        assert schemas()[name]["properties"]["type"]["enum"]


def test_the_check_that_tests_use_can_fail():
    with pytest.raises(Exception, match="required"):
        check({"type": "hello"})
