"""How are rsync and commands run on one account? Through the system's ``ssh``, small errands over one open connection.

The words of ``ssh`` stand in little scripts of ours, which rsync calls: so a path with a blank in it is never split.
"""

from __future__ import annotations

import asyncio
import os
import shlex
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError
from exlab_sync_tui.transport.rsync import scripts
from exlab_sync_tui.transport.rsync.names import given, sayable
from exlab_sync_tui.transport.rsync.words import trouble
from exlab_sync_tui.transport.ssh import host_keys
from exlab_sync_tui.transport.ssh.access import ssh_options
from exlab_sync_tui.transport.ssh.words import OWN_FAILURE, about_host_key, from_ssh
from exlab_sync_tui.transport.tools.child import Child
from exlab_sync_tui.transport.tools.found import RSYNC, SSH, path_of, refuse_too_old, version_in
from exlab_sync_tui.transport.tools.room import Room

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from exlab_sync_tui.transport.ssh.access import SshAccess

_SAID = 16 << 10
_READ = 64 << 10
_PROTECTS_BY_ITSELF = (3, 2, 4)
"""From then on rsync protects its arguments from a shell over there without ``-s``, which some servers refuse."""

ALWAYS = ("--from0", "--files-from=-", "-8", "--no-human-readable", "--no-owner", "--no-group")


@dataclass(frozen=True, slots=True)
class Ended:
    """A run of a tool that has ended: status, standard output, standard error."""

    status: int
    out: bytes
    said: str


class Account:
    """One account. Everything raises ``TransportError``."""

    def __init__(self, access: SshAccess, lease_fd: int | None) -> None:
        self.access = access
        self._lease_fd = lease_fd
        self._room: Room | None = None
        self._numbers = 0
        self._master: Child | None = None
        self._opening = asyncio.Lock()
        self._protect: tuple[str, ...] | None = None
        self._shell: bool | None = None
        self.base = b""
        """The root's own path over there, once it is known that the account has a shell."""
        self._children: set[Child] = set()

    def argument(self, folder: str = "") -> str:
        """The root, or a far folder, as rsync's last argument."""
        root = self.access.remote_path.rstrip("/")
        place = f"{root}/{sayable(folder)}/" if folder else f"{root}/"
        return f"{self.access.shown_host}:{place}"

    async def rsync(
        self,
        options: Sequence[str],
        *places: str,
        names: Sequence[str],
        hear: Callable[[bytes], None] | None = None,
        good: Sequence[int] = (0,),
    ) -> Ended:
        """Run rsync for these *names* over the open connection; statuses that are not *good* are raised."""
        ended = await self.run(await self.command(options, places, own_line=False), given(list(names)), hear)
        if ended.status not in good:
            raise trouble(self.access, ended.status, ended.said)
        return ended

    async def command(self, options: Sequence[str], places: Sequence[str], *, own_line: bool) -> list[str]:
        """The argument list; with *own_line* the transfer gets a connection for itself."""
        script = "line" if own_line else "errand"
        await self.connected()
        rsh = str(await asyncio.to_thread(self._script, script))
        return [path_of(RSYNC), *ALWAYS, *(self._protect or ()), "-e", rsh, *options, "--", *places]

    async def run(self, command: Sequence[str], feed: bytes, hear: Callable[[bytes], None] | None = None) -> Ended:
        """Run a tool to its end; *hear* gets its output piece by piece instead of it being kept."""
        async with self.running(command) as child:
            out: list[bytes] = []
            feeding = asyncio.create_task(child.feed(feed))
            saying = asyncio.create_task(_tail(child))
            try:
                while piece := await child.out.read(_READ):
                    (hear or out.append)(piece)
                status = await child.wait()
                said = await saying
            finally:
                for task in (feeding, saying):
                    task.cancel()
                await asyncio.gather(feeding, saying, return_exceptions=True)
            return Ended(status, b"".join(out), said)

    @asynccontextmanager
    async def running(self, command: Sequence[str]) -> AsyncIterator[Child]:
        """A tool that is killed with its group when it is left."""
        child = await Child.start(command, lease_fd=self._lease_fd, feed=True)
        self._children.add(child)
        try:
            yield child
        finally:
            self._children.discard(child)
            await child.end()

    async def shell(self, script: str, *words: str, feed: bytes = b"") -> Ended:
        """Run a script of ours with *words* as its arguments in the account's shell."""
        await self.connected()
        remote = "exec " + shlex.join(["sh", "-c", script, "sh", *words])
        ended = await self.run(self.over_connection(remote), feed)
        if ended.status == OWN_FAILURE:
            raise from_ssh(self.access, ended.status, ended.said)
        return ended

    async def has_shell(self) -> bool:
        """Whether the account runs commands, or nothing but rsync; asked once."""
        if self._shell is None:
            ended = await self.shell(scripts.START, self.access.remote_path)
            told, _, self.base = ended.out.rstrip(b"\n").partition(b"\n")
            self._shell = told == b"exlab-shell"
            if self._shell and not self.base:
                self._shell = None
                raise trouble(self.access, ended.status, ended.said)
        return self._shell

    async def connected(self) -> None:
        """See to the tools and to an open connection over which errands go."""
        async with self._opening:
            if self._protect is None:
                await self._look_at_tools()
            if self._master is None or self._master.status is not None:
                await self._open()

    async def _look_at_tools(self) -> None:
        path_of(SSH)
        told = await self.run([path_of(RSYNC), "--version"], b"")
        version = version_in(told.out.decode(errors="replace"))
        refuse_too_old(RSYNC, version)
        self._protect = ("-s",) if version is not None and version < _PROTECTS_BY_ITSELF else ()

    async def _open(self) -> None:
        if self._master is not None:
            await self._master.end()
        socket = self.room() / "master"
        with suppress(FileNotFoundError):
            socket.unlink()
        master = await Child.start(self._ssh("-N", "-o", "ControlMaster=yes", *self._over_master()))
        self._master = master
        ended = asyncio.create_task(master.wait())
        try:
            while not socket.exists():  # ssh offers no other sign
                if ended.done():
                    said = (await master.err.read()).decode(errors="replace")
                    if about_host_key(said):
                        raise await host_keys.look(self.access)
                    raise from_ssh(self.access, master.status, said)
                await asyncio.wait({ended}, timeout=0.01)
        finally:
            ended.cancel()

    def _ssh(self, *options: str, remote: str = "") -> list[str]:
        """The words of ssh; of an option that is said twice the first counts (ssh_config(5))."""
        words = [path_of(SSH), *options, *ssh_options(self.access), "-l", self.access.user, "--", self.access.host]
        return [*words, remote] if remote else words

    def over_connection(self, remote: str) -> list[str]:
        """The argument list that runs a line over there by way of the open connection."""
        return self._ssh(*self._over_master(), remote=remote)

    def _over_master(self) -> tuple[str, ...]:
        return ("-o", f"ControlPath={self.room() / 'master'}")

    def room(self) -> Path:
        """A private folder, whose path has no blanks and is short enough for a socket."""
        if self._room is None:
            self._room = Room()
        return self._room.path

    def fresh(self, kind: str) -> Path:
        """A new folder in there."""
        self._numbers += 1
        folder = self.room() / f"{kind}-{self._numbers}"
        folder.mkdir()
        return folder

    def _script(self, name: str) -> Path:
        path = self.room() / name
        if not path.exists():
            options = ssh_options(self.access)
            if name == "errand":
                options = [*self._over_master(), *options]
            words = shlex.join([path_of(SSH), *options, "-l", self.access.user])
            path.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
            path.chmod(0o700)
        return path

    async def end_children(self) -> None:
        """Kill what is running."""
        await asyncio.gather(*(child.end() for child in list(self._children)), return_exceptions=True)

    async def hang_up(self) -> None:
        """End the open connection, which may stand still; the next errand opens another. Idempotent."""
        master, self._master = self._master, None
        if master is not None:
            await master.end()

    async def close(self) -> None:
        """End the open connection and all that runs; idempotent."""
        await self.end_children()
        await self.hang_up()
        room, self._room = self._room, None
        if room is not None:
            await asyncio.to_thread(room.close)


async def _tail(child: Child) -> str:
    said = b""
    while more := await child.err.read(_READ):
        said = (said + more)[-_SAID:]
    return said.decode(errors="replace")


def make_parents(top: Path, rels: Sequence[str]) -> None:
    """The folders above these paths, below *top*: rsync enters only folders that exist here too."""
    for folder in sorted({os.path.dirname(rel) for rel in rels}):  # noqa: PTH120  # names of any bytes
        (top / folder).mkdir(parents=True, exist_ok=True)


__all__ = ["Account", "Ended", "TransportError", "make_parents"]
