"""Who is told, and who may measure? The blocks ``notify`` and ``metrics``."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from exlab_sync_tui.settings.bandwidth import ClockTime  # noqa: TC001  # pydantic reads it at run time
from exlab_sync_tui.settings.block import AbsolutePath, Block, Number, Text, looks_secret, objection

Occasion = Literal["failed", "blocked", "conflict", "away", "mismatch", "disk", "digest"]
OCCASIONS: tuple[Occasion, ...] = ("failed", "blocked", "conflict", "away", "mismatch", "disk", "digest")

_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/.+|keyring:[^/\s]+/\S+")
_SECRETLESS = frozenset(
    {
        *("mailto", "mailtos", "json", "jsons", "xml", "xmls", "form", "forms", "syslog"),
        *("dbus", "gnome", "glib", "kde", "qt", "macosx", "windows"),
    }
)
_BY_REFERENCE = "give it by reference instead: env:NAME, file:/path or keyring:service/user"


def is_reference(url: str) -> bool:
    """Whether the URL stands somewhere else: in the environment, a file or the keyring."""
    return _REFERENCE.fullmatch(url) is not None


def _no_secret_in_the_clear(url: str) -> str:
    if is_reference(url):
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        raise objection("is no URL of apprise, such as mailto://smtp.example.org?to=lab@example.org") from None
    if not parts.scheme or "://" not in url:
        raise objection("is no URL of apprise, such as mailto://smtp.example.org?to=lab@example.org")
    if parts.scheme not in _SECRETLESS:
        raise objection(f"a URL of this service has a secret in it; {_BY_REFERENCE}")
    named = (name for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    if parts.password is not None or any(looks_secret(name) or name in {"pass", "auth"} for name in named):
        raise objection(f"has a secret in it; {_BY_REFERENCE}")
    return url


def _nothing_is_nobody(value: object) -> object:
    return () if value is None else value


class NotifyTarget(Block):
    """Somebody, or something, to be told."""

    name: Text
    """How the target is called in sentences and by `notify test NAME`."""
    url: Annotated[Text, AfterValidator(_no_secret_in_the_clear)]
    """A URL of apprise; one with a secret in it stands elsewhere: env:NAME, file:/path or keyring:service/user."""
    events: tuple[Occasion, ...] = OCCASIONS
    """What it is told of: failed, blocked, conflict, away, mismatch, disk, digest."""


class NotifyBlock(Block):
    """Telling people and programs elsewhere, with the package apprise."""

    targets: Annotated[tuple[NotifyTarget, ...], BeforeValidator(_nothing_is_nobody)] = ()
    """Who is told: a list of {name, url, events}."""
    away_after_minutes: Annotated[float, Number, Field(gt=0)] = 60
    """Minutes after which a destination that keeps runs waiting is worth a message."""
    disk_full_within_hours: Annotated[float, Number, Field(gt=0)] = 24
    """A disk is worth a message when it will be full within so many hours at the present rate."""
    digest_at: ClockTime | None = None
    """Local time of the daily digest, such as "07:00"; null sends none."""
    at_most_per_hour: Annotated[int, Number, Field(ge=1)] = 12
    """Messages to one target in an hour; what is beyond is counted in the next one."""


class MetricsBlock(Block):
    """Figures for Prometheus, with the package prometheus-client."""

    port: Annotated[int, Number, Field(ge=1, le=65_535)] | None = None
    """Port on 127.0.0.1 at which they are served; null serves none."""
    textfile: AbsolutePath | None = None
    """File ending in .prom that is written for node_exporter's textfile collector; null writes none."""
    every_seconds: Annotated[float, Number, Field(ge=1)] = 15
    """Seconds between two looks at the store."""
