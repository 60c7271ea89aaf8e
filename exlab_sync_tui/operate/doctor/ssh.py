"""Are key, host key and tools in order for the destinations that are reached by SSH or by another program?"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import TransportError
from exlab_sync_tui.operate.doctor.diagnosis import advice, command, problem, well
from exlab_sync_tui.operate.doctor.host_keys import look_at, ssh_blocks
from exlab_sync_tui.text import safe_text
from exlab_sync_tui.transport.tools.found import RCLONE, RSYNC, SSH, path_of, refuse_too_old, version_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exlab_sync_tui.operate.doctor.diagnosis import Diagnosis
    from exlab_sync_tui.operate.doctor.host_keys import SshBlock
    from exlab_sync_tui.operate.doctor.patient import Patient
    from exlab_sync_tui.transport.tools.found import Tool

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_NEEDS: dict[str, tuple[Tool, ...]] = {"sftp": (SSH,), "rsync_ssh": (RSYNC, SSH), "rclone": (RCLONE,)}
_ASKED = {"rsync": "--version", "rclone": "version"}
"""What tells a version on stdout; ssh tells it on stderr, and none that is met is too old."""


def has_tools(patient: Patient) -> Iterator[Diagnosis]:
    """The programs that the configured transports start, and their versions."""
    items = patient.settings.equipment if patient.settings else ()
    kinds = {item.transport.type for item in items if item.transport is not None}
    for tool in dict.fromkeys(tool for kind in sorted(kinds) for tool in _NEEDS.get(kind, ())):
        try:
            place = path_of(tool, lambda name: patient.machine.tool(name) or None)
            flag = _ASKED.get(tool.command)
            told = patient.machine.ask([tool.command, flag]) if flag else ""
            version = version_in(told)
            refuse_too_old(tool, version)
        except TransportError as error:
            yield problem("tools", safe_text(error), f"sudo apt install {tool.package}")
            continue
        number = f" {'.'.join(map(str, version))}" if version else ""
        yield well("tools", f"{tool.command}{number} is at {safe_text(place)}.")


def has_a_key(patient: Patient) -> Iterator[Diagnosis]:
    """Each private key is there, ours alone, and usable by a program that nobody sits at."""
    blocks = list(ssh_blocks(patient.settings)) if patient.settings else []
    for subject, block in {block.ssh_key_path: (name, block) for name, block in reversed(blocks)}.values():
        yield from _key(patient, subject, block)


def _key(patient: Patient, subject: str, block: SshBlock) -> Iterator[Diagnosis]:
    key, shown = block.ssh_key_path, safe_text(block.ssh_key_path)
    if not key.exists():
        if patient.environ.get("SSH_AUTH_SOCK"):
            said = f"There is no key {shown}; what the SSH agent of this login has is used, and a service has no agent."
            yield advice("ssh.key", said, command("ssh-add", "-l"), subject=subject)
            return
        make = command("ssh-keygen", "-t", "ed25519", "-f", key)
        yield problem("ssh.key", f"There is no private key {shown}.", make, subject=subject)
        return
    if os.name == "posix" and key.stat().st_mode & _OTHERS:
        said = f"The private key {shown} can be read by others, so ssh refuses it."
        yield problem("ssh.key", said, command("chmod", "600", key), subject=subject)
        return
    if patient.machine.tool("ssh-keygen") and not patient.machine.ask(["ssh-keygen", "-y", "-P", "", "-f", str(key)]):
        said = f"The private key {shown} has a passphrase or cannot be read; it needs an agent, and a service has none."
        yield advice("ssh.key", said, command("ssh-add", key), subject=subject)
        return
    yield well("ssh.key", f"The private key {shown} is there and ours alone.", subject=subject)


def knows_the_host(patient: Patient) -> Iterator[Diagnosis]:
    """Each server shows a key that a person has accepted."""
    for subject, block in ssh_blocks(patient.settings) if patient.settings else ():
        keys = look_at(block, patient.machine)
        name, place = safe_text(keys.name), safe_text(keys.known_hosts)
        if keys.is_known:
            yield well("ssh.host", f"{name} is known: {_listed(keys.known & keys.offered)}.", subject=subject)
        elif keys.has_changed:
            said = (
                f"{name} shows another key than the one that was accepted: {_listed(keys.offered)} instead of"
                f" {_listed(keys.known)}. It may be another machine in its place; ask who runs it before the old key"
                " goes."
            )
            forget = command("ssh-keygen", "-f", keys.known_hosts, "-R", keys.name)
            yield problem("ssh.host", said, forget, subject=subject)
        elif keys.offered:
            said = (
                f"{name} is not known in {place}. It shows {_listed(keys.offered)}; compare that with the server's own."
            )
            yield problem("ssh.host", said, "exlab-sync doctor --trust-host", subject=subject)
        elif keys.known:
            yield advice("ssh.host", f"{name} is known, and does not answer ssh-keyscan now.", subject=subject)
        else:
            ask = command("ssh-keyscan", "-p", block.port, block.host)
            said = f"{name} is not known in {place}, and does not answer, so its key could not be looked at."
            yield problem("ssh.host", said, ask, subject=subject)


def _listed(fingerprints: Iterable[str]) -> str:
    return ", ".join(safe_text(one) for one in sorted(fingerprints))
