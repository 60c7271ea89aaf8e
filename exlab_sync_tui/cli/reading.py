"""How is the store read beside an engine that may be running? Read-only, and closed again."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from exlab_sync_tui.engine.grants import recorded_here
from exlab_sync_tui.errors import NotFoundError
from exlab_sync_tui.queue.sqlite import SQLiteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from exlab_sync_tui.cli.place import Place
    from exlab_sync_tui.model.run import RunFolder
    from exlab_sync_tui.queue.store import JobStore

_Result = TypeVar("_Result")


def read(place: Place, question: Callable[[JobStore], Awaitable[_Result]]) -> _Result:
    """Ask the store. Raises ``NotFoundError`` if there is none yet, ``StoreError``."""

    async def ask() -> _Result:
        async with open_store(place) as store:
            return await question(store)

    return asyncio.run(ask())


def granted_to(place: Place, run: RunFolder) -> tuple[Mapping[str, Any], ...]:
    """The overrides that the store keeps for a ``plain`` run; none without a store. Raises ``StoreError``."""
    if run.writes_locally:
        return ()
    try:
        return read(place, lambda store: recorded_here(store, run))
    except NotFoundError:
        return ()


@asynccontextmanager
async def open_store(place: Place) -> AsyncIterator[JobStore]:
    """The store, read-only."""
    store = SQLiteStore(place.store_path, read_only=True)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
