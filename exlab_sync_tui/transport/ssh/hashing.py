"""How does a NAS without Python compute SHA-256? With the fastest of its own tools, in one command fed with names.

Names go in NUL-separated on stdin and become arguments by ``xargs -0``: none is ever part of a shell's line. The
command lives as long as it is needed; nothing is started for a single file.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
import shlex
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.transport.ssh.access import ssh_command
from exlab_sync_tui.transport.ssh.words import OWN_FAILURE, from_ssh, last_words, refuses_commands

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exlab_sync_tui.transport.ssh.access import SshAccess

TOOLS = ("openssl dgst -sha256 -r", "sha256sum", "shasum -a 256", "busybox sha256sum")
"""All print ``<hex> *<name>`` or ``<hex>  <name>``; some escape a backslash or a newline and mark the line."""

_LIKELY = 2
"""So many of the first ones are tried twice, the others only where none of these works: they are never faster."""

_TRIED_WITH = 8 << 20
_READ = 64 << 10
_SAID = 16 << 10
_PATIENCE = 30
_LEFT_OUT = ("/volume[0-9]*", "/volume[0-9]*/homes", "/share", "/share/*", "/mnt", "/mnt/*", "/data", "/srv")
"""As ``agent.LEFT_OUT``: what a NAS may leave out of the paths that its SFTP server shows."""

_TRY = """
nonce=$1; path=$2; probe=$3; here=; works=
for place in "$path" {places} "$HOME/$path"; do
  [ -e "$place/$probe" ] || continue
  if [ -z "$here" ]; then here=$place
  elif [ "$place/$probe" -ef "$here/$probe" ]; then continue
  else echo "the folder has a copy that cannot be told from it" >&2; exit 3
  fi
done
[ -n "$here" ] || {{ echo "the folder is not where SFTP shows it" >&2; exit 3; }}
cd -- "$here" || exit 3
LC_ALL=C; export LC_ALL
printf '%s\\n' "$nonce start"
{tries}
read -r tool || exit 0
printf '%s\\n' "$nonce ready"
while read -r count; do
  case $count in 0) sync -f . 2>/dev/null || sync; printf '\\n%s\\n' "$nonce end"; continue ;; esac
  case $tool in
{cases}
  esac
  printf '\\n%s\\n' "$nonce end"
done
"""
_TRY_ONE = "if {unless}head -c {bytes} /dev/zero | {tool} >/dev/null 2>&1; then works=yes; printf '%s\\n' \"$nonce tool {number}\"; else printf '%s\\n' \"$nonce no\"; fi"  # noqa: E501
_UNLESS_ONE_WORKS = '[ -z "$works" ] && '
_CASE = '  {number}) head -c "$count" | xargs -0 {tool} 2>/dev/null ;;'
_LINE = re.compile(rb"(\\?)([0-9a-f]{64}) [ *]")


class NoHasherError(Exception):
    """The account can run none of the tools where the files lie; the text says why."""


@dataclass(frozen=True, slots=True)
class _Tried:
    tool: int
    seconds: float


class FarHasher:
    """One long-lived command in a far folder. Raises ``TransportError`` when the connection is lost."""

    def __init__(self, access: SshAccess, process: asyncio.subprocess.Process, nonce: str) -> None:
        self._access = access
        self._process = process
        self._nonce = nonce.encode()
        self._data = bytearray()
        self._said = bytearray()
        self._asking = asyncio.Lock()
        self._words = asyncio.create_task(self._listen_to_words())
        self.tool = ""

    @classmethod
    async def open(
        cls,
        access: SshAccess,
        path: str,
        probe: str,
        content: bytes = b"",
        *,
        command: Callable[[str], list[str]] | None = None,
    ) -> FarHasher:
        """Start it in the folder that SFTP calls *path*, in which the file *probe* has this *content*.

        The fastest tool is chosen. *command* gives the argument list that runs a line over there; without it there is a
        connection for this alone.

        Raises ``NoHasherError`` if there is none or no command may be run, ``TransportError`` if it is not reached.
        """
        script = _script()
        nonce = secrets.token_hex(16)
        line = "exec " + shlex.join(["sh", "-c", script, "sh", nonce, path, probe])
        try:
            process = await asyncio.create_subprocess_exec(
                *(ssh_command(access, [line]) if command is None else command(line)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # ctrl+c is for the engine
            )
        except OSError as error:
            raise NoHasherError(f"ssh cannot be started here ({error.strerror})") from error
        hasher = cls(access, process, nonce)
        try:
            async with asyncio.timeout(access.connect_seconds + _PATIENCE):
                await hasher._choose(os.fsencode(probe), hashlib.sha256(content).digest())
        except TimeoutError:
            await hasher.close()
            raise NoHasherError("it did not answer when a command was sent") from None
        except BaseException:
            await hasher.close()
            raise
        return hasher

    async def digests(self, names: Sequence[bytes]) -> list[bytes | None]:
        """SHA-256 of each file below the folder, in the same order; ``None`` for one that is absent or unreadable."""
        if not names:
            return []
        given = b"".join(b"./" + name + b"\0" for name in names)
        async with self._asking:
            self._write(b"%d\n" % len(given) + given)
            answer = await self._until(b"\n" + self._nonce + b" end\n")
        return parsed(answer, [b"./" + name for name in names])

    async def flush(self) -> None:
        """Make everything that was written there outlast a power cut (``sync -f``, else ``sync``)."""
        async with self._asking:
            self._write(b"0\n")
            await self._until(b"\n" + self._nonce + b" end\n")

    async def close(self) -> None:
        """End it; idempotent."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._words.cancel()
        await asyncio.gather(self._words, return_exceptions=True)
        await self._process.wait()

    async def _choose(self, probe: bytes, digest: bytes) -> None:
        """Take the tool that needed the least time for a few MiB; the connection's own delay is in none of them."""
        await self._until(self._nonce + b" start\n")
        tried: list[_Tried] = []
        for number in _order():
            begun = time.perf_counter()
            line = await self._until(b"\n")
            if line.endswith(b" tool %d" % number):
                tried.append(_Tried(number, time.perf_counter() - begun))
        if not tried:
            raise NoHasherError(f"none of {', '.join(tool.split()[0] for tool in TOOLS)} works there")
        best = min(tried, key=lambda each: each.seconds)
        self._write(b"%d\n" % best.tool)
        await self._until(self._nonce + b" ready\n")
        if await self.digests([probe]) != [digest]:
            raise NoHasherError("the folder is not where SFTP shows it, or the tool's answers cannot be read")
        self.tool = TOOLS[best.tool]

    async def _until(self, mark: bytes) -> bytes:
        """What comes before *mark*."""
        assert self._process.stdout is not None  # noqa: S101  # it was started with a pipe
        searched = 0
        while (at := self._data.find(mark, searched)) < 0:
            searched = max(len(self._data) - len(mark), 0)
            more = await self._process.stdout.read(_READ)
            if not more:
                await self._give_up()
            self._data += more
        found = bytes(self._data[:at])
        del self._data[: at + len(mark)]
        return found

    async def _give_up(self) -> None:
        status = await self._process.wait()
        await asyncio.gather(self._words, return_exceptions=True)
        said = self._said.decode(errors="replace")
        if self.tool or (status == OWN_FAILURE and not refuses_commands(said)):
            raise from_ssh(self._access, status, said)
        raise NoHasherError(last_words(said) or f"the command ended with status {status}")

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101  # it was started with a pipe
        with suppress(ConnectionError, RuntimeError):  # a lost connection is noticed where the answer is read
            self._process.stdin.write(data)

    async def _listen_to_words(self) -> None:
        assert self._process.stderr is not None  # noqa: S101  # it was started with a pipe
        while more := await self._process.stderr.read(_READ):
            self._said = (self._said + more)[-_SAID:]


def parsed(answer: bytes, names: Sequence[bytes]) -> list[bytes | None]:
    """The digests in a tool's answer. It answers in the order of the names and leaves out what it cannot read.

    A name may contain anything, a newline too, so each is looked for as a whole where it must stand.
    """
    found: list[bytes | None] = []
    at = 0
    for name in names:
        line = _LINE.match(answer, at)
        written = _escaped(name) if line and line[1] else name
        if line and answer.startswith(written + b"\n", line.end()):
            found.append(bytes.fromhex(line[2].decode()))
            at = line.end() + len(written) + 1
        else:
            found.append(None)
    return found


def _escaped(name: bytes) -> bytes:
    return name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")


def _order() -> list[int]:
    """Which tools are tried, one after the other: a single try says little where the machine has other work too."""
    return [*range(len(TOOLS[:_LIKELY])), *range(len(TOOLS))]


def _script() -> str:
    places = " ".join(f'{place}"$path"' for place in _LEFT_OUT)
    tries = "\n".join(
        _TRY_ONE.format(
            bytes=_TRIED_WITH, tool=TOOLS[number], number=number, unless=_UNLESS_ONE_WORKS if number >= _LIKELY else ""
        )
        for number in _order()
    )
    cases = "\n".join(_CASE.format(tool=tool, number=number) for number, tool in enumerate(TOOLS))
    return _TRY.format(places=places, tries=tries, cases=cases)
