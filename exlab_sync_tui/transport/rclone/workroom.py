"""What has to lie on this PC's disk for a moment, so that rclone can be told any path and any name?

A list of names as rclone's ``FilesFromRaw`` reads it (its bytes are not bound to UTF-8, as JSON is), a small file to
send, and a link to the run folder, so that no part of its own path has to be put into rclone's words.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

from exlab_sync_tui.transport.rclone.names import sayable, standard
from exlab_sync_tui.transport.tools.room import Room

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.transport.rclone.remote import Remote

_AS_IT_IS = ":local,encoding=None:"
"""A folder of this PC whose names are taken as they are."""


class Workroom:
    """A private folder, made when it is needed; and what is done through it."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._room: Room | None = None
        self._numbers = count(1)

    @contextmanager
    def entrance(self, source: Path) -> Iterator[str]:
        """The run folder under a name that rclone can be told."""
        link = self._fresh("run")
        link.symlink_to(source.absolute(), target_is_directory=True)
        try:
            yield f"{_AS_IT_IS}{link}"
        finally:
            link.unlink()

    @contextmanager
    def names(self, records: Sequence[FileRecord] | Sequence[str]) -> Iterator[str]:
        """A file that lists these files."""
        rels = [record if isinstance(record, str) else record.rel for record in records]
        listing = self._fresh("names")
        listing.write_bytes(b"".join(os.fsencode(standard(rel)) + b"\n" for rel in rels))
        try:
            yield str(listing)
        finally:
            listing.unlink()

    async def delete(self, folder: str, rels: Sequence[str]) -> None:
        """Remove files below a far folder; absent ones are fine."""
        with self.names(rels) as names:
            fs = self._remote.fs_of(folder)
            await self._remote.daemon.call("operations/delete", fs=fs, _filter={"FilesFromRaw": [names]})

    async def move(self, folder: str, target: str, rel: str) -> None:
        """Move one file from one far folder into another; one that is there is not replaced."""
        with self.names([rel]) as names:
            await self._remote.daemon.call(
                "sync/move",
                srcFs=self._remote.fs_of(folder),
                dstFs=self._remote.fs_of(target),
                _filter={"FilesFromRaw": [names]},
                _config={"Immutable": True},
            )

    async def put(self, path: str, data: bytes) -> None:
        """Write a small far file, which is whole or absent under its name; an older one of ours is replaced."""
        place = self._fresh("text")
        place.write_bytes(data)
        try:
            offer = await self._remote.offer()
            target = sayable(path)
            folder, slash, name = target.rpartition("/")
            first = f"{folder}{slash}.{name[:100]}.exlab-part" if offer.renames_files else target
            source = f"{_AS_IT_IS}{place.parent}"
            always = {"IgnoreTimes": True}
            fs = self._remote.fs
            await self._remote.daemon.call(
                "operations/copyfile", srcFs=source, srcRemote=place.name, dstFs=fs, dstRemote=first, _config=always
            )
            if first != target:
                await self._remote.daemon.call(
                    "operations/movefile", srcFs=fs, srcRemote=first, dstFs=fs, dstRemote=target, _config=always
                )
        finally:
            place.unlink()

    def close(self) -> None:
        """Remove the folder; idempotent."""
        room, self._room = self._room, None
        if room is not None:
            room.close()

    def _fresh(self, kind: str) -> Path:
        if self._room is None:
            self._room = Room()
        return self._room.path / f"{kind}-{next(self._numbers)}"
