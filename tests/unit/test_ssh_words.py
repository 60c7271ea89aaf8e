"""Does everything that ssh says become a class and a sentence with the next step?"""

from __future__ import annotations

from pathlib import Path

import pytest

from exlab_sync_tui.errors import TransportErrorKind
from exlab_sync_tui.transport.ssh.access import SshAccess, ssh_command
from exlab_sync_tui.transport.ssh.words import from_ssh, host_key_error, last_words, refuses_commands

ACCESS = SshAccess("nas01", "lab", Path("/keys/id"), Path("/keys/known hosts"), "/srv/lab", 2222)
CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
The fingerprint for the ED25519 key sent by the remote host is
SHA256:abc.
Offending ED25519 key in /keys/known:3
Host key verification failed.
"""


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (255, "ssh: connect to host nas01 port 22: Connection refused", TransportErrorKind.NETWORK),
        (
            255,
            "ssh: Could not resolve hostname nas01: Temporary failure in name resolution",
            TransportErrorKind.NETWORK,
        ),
        (255, "client_loop: send disconnect: Broken pipe", TransportErrorKind.NETWORK),
        (255, "lab@nas01: Permission denied (publickey).", TransportErrorKind.AUTH),
        (255, "WARNING: UNPROTECTED PRIVATE KEY FILE!\nPermissions 0644 are too open", TransportErrorKind.AUTH),
        (255, CHANGED, TransportErrorKind.AUTH),
        (
            255,
            "No ED25519 host key is known for nas01 and you have requested strict checking.",
            TransportErrorKind.AUTH,
        ),
        (255, "Unable to negotiate: no matching cipher found", TransportErrorKind.SET_UP),
        (1, "tar: x: Cannot write: No space left on device", TransportErrorKind.NO_SPACE),
        (1, "touch: cannot touch 'x': Read-only file system", TransportErrorKind.READ_ONLY),
        (137, "", TransportErrorKind.UNKNOWN),
    ],
)
def test_every_message_has_its_class_and_names_the_account(status: int, said: str, kind: TransportErrorKind) -> None:
    error = from_ssh(ACCESS, status, said)
    assert error.error_kind is kind
    assert "nas01" in str(error)


def test_a_changed_key_is_told_with_what_was_expected_and_what_is_offered() -> None:
    sentence = str(from_ssh(ACCESS, 255, CHANGED))
    assert "expected was the ED25519 key in /keys/known:3, it offers ED25519 SHA256:abc" in sentence


def test_the_commands_that_accept_a_key_are_quoted_for_a_shell() -> None:
    sentence = str(host_key_error(ACCESS, expected=["RSA SHA256:old"], offered=["ED25519 SHA256:new"]))
    assert "`ssh-keygen -f '/keys/known hosts' -R '[nas01]:2222'`" in sentence
    assert "`exlab-sync doctor --trust-host`" in sentence
    assert """`ssh -p 2222 -o 'UserKnownHostsFile="/keys/known hosts"' lab@nas01`""" in sentence


def test_what_a_server_says_is_made_safe() -> None:
    assert last_words("@ banner\nfirst\n\x1b[31msecond\n") == "first · \\x1b[31msecond"
    assert refuses_commands("exec request failed on channel 0")
    assert not refuses_commands("Permission denied (publickey).")


def test_nobody_is_asked_and_no_unknown_host_is_accepted() -> None:
    command = ssh_command(ACCESS, ["true"])
    assert {"BatchMode=yes", "StrictHostKeyChecking=yes", "PasswordAuthentication=no"} <= set(command)
    assert command[-3:] == ["--", "nas01", "true"]
    assert 'UserKnownHostsFile="/keys/known hosts"' in command
