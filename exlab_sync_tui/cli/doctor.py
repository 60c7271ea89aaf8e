"""What is wrong with this set-up, and how is it mended? ``doctor``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exlab_sync_tui.cli.output import json_option, look, put, put_json, width
from exlab_sync_tui.cli.place import place_of, place_options
from exlab_sync_tui.errors import ConfigError, UsageError
from exlab_sync_tui.headless.words import BAD, GOOD, WAIT
from exlab_sync_tui.operate.doctor.diagnosis import Mood, as_called, as_data, has_problem
from exlab_sync_tui.operate.doctor.registry import admit, examine
from exlab_sync_tui.text import count, safe_text

if TYPE_CHECKING:
    from exlab_sync_tui.cli.place import Place
    from exlab_sync_tui.headless.words import Look
    from exlab_sync_tui.operate.doctor.diagnosis import Diagnosis
    from exlab_sync_tui.operate.doctor.host_keys import HostKeys
    from exlab_sync_tui.operate.doctor.patient import Patient

_MOODS = {Mood.WELL: GOOD, Mood.ADVICE: WAIT, Mood.PROBLEM: BAD}
_BROKEN_CONFIGURATION, _PROBLEM = 7, 1


@click.command(
    epilog="\b\nExamples:\n  exlab-sync doctor\n  exlab-sync doctor --json | jq '.[] | select(.mood == \"problem\")'\n"
    "  exlab-sync doctor --trust-host                         an SSH server that is not known yet\n"
    "  exlab-sync doctor --bundle support.tar.gz --redact     an archive to send to somebody who helps"
)
@click.option("--bundle", type=click.Path(path_type=Path), metavar="FILE", help="Pack a support archive instead.")
@click.option("--redact", is_flag=True, help="With --bundle: every name is replaced.")
@click.option("--trust-host", is_flag=True, help="Accept SSH servers that are not known yet, after asking.")
@click.option("--fingerprint", metavar="SHA256:...", default="", help="With --trust-host: accept this one, unasked.")
@json_option
@place_options
@click.pass_context
def doctor(
    context: click.Context, bundle: Path | None, *, redact: bool, trust_host: bool, fingerprint: str, as_json: bool
) -> None:
    """What is wrong with this set-up, and which command mends it?

    Tries out every destination with a small file in a folder of its own, and removes it again. Exit code 1 if something
    keeps runs from arriving, 7 if it is the configuration.
    """
    if redact and bundle is None:
        raise click.UsageError("--redact goes with --bundle FILE.")
    if fingerprint and not trust_host:
        raise click.UsageError("--fingerprint goes with --trust-host.")
    place = place_of(context)
    patient = admit(place.config, place.state_folder, place.environ)
    if trust_host:
        context.exit(_trust_hosts(patient, fingerprint))
    if bundle is not None:
        from exlab_sync_tui.operate.doctor.bundle import write_bundle

        put(write_bundle(patient, bundle, redact=redact))
        return
    found: list[Diagnosis] = []
    shown = look()
    options = _options(place)
    for one in (as_called(one, options) for one in examine(patient)):
        found.append(one)
        if not as_json:
            _put(one, shown)
    if as_json:
        put_json([as_data(one) for one in found])
    else:
        _put_sum(found, shown)
    context.exit(_code(found))


def _options(place: Place) -> list[object]:
    """How this command was told where its files are."""
    named = {"--config": place.config, "--state": place.state}
    return [word for option, path in named.items() if path is not None for word in (option, path)]


def _trust_hosts(patient: Patient, fingerprint: str) -> int:
    """Show what each unknown server shows, and write it down once somebody has said that it is right."""
    from exlab_sync_tui.operate.doctor.host_keys import look_at, ssh_blocks, trust

    if patient.settings is None:
        raise ConfigError
    code = 0
    for _, block in ssh_blocks(patient.settings):
        keys = look_at(block, patient.machine)
        name = safe_text(keys.name)
        if keys.is_known:
            put(f"{name} is known already.")
            continue
        if not keys.offered:
            put(f"{name} does not answer, so its key cannot be looked at.")
            code = 5
            continue
        put(f"{name} shows:")
        for offered in sorted(keys.offered):
            put(f"    {safe_text(offered)}")
        if _accepted(keys, fingerprint):
            trust(keys)
            put(f"  It is known now, in {safe_text(keys.known_hosts)}.")
        else:
            put("  It was not accepted, and nothing was written.")
            code = 1
    return code


def _accepted(keys: HostKeys, fingerprint: str) -> bool:
    if keys.has_changed:
        return True  # what is said about that is the refusal
    if fingerprint:
        return any(offered.endswith(f" {fingerprint}") for offered in keys.offered)
    if not sys.stdin.isatty():
        raise UsageError("Nobody can be asked here; say --fingerprint SHA256:... to accept exactly that key.")
    return click.confirm("  Is that the fingerprint that the server's own people told you?")


def _put(one: Diagnosis, shown: Look) -> None:
    mood = _MOODS[one.mood]
    glyph = shown.glyph(mood)
    colour = shown.colour_of(mood)
    subject = f"{one.subject}: " if one.subject else ""
    sentence = click.wrap_text(f"{subject}{one.sentence}", width() - 2, "", "  ")
    put(f"{click.style(glyph, fg=colour) if colour else glyph} {sentence}")
    if one.command:
        put(f"    {one.command}")


def _put_sum(found: list[Diagnosis], shown: Look) -> None:
    problems = sum(1 for one in found if one.mood is Mood.PROBLEM)
    put()
    if problems:
        put(f"{shown.glyph(BAD)} {count(problems, 'problem')}; the command below each one mends it.")
    else:
        put(f"{shown.glyph(GOOD)} Nothing keeps runs from arriving.")


def _code(found: list[Diagnosis]) -> int:
    if not has_problem(found):
        return 0
    broken = any(one.mood is Mood.PROBLEM and one.check == "config" for one in found)
    return _BROKEN_CONFIGURATION if broken else _PROBLEM
