"""What does rclone mean by what it says? Its messages in the classes of ``FORMATS.md`` §6, with file names taken out.

rclone ends with 1 for nearly everything (its documentation, "Exit code"), so the words have to tell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.text import safe_text, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_Kind = TransportErrorKind
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'(?=[\s:]|$)")
_PATH = re.compile(r"(?<=[\s(])/\S.*?(?=: |$)")
_SHOWN = 400

_MEANINGS: tuple[tuple[TransportErrorKind, re.Pattern[str]], ...] = tuple(
    (kind, re.compile("|".join(words), re.IGNORECASE))
    for kind, words in (
        (
            _Kind.AUTH,
            (
                r"unable to authenticate",
                r"knownhosts:",
                r"attempted logon is invalid",
                r"didn't find section in config file",
                r"signaturedoesnotmatch|invalidaccesskeyid|invalid ?accesskey|expiredtoken|invalidtoken",
                r"invalid_grant|invalid_client|couldn't fetch token|token (?:has )?expired|empty token found",
                r"\b401\b.*unauthori[sz]ed|\bunauthori[sz]ed\b",
                r"login incorrect|login failed|authentication (?:failed|error)|bad username or authentication",
                r"failed to (?:read|parse) private key|ssh: no key found|no auth method|passphrase",
                r"x509: |certificate (?:signed by unknown|has expired|is not trusted)",
            ),
        ),
        (
            _Kind.SET_UP,
            (
                r"unable to decrypt configuration|couldn't decrypt configuration|failed to load config",
                r"doesn't support (?:hash|upload)|unknown (?:command|flag)|hash type not supported",
            ),
        ),
        (
            _Kind.NO_SPACE,
            (
                r"no space left|disk (?:is )?full|not enough (?:free )?space|insufficient ?(?:storage|space)|\b507\b",
                r"quota|storage ?limit|status_disk_full|file too large",
            ),
        ),
        (_Kind.READ_ONLY, (r"read-only file ?system|is read[- ]only|\berofs\b",)),
        (
            _Kind.NAMES,
            (r"file ?name too long|name too long|invalid (?:file ?)?name|illegal (?:character|byte sequence|name)",),
        ),
        (_Kind.PERMISSION, (r"permission[ _]denied|access[ _]?denied|\b403\b|operation not permitted|forbidden",)),
        (_Kind.CHANGED, (r"source file is being updated", r"corrupted on transfer: sizes differ")),
        (_Kind.HASH_MISMATCH, (r"corrupted on transfer: .*hash", r"hash(?:es)? differ")),
        (
            _Kind.NETWORK,
            (
                r"connection (?:refused|reset|lost|timed out|aborted)|no such host|i/o timeout|broken pipe|unreachable",
                r"network is down|host is down|no route to host|use of closed network connection|connection closed",
                r"deadline exceeded|\btimeout\b|timed out|server misbehaving|unexpected eof|\beof\b|dial tcp",
                r"\b50[0234]\b|too many requests|\b429\b|slow ?down|service unavailable|tls handshake",
            ),
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Said:
    """One message; *name* is the file that it is about, as rclone called it."""

    text: str
    name: str = ""


def kind_of(said: Iterable[Said], places: Sequence[str] = ()) -> TransportErrorKind:
    """The class that some message stands for, the gravest first; *places* are more paths that it may name."""
    told = [_nameless(message, places) for message in said]
    for kind, meaning in _MEANINGS:
        if any(meaning.search(text) for text in told):
            return kind
    return _Kind.UNKNOWN


def _nameless(said: Said, places: Sequence[str]) -> str:
    text = said.text
    for name in sorted({said.name, *places} - {"", "/"}, key=len, reverse=True):
        text = text.replace(name, "…")
    return _PATH.sub("…", _QUOTED.sub("…", text))


def trouble(title: str, said: Sequence[Said], places: Sequence[str] = (), *, doing: str = "") -> TransportError:
    """The error that these messages are, as a sentence with rclone's own words."""
    kind = kind_of(said, places)
    words = without_secrets(said[-1].text if said else "nothing")[:_SHOWN].strip().rstrip(".")
    name = safe_text(said[-1].name) if said and said[-1].name and said[-1].name not in said[-1].text else ""
    about = f" about {name}" if name else ""
    return TransportError(f"{_WHAT[kind].format(title=title, doing=doing)} rclone said{about}: {words}.", kind)


_WHAT = {
    _Kind.AUTH: "{title} refused us; mend the remote with `rclone config` (key, password, token or known host).",
    _Kind.SET_UP: "rclone on this PC cannot be used with {title} as it is; mend that and runs go on by themselves.",
    _Kind.NO_SPACE: "{title} is full; make room there, it goes on by itself.",
    _Kind.READ_ONLY: "{title} is read-only; make it writable, it goes on by itself.",
    _Kind.NAMES: "{title} cannot take a name of this run; rename it.",
    _Kind.PERMISSION: "{title} may not be written by this account; give it the right to write there.",
    _Kind.CHANGED: "A file of the run changed while rclone read it; it goes back to acquiring.",
    _Kind.HASH_MISMATCH: "A file differs on {title} from what was sent; it is sent again.",
    _Kind.NETWORK: "{title} does not answer, or the connection broke; the runs wait and go on when it is back.",
    _Kind.UNKNOWN: "{title} did not do what rclone was asked for; it is tried again.",
}
