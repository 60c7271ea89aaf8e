"""What does the operator read when an SSH server cannot be reached, is not the known one, or refuses the key?"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.text import safe_text, without_secrets
from exlab_sync_tui.transport.sentences import away
from exlab_sync_tui.transport.ssh.access import DEFAULT_PORT, option_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exlab_sync_tui.transport.ssh.access import SshAccess

_Kind = TransportErrorKind
_LONGEST = 400
OWN_FAILURE = 255
"""Exit status of ``ssh`` for what went wrong with the connection itself (``ssh(1)``)."""

_HOST_KEY = re.compile(
    r"host key verification failed|remote host identification has changed|host key is known|"
    r"no matching host key|certificate invalid|host key for .* has changed|revoked host key",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"permission denied \(|too many authentication failures|no supported authentication methods|"
    r"unprotected private key file|bad permissions|load key .*: |sign_and_send_pubkey",
    re.IGNORECASE,
)
_NO_AGREEMENT = re.compile(r"no matching (cipher|mac|key exchange)|unsupported option|bad configuration", re.IGNORECASE)
_NO_COMMANDS = re.compile(
    r"(exec|shell) request failed on channel|open failed: administratively prohibited", re.IGNORECASE
)
_FULL = re.compile(r"no space left|disk quota exceeded", re.IGNORECASE)
_READ_ONLY = re.compile(r"read-only file system", re.IGNORECASE)


def host_key_error(access: SshAccess, *, expected: Sequence[str], offered: Sequence[str]) -> TransportError:
    """The server is not known, or is not the one that is known; fingerprints as ``ED25519 SHA256:…``."""
    known_hosts = shlex.quote(str(access.known_hosts))
    port = "" if access.port == DEFAULT_PORT else f"-p {access.port} "
    option = shlex.quote(f"UserKnownHostsFile={option_path(access.known_hosts)}")
    accept = f"`exlab-sync doctor --trust-host`, or with `ssh {port}-o {option} {access.user}@{access.host}`"
    shown = _listed(offered) or "a key that could not be read"
    compare = (
        "Ask who runs the NAS, or look there with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`; only if the"
        " fingerprint is the same"
    )
    if not expected:
        return TransportError(
            f"The host key of {access.known_as} is not known: it offers {shown}, and {safe_text(access.known_hosts)}"
            f" has no key of it; nothing was sent. {compare}, accept it with {accept}.",
            _Kind.AUTH,
        )
    if set(expected) & set(offered):
        return TransportError(
            f"The host key of {access.known_as} is refused although it is listed: {safe_text(access.known_hosts)}"
            f" revokes {shown}, or its certificate does not hold; nothing was sent. Ask who runs the NAS for its new"
            " key.",
            _Kind.AUTH,
        )
    forget = f"`ssh-keygen -f {known_hosts} -R {shlex.quote(access.known_as)}`"
    return TransportError(
        f"The host key of {access.known_as} has changed: expected was {_listed(expected)}, it offers {shown}. It may be"
        f" another machine in its place; nothing was sent. {compare}, forget the old key with {forget} and accept the"
        f" new one with {accept}.",
        _Kind.AUTH,
    )


def key_refused(access: SshAccess, why: str) -> TransportError:
    """The account does not let our key in."""
    port = "" if access.port == DEFAULT_PORT else f"-p {access.port} "
    return TransportError(
        f"{access.title} refuses the key {safe_text(access.key)} ({why}); nothing was sent. Let it in with"
        f" `ssh-copy-id {port}-i {shlex.quote(str(access.key))} {access.user}@{access.host}`, or set ssh_key_path.",
        _Kind.AUTH,
    )


def key_missing(access: SshAccess) -> TransportError:
    """There is no key, and no agent that has one."""
    return TransportError(
        f"There is no key {safe_text(access.key)} and no agent that has one, so nobody can log in at {access.title}."
        f" Make one with `ssh-keygen -t ed25519 -f {shlex.quote(str(access.key))}` and let it in on the NAS.",
        _Kind.AUTH,
    )


def about_host_key(said: str) -> bool:
    """Whether ``ssh`` refused the server for its host key."""
    return _HOST_KEY.search(said) is not None


def from_ssh(access: SshAccess, status: int | None, said: str) -> TransportError:
    """The error that the system's ``ssh`` has ended with, from its exit *status* and what it *said* on stderr.

    A command of the far side that failed says so in its own words: only space and rights are told from those.
    """
    why = last_words(said) or f"ssh ended with status {status}"
    if status == OWN_FAILURE:
        if about_host_key(said):
            return host_key_error(access, expected=_offending(said), offered=_offered(said))
        if _REFUSED.search(said):
            return key_refused(access, why)
        if _NO_AGREEMENT.search(said):
            return TransportError(
                f"This PC and {access.title} do not agree on how to talk ({why}); update the older of the two.",
                _Kind.SET_UP,
            )
        return away(access.title, why)
    if _FULL.search(said):
        return TransportError(
            f"{access.title} cannot be written: it is full ({why}). Make room there; it goes on by itself.",
            _Kind.NO_SPACE,
        )
    if _READ_ONLY.search(said):
        return TransportError(
            f"{access.title} is read-only ({why}); make it writable there. It goes on by itself.", _Kind.READ_ONLY
        )
    return TransportError(f"{access.title} ended the work unexpectedly ({why}); it is tried again.", _Kind.UNKNOWN)


def refuses_commands(said: str) -> bool:
    """Whether ``ssh`` got in, and the account runs no commands."""
    return _NO_COMMANDS.search(said) is not None


def last_words(said: str) -> str:
    """The last line that was said and the one before it, safe to show, without banners and empty lines."""
    lines = [line.strip() for line in said.splitlines()]
    telling = [line for line in lines if line and not line.startswith(("@", "Warning: Permanently added"))]
    return without_secrets(" · ".join(telling[-2:]))[-_LONGEST:]


def _offered(said: str) -> list[str]:
    """The fingerprint in ssh's banner of a changed key."""
    found = re.search(r"fingerprint for the (\S+) key sent by the remote host is\s+(SHA256:\S+?)\.?\s", said)
    return [f"{found[1]} {found[2]}"] if found else []


def _offending(said: str) -> list[str]:
    """Where ssh says that the known key stands."""
    found = re.search(r"Offending (\S+) key in (\S+)", said)
    return [f"the {found[1]} key in {safe_text(found[2])}"] if found else []


def _listed(fingerprints: Sequence[str]) -> str:
    return " or ".join(safe_text(each) for each in fingerprints)
