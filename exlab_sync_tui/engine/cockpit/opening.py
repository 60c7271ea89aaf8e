"""Host or attach? Chooses by whether another engine drives the state folder."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from exlab_sync_tui.engine.cockpit.attached import Attached
from exlab_sync_tui.engine.cockpit.hosted import Hosted
from exlab_sync_tui.engine.statelock import is_taken
from exlab_sync_tui.errors import EngineRunningError, NotFoundError
from exlab_sync_tui.queue.sqlite import SQLiteStore

if TYPE_CHECKING:
    from exlab_sync_tui.engine.client import NASSyncClient
    from exlab_sync_tui.engine.cockpit.view import Cockpit


async def open_cockpit(client: NASSyncClient, *, watch: bool = False) -> Cockpit:
    """A started cockpit: around *client*, which is not started yet, if the lock is free; else onto the other engine.

    An engine that is heard is attached to at once; one that holds the lock and is silent may be ending, or be a verb
    that is done in a moment, so its lock is waited for, and only then it is attached to. *watch*: an
    engine that is hosted looks at the folders by itself. Raises ``StateFolderError``, ``StoreError``.
    """
    if await asyncio.to_thread(is_taken, client.blueprint.queue_db.parent):
        attached = await _attach(client)
        if attached is not None:
            if (await attached.pulse()).alive:
                return attached
            await attached.stop()
    hosted = Hosted(client, watch=watch)
    try:
        await hosted.start()
    except EngineRunningError:
        attached = await _attach(client)
        if attached is None:
            raise
        return attached
    return hosted


async def _attach(client: NASSyncClient) -> Attached | None:
    plan = client.blueprint
    roots = {item.id: item.folder for item in plan.settings.equipment}
    attached = Attached(SQLiteStore(plan.queue_db, attached=True), plan.clock, roots)
    try:
        await attached.start()
    except NotFoundError:
        return None
    return attached
