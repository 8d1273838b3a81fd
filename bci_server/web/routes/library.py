"""The session library over REST. Ids go over the wire, never paths; the folder is a setting."""

# No postponed annotations: FastAPI must see dependencies that are made in `router`.

from collections.abc import Callable
from threading import Lock
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Path, Query
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from bci_server.library import BadTag, Library, LibraryError, UnknownRecording
from bci_server.library import Query as Wanted
from bci_server.library_entry import Entry
from bci_server.web.routes.access import PROBLEMS, needs
from bci_server.web.services import Problem, Refused, Services
from devices.clock import MONOTONIC

__all__ = ["router"]

T = TypeVar("T")

_FRESH_S = 10.0
"""The files are looked at again when this time has passed since they were."""

_Id = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="as the list has it")]
_Tag = Annotated[str, Path(pattern=r"^\w[\w.+-]{0,63}$", description="one word")]
_Word = Annotated[str, Query(max_length=256)]
_NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "no such recording, or no folder of recordings"},
    503: {"model": Problem, "description": "the index cannot be used"},
}


class StreamShape(BaseModel):
    """One stream of samples in a recording."""

    name: str
    kind: str
    rate_hz: float
    channels: list[str]
    unit: str
    n_samples: int
    duration_s: float = Field(description="from the first to the last sample, gaps included")
    n_gaps: int


class EntryShape(BaseModel):
    """A recording, or why it cannot be read. What is not known is empty."""

    id: str
    place: str = Field(description="its name, within the folder of recordings")
    n_bytes: int
    sha256: str = Field(description="of its content")
    problem: str = Field(description="why it cannot be read")
    participant: str
    session: str
    task: str
    run: str
    consent: str
    device: str
    manufacturer: str
    reference: str
    decoder: str
    model: str = Field(description="hash of the decoder's model")
    started_at: str = Field(description="ISO 8601")
    streams: list[StreamShape] = Field(description="the first is the one that a decoder reads")
    n_markers: int
    notes: list[str]
    verified: str = Field(description="what `bci verify` said of this very content")
    tags: list[str]


class _Shelf:
    """The library behind the routes: one scan at a time, and not more often than is useful."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = Lock()
        self._scanned_s = -_FRESH_S

    def fresh(self) -> Library:
        """Return the library, brought up to date."""
        opened = Library(self._services.recordings)
        with self._lock:
            if MONOTONIC.now() - self._scanned_s >= _FRESH_S:
                opened.scan()
                self._scanned_s = MONOTONIC.now()
        return opened

    async def ask(self, question: Callable[[Library], T]) -> T:
        """Ask the library, on another thread."""
        try:
            return await run_in_threadpool(lambda: question(self.fresh()))
        except UnknownRecording as e:
            raise Refused(404, "unknown_recording", str(e), "see GET /v1/recordings") from e
        except BadTag as e:
            raise Refused(422, "bad_tag", str(e), "choose another word") from e
        except LibraryError as e:
            status = 503 if self._services.recordings.is_dir() else 404
            raise Refused(status, "no_library", str(e), "set BCI_RECORDINGS") from e


def router(services: Services) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1", tags=["library"], responses={**PROBLEMS, **_NOT_FOUND})
    view = [Depends(needs(services, "view"))]
    control = [Depends(needs(services, "control"))]
    shelf = _Shelf(services)

    @routes.get("/recordings", dependencies=view)
    async def list_recordings(
        participant: _Word = "",
        task: _Word = "",
        device: _Word = "",
        tag: _Word = "",
        search: Annotated[str, Query(max_length=256, description="words that all occur")] = "",
        readable: bool | None = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
        offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
    ) -> list[EntryShape]:
        """List recordings, the newest first; those that cannot be read say why."""
        query = Wanted(
            participant=participant,
            task=task,
            device=device,
            tag=tag,
            search=search,
            readable=readable,
            limit=limit,
            offset=offset,
        )
        return [_shape(entry) for entry in await shelf.ask(lambda lib: lib.find(query))]

    @routes.get("/recordings/{recording}", dependencies=view)
    async def get_recording(recording: _Id) -> EntryShape:
        """Say what is known of a recording."""
        return _shape(await shelf.ask(lambda lib: lib.get(recording)))

    @routes.put("/recordings/{recording}/tags/{tag}", dependencies=control)
    async def add_tag(recording: _Id, tag: _Tag) -> EntryShape:
        """Tag a recording."""
        return _shape(await shelf.ask(lambda lib: lib.tag(recording, [tag])))

    @routes.delete("/recordings/{recording}/tags/{tag}", dependencies=control)
    async def remove_tag(recording: _Id, tag: _Tag) -> EntryShape:
        """Take a tag away from a recording."""
        return _shape(await shelf.ask(lambda lib: lib.untag(recording, [tag])))

    return routes


def _shape(entry: Entry) -> EntryShape:
    return EntryShape.model_validate(msgspec.to_builtins(entry))
