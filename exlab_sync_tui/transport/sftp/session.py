"""How is the control connection made, and kept? asyncssh, strict about host keys, asking nobody for a password."""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncssh

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.text import safe_text, without_secrets
from exlab_sync_tui.transport.sentences import away, far_error
from exlab_sync_tui.transport.ssh.access import DEFAULT_PORT, QUICK_CIPHER, has_aes
from exlab_sync_tui.transport.ssh.words import host_key_error, key_missing, key_refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exlab_sync_tui.transport.ssh.access import SshAccess

_READ_ONLY = 0x1
"""``ST_RDONLY`` in the flags of ``statvfs@openssh.com`` (OpenSSH PROTOCOL, 4.4)."""

_NUMBERS: dict[int, int] = {
    asyncssh.FX_NO_SUCH_FILE: errno.ENOENT,
    asyncssh.FX_NO_SUCH_PATH: errno.ENOENT,
    asyncssh.FX_PERMISSION_DENIED: errno.EACCES,
    asyncssh.FX_NO_CONNECTION: errno.ENOTCONN,
    asyncssh.FX_CONNECTION_LOST: errno.ECONNRESET,
    asyncssh.FX_OP_UNSUPPORTED: errno.ENOTSUP,
    asyncssh.FX_FILE_ALREADY_EXISTS: errno.EEXIST,
    asyncssh.FX_WRITE_PROTECT: errno.EROFS,
    asyncssh.FX_NO_SPACE_ON_FILESYSTEM: errno.ENOSPC,
    asyncssh.FX_QUOTA_EXCEEDED: errno.EDQUOT,
    asyncssh.FX_DIR_NOT_EMPTY: errno.ENOTEMPTY,
    asyncssh.FX_NOT_A_DIRECTORY: errno.ENOTDIR,
    asyncssh.FX_INVALID_FILENAME: errno.EINVAL,
    asyncssh.FX_LINK_LOOP: errno.ELOOP,
    asyncssh.FX_FILE_IS_A_DIRECTORY: errno.EISDIR,
}
"""What the codes of the protocol (draft-ietf-secsh-filexfer) mean in the words of the system."""

_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Space:
    """What ``statvfs`` tells of a far file system; bytes."""

    free: int
    total: int
    read_only: bool
    longest_name: int


class Session:
    """One connection with one SFTP channel. Paths are bytes, absolute. Every failure is a ``TransportError``."""

    def __init__(self, access: SshAccess, connection: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient) -> None:
        self.access = access
        self.sftp = sftp
        self._connection = connection
        self.root = b""
        self.round_trip = 0.0
        """Seconds that one question took."""

    @classmethod
    async def open(cls, access: SshAccess) -> Session:
        """Connect, log in, and find the remote root (which need not be there)."""
        connection = await _connected(access)
        try:
            async with asyncio.timeout(access.connect_seconds):
                sftp = await connection.start_sftp_client(path_encoding=None)
                session = cls(access, connection, sftp)
                session.root = await session._absolute_root()
        except (asyncssh.Error, OSError) as error:
            connection.abort()
            raise session_error(access, error) from error
        except BaseException:
            connection.abort()
            raise
        return session

    async def _absolute_root(self) -> bytes:
        """The root as the server spells it; one that is not there yet is left as it is written."""
        root = os.fsencode(self.access.remote_path)
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        try:
            found = await self.sftp.realpath(root)
            self.round_trip = loop.time() - asked_at
        except asyncssh.SFTPError as error:
            if number_of(error) != errno.ENOENT:
                raise
            found = await self.sftp.realpath(b".") + b"/" + root if not root.startswith(b"/") else root
        assert isinstance(found, bytes)  # noqa: S101  # it answers in the type that it was asked in
        return found.rstrip(b"/")

    @property
    def alive(self) -> bool:
        """Whether it can still be used."""
        return not self._connection.is_closed()

    @property
    def cipher(self) -> str:
        """What encrypts it: ``aes128-gcm@openssh.com``."""
        return str(self._connection.get_extra_info("send_cipher") or "")

    @property
    def server(self) -> str:
        """What the server calls itself: ``OpenSSH_9.2p1``."""
        said = str(self._connection.get_extra_info("server_version") or "")
        return safe_text(said.removeprefix("SSH-2.0-").partition(" ")[0])

    def path(self, rel: str) -> bytes:
        """The absolute path of what lies at *rel* below the root."""
        return self.root + b"/" + os.fsencode(rel) if rel else self.root or b"/"

    async def space(self, path: bytes = b"") -> Space | None:
        """Room on the file system of *path* (the root); nothing where the server does not tell."""
        try:
            told = await self.sftp.statvfs(path or self.root or b"/")
        except asyncssh.SFTPError:
            return None
        unit = told.frsize or told.bsize or 1
        return Space(
            (told.bavail or 0) * unit,
            (told.blocks or 0) * unit,
            bool((told.flags or 0) & _READ_ONLY),
            told.namemax or _LONGEST_NAME,
        )

    async def explained(self, error: asyncssh.Error | OSError, rel: str, *, naming: bool = False) -> TransportError:
        """The sentence for an *error* at *rel*; for a mere "failure" the figures of the file system tell what it is."""
        if not isinstance(error, asyncssh.SFTPError):
            return session_error(self.access, error)
        number, space = number_of(error), None
        if number in {0, errno.ENOSPC, errno.EDQUOT, errno.EACCES} and self.alive:
            with suppress(asyncssh.Error, OSError):
                space = await self.space()
        if space is not None and space.read_only and number in {0, errno.EACCES}:
            number = errno.EROFS
        if not number and space is not None and space.free < _NEARLY_FULL:
            number = errno.ENOSPC
        if not number:
            place = f"{self.access.title}/{safe_text(rel)}" if rel else self.access.title
            said = without_secrets(error.reason or "it gave no reason")
            return TransportError(
                f"{place} was refused by the server ({said}); it is tried again.", TransportErrorKind.UNKNOWN
            )
        free = None if space is None else space.free
        return far_error(OSError(number, os.strerror(number)), self.access.title, rel, free=free, naming=naming)

    def abort(self) -> None:
        """Give it up at once; whoever still uses it is told that it was lost. Idempotent."""
        self._connection.abort()

    async def close(self) -> None:
        """End it; idempotent."""
        self.abort()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._connection.wait_closed(), 1)


_NEARLY_FULL = 1 << 20
"""Bytes below which a server that refuses without a reason is taken to be full."""


_SAID = {
    "name too long": errno.ENAMETOOLONG,
    "no space left": errno.ENOSPC,
    "quota exceeded": errno.EDQUOT,
    "read-only file system": errno.EROFS,
}
"""What a server means that has no code for it and uses the system's words."""


def number_of(error: asyncssh.SFTPError) -> int:
    """The system's number for what an SFTP server answered, 0 for a mere failure."""
    number, said = _NUMBERS.get(error.code, 0), error.reason.lower()
    return number or next((meant for words, meant in _SAID.items() if words in said), 0)


def session_error(access: SshAccess, error: asyncssh.Error | OSError) -> TransportError:
    """What went wrong with the connection itself, in a sentence."""
    if isinstance(error, asyncssh.PermissionDenied):
        return key_refused(access, "no key was accepted") if access.key.exists() else key_missing(access)
    if isinstance(error, asyncssh.KeyExchangeFailed | asyncssh.ProtocolNotSupported):
        return TransportError(
            f"This PC and {access.title} do not agree on how to talk ({safe_text(error.reason)}); update the older of"
            " the two.",
            TransportErrorKind.SET_UP,
        )
    if isinstance(error, asyncssh.ChannelOpenError):
        return TransportError(
            f"{access.title} opens no SFTP session ({safe_text(error.reason)}): the account may have none, or too many"
            " are open. It goes on by itself.",
            TransportErrorKind.SET_UP,
        )
    if isinstance(error, asyncssh.Error):
        return away(access.title, safe_text(error.reason) or "the connection ended")
    if isinstance(error, TimeoutError):
        return away(access.title, f"no answer within {access.connect_seconds} s")
    return away(access.title, safe_text(error.strerror or error))


async def _connected(access: SshAccess) -> asyncssh.SSHClientConnection:
    known = await asyncio.to_thread(_known_hosts, access)
    seen: list[str] = []

    class Client(asyncssh.SSHClient):
        """Remembers the key of a host that is not known."""

        def validate_host_public_key(self, _host: str, _addr: str, _port: int, key: asyncssh.SSHKey) -> bool:
            """It is never accepted."""
            seen.append(f"{_kind(key)} {key.get_fingerprint()}")
            return False

    own_key = access.key.exists()
    try:
        async with asyncio.timeout(access.connect_seconds):
            return await asyncssh.connect(
                access.host,
                () if access.port == DEFAULT_PORT else access.port,
                config=() if access.config is None else [str(access.config)],
                client_factory=Client,
                username=access.user,
                client_keys=[str(access.key)] if own_key else (),
                ignore_encrypted=True,
                known_hosts=known,
                preferred_auth="publickey",
                password_auth=False,
                kbdint_auth=False,
                gss_auth=False,
                gss_kex=False,
                agent_forwarding=False,
                encryption_algs=f"^{QUICK_CIPHER}" if has_aes() else (),
                compression_algs=["none"],
                keepalive_interval=access.alive_seconds,
                keepalive_count_max=access.alive_count,
            )
    except (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed) as error:
        expected = list(dict.fromkeys(_expected(access, known)))
        if isinstance(error, asyncssh.KeyExchangeFailed):
            seen += await _offered(access) if expected and "host key" in error.reason else []
            if not seen:
                raise session_error(access, error) from error
        elif not seen:  # a key that is revoked is not even asked about
            seen += await _offered(access)
        raise host_key_error(access, expected=expected, offered=seen) from error
    except asyncssh.KeyImportError as error:
        raise key_refused(access, f"the key file cannot be used: {safe_text(error)}") from error
    except (asyncssh.Error, OSError) as error:
        raise session_error(access, error) from error


def _known_hosts(access: SshAccess) -> bytes:
    """The file's content; one that is not there knows nobody, which is not the same as trusting everybody."""
    try:
        return access.known_hosts.read_bytes() + b"\n"
    except FileNotFoundError:
        return b"\n"
    except OSError as error:
        raise TransportError(
            f"{safe_text(access.known_hosts)} cannot be read ({safe_text(error.strerror)}), so no host key can be"
            " compared; give this account the right to read it.",
            TransportErrorKind.AUTH,
        ) from error


def _expected(access: SshAccess, known: bytes) -> Iterator[str]:
    port = None if access.port == DEFAULT_PORT else access.port
    keys, authorities, revoked, *_ = asyncssh.match_known_hosts(known, access.host, "", port)
    for key in (*keys, *authorities, *revoked):
        yield f"{_kind(key)} {key.get_fingerprint()}"


async def _offered(access: SshAccess) -> list[str]:
    """The key of a server that has none of the kind that is known."""
    try:
        async with asyncio.timeout(access.connect_seconds):
            key = await asyncssh.get_server_host_key(access.host, access.port, config=None)
    except (asyncssh.Error, OSError):
        return []
    return [f"{_kind(key)} {key.get_fingerprint()}"] if key else []


def _kind(key: asyncssh.SSHKey) -> str:
    return key.get_algorithm().removeprefix("ssh-").upper()
