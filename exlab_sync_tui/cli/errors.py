"""How does a failure reach the person? As one sentence, with the exit code that belongs to it."""

from __future__ import annotations

import click

from exlab_sync_tui.cli.place import place_of, wants_traceback
from exlab_sync_tui.errors import ConfigError, ExlabSyncError
from exlab_sync_tui.operate.state_folder import log_path
from exlab_sync_tui.text import safe_text

_INTERRUPTED = 130


class Sentences(click.Group):
    """A group whose verbs may raise our errors."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb; our errors become a sentence, an unexpected one too."""
        try:
            return super().invoke(ctx)
        except ExlabSyncError as error:
            say(error)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("exlab-sync: stopped.", err=True)
            ctx.exit(_INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if wants_traceback(ctx):
                raise
            click.echo(f"exlab-sync: {_unexpected(error, ctx)}", err=True)
            ctx.exit(1)


def say(error: ExlabSyncError) -> None:
    """Print an error on stderr; of a configuration, each problem on a line of its own."""
    for number, line in enumerate(str(error).split("\n")):
        prefix = "exlab-sync: " if number == 0 or isinstance(error, ConfigError) else ""
        click.echo(f"{prefix}{safe_text(line)}", err=True)


def _unexpected(error: Exception, context: click.Context) -> str:
    log = log_path(place_of(context).state_folder)
    where = f"the log {safe_text(log)} has the details" if log.exists() else "--debug shows where"
    message = safe_text(error).strip()
    what = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return f"unexpected {what}; this is a mistake of the program, {where}."
