"""Where do the configuration and the state lie for this command, and who asks? The options that every verb takes."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from exlab_sync_tui import settings
from exlab_sync_tui.errors import ConfigError, ExlabSyncError
from exlab_sync_tui.operate.state_folder import STORE_NAME
from exlab_sync_tui.platform import user_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exlab_sync_tui.settings import LoadedSettings, Settings

_Command = TypeVar("_Command", bound="Callable[..., object]")
_KEY = "exlab_sync."


@dataclass(frozen=True, slots=True)
class Place:
    """What was given on the command line, and what follows from it."""

    config: Path | None = None
    state: Path | None = None
    operator: str = ""
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def load(self) -> LoadedSettings:
        """The settings in force. Raises ``ConfigProblems``, ``ConfigError``."""
        return settings.load_settings(self.config, environ=self.environ)

    def settings_if_any(self) -> Settings | None:
        """The same for a verb that can do without: a broken configuration must not hide what the store knows."""
        try:
            return self.load().settings
        except ExlabSyncError:
            return None

    @property
    def state_folder(self) -> Path:
        """Where the store, the lock and the log lie; the configuration is only looked for, not read."""
        try:
            config = settings.find_config(self.config, environ=self.environ)
        except ConfigError:
            config = None
        return settings.state_folder(self.environ, flag=self.state, config_path=config)

    @property
    def who(self) -> str:
        """Who acts: the operator that was named, or the user of this login."""
        return self.operator or user_name()

    @property
    def store_path(self) -> Path:
        """The job store."""
        return self.state_folder / STORE_NAME


def place_options(command: _Command) -> _Command:
    """Add ``--config``, ``--state``, ``--operator`` and ``--debug``; they may stand before or behind the verb."""
    return _with_options(command, _CONFIG, _STATE, *_OTHERS)


def place_options_but_state(command: _Command) -> _Command:
    """The same without ``--state``, for a verb that gives that word a meaning of its own."""
    return _with_options(command, _CONFIG, *_OTHERS)


def remember_state(context: click.Context, folder: Path) -> None:
    """Take *folder* as the state folder of this command."""
    context.meta[_KEY + "state"] = folder


def place_of(context: click.Context) -> Place:
    """What the options said; those behind the verb win."""
    given = context.meta
    return Place(
        config=given.get(_KEY + "config"), state=given.get(_KEY + "state"), operator=given.get(_KEY + "operator", "")
    )


def wants_traceback(context: click.Context) -> bool:
    """Whether ``--debug`` was given."""
    return bool(context.meta.get(_KEY + "debug"))


def _remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    # A context's meta is shared by the group and its verb, so both places of an option write to one.
    if value is not None and parameter.name is not None:
        context.meta[_KEY + parameter.name] = value


def _with_options(command: _Command, *options: Callable[[_Command], _Command]) -> _Command:
    for option in reversed(options):
        command = option(command)
    return command


_PATH = click.Path(path_type=Path)
_STATE = click.option(
    "--state",
    type=_PATH,
    metavar="FOLDER",
    expose_value=False,
    callback=_remember,
    help="The folder of the job store and the log.",
)
_CONFIG = click.option(
    "--config", type=_PATH, metavar="FILE", expose_value=False, callback=_remember, help="The configuration to use."
)
_OTHERS = (
    click.option(
        "--operator",
        metavar="NAME",
        expose_value=False,
        callback=_remember,
        help="Who does this, on a login that several people share.",
    ),
    click.option(
        "--debug",
        is_flag=True,
        default=None,
        expose_value=False,
        callback=_remember,
        help="Show the traceback of an unexpected error.",
    ),
)
