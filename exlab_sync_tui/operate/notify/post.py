"""How does a message leave? Through apprise, to a URL that may stand in the environment, a file or the keyring."""

from __future__ import annotations

import logging
import os
import re
import shlex
import stat
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from exlab_sync_tui.errors import NotifyError
from exlab_sync_tui.settings.operating import is_reference
from exlab_sync_tui.text import safe_text, without_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exlab_sync_tui.operate.notify.notice import Notice
    from exlab_sync_tui.settings.operating import NotifyTarget

INSTALL = f"{shlex.quote(sys.executable)} -m pip install apprise keyring"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SHORTEST_SECRET = 4


def resolve(target: NotifyTarget, environ: Mapping[str, str] = os.environ) -> str:
    """The URL itself. Raises ``NotifyError`` if the place that was named does not have it, or shows it to others."""
    kind, _, place = target.url.partition(":")
    if not is_reference(target.url):
        return target.url
    found = {"env": _from_environment, "file": _from_file, "keyring": _from_keyring}[kind](place, environ)
    if "://" not in found:
        raise NotifyError(f"{safe_text(target.name)}: what stands at {safe_text(target.url)} is no URL of apprise.")
    return found


def _from_environment(name: str, environ: Mapping[str, str]) -> str:
    if not environ.get(name):
        raise NotifyError(f"The environment has no {name}; set it where the engine is started.")
    return environ[name].strip()


def _from_file(place: str, _environ: Mapping[str, str]) -> str:
    path = Path(place)
    shown = safe_text(place)
    try:
        if os.name == "posix" and path.stat().st_mode & _OTHERS:
            raise NotifyError(f"{shown} can be read by others; `chmod 600 {shown}` keeps its secret.")
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise NotifyError(f"{shown} cannot be read: {reason}.") from error


def _from_keyring(place: str, _environ: Mapping[str, str]) -> str:
    if find_spec("keyring") is None:
        raise NotifyError(f"The keyring needs the package keyring: {INSTALL}")
    import keyring  # noqa: PLC0415  # optional
    from keyring.errors import KeyringError  # noqa: PLC0415

    service, _, user = place.partition("/")
    try:
        found = keyring.get_password(service, user)
    except KeyringError as error:
        raise NotifyError(f"The keyring does not answer: {safe_text(error)}.") from error
    if not found:
        shown = f"{safe_text(service)} {safe_text(user)}"
        raise NotifyError(f"The keyring has no entry for {safe_text(place)}; `keyring set {shown}` makes one.")
    return found.strip()


def send(target: NotifyTarget, notice: Notice, environ: Mapping[str, str] = os.environ) -> None:
    """Send one message; blocks, for a thread. Raises ``NotifyError`` with what apprise says, without secrets."""
    if find_spec("apprise") is None:
        raise NotifyError(f"Notifications need the package apprise: {INSTALL}")
    import apprise  # noqa: PLC0415  # optional, and slow to import

    url = resolve(target, environ)
    sender = apprise.Apprise()
    with apprise.LogCapture(level=logging.INFO) as said:  # type: ignore[no-untyped-call]
        if not sender.add(url):
            raise NotifyError(
                f"{safe_text(target.name)}: {_told(said.getvalue(), url, target) or 'apprise knows no such URL'}."
            )
        done = sender.notify(
            title=notice.title, body=notice.body, body_format=apprise.NotifyFormat.TEXT, interpret_escapes=False
        )
        if not done:
            reason = _told(said.getvalue(), url, target) or "the message was not accepted"
            raise NotifyError(f"{safe_text(target.name)}: {reason}.")


def _told(log: str, url: str, target: NotifyTarget) -> str:
    """The last line that apprise wrote, without any piece of the URL that could be a secret."""
    lines = [line for line in log.splitlines() if line.strip()]
    if not lines:
        return ""
    text = without_secrets(lines[-1].split(" - ", 2)[-1])  # time - level - words
    if url == target.url:
        return text.strip().rstrip(".")  # it stands in the configuration, so there is no secret in it
    pieces = {piece for part in re.split(r"[/:@?&=]+", url) for piece in (part, unquote(part))}
    for piece in sorted(pieces, key=len, reverse=True):
        if len(piece) >= _SHORTEST_SECRET and piece not in {"json", "mailto"}:
            text = text.replace(piece, "***")
    return text.strip().rstrip(".")
