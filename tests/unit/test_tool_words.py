"""Is a failure of a tool put into the right class? The tools' own words, as they were captured, names taken out."""

from __future__ import annotations

from pathlib import Path

import pytest

from exlab_sync_tui.errors import TransportError, TransportErrorKind
from exlab_sync_tui.transport.rclone import words as rclone_words
from exlab_sync_tui.transport.rclone.words import Said
from exlab_sync_tui.transport.rsync import words as rsync_words
from exlab_sync_tui.transport.ssh.access import SshAccess
from exlab_sync_tui.transport.tools.found import RCLONE, RSYNC, path_of, refuse_too_old, version_in

K = TransportErrorKind
ACCESS = SshAccess("nas01", "lab", Path("/none/id"), Path("/none/known_hosts"), "/srv/lab")

RCLONE_SAYS = [
    ("Failed to copy: dial tcp 192.0.2.8:445: connect: connection refused", K.NETWORK),
    ('Failed to create file system for "vault:lab": dial tcp: lookup vault.example: no such host', K.NETWORK),
    (
        (
            "couldn't initialize SMB: response error: The attempted logon is invalid. This is either due to a bad"
            " username or authentication information."
        ),
        K.AUTH,
    ),
    ("Failed to copy: SignatureDoesNotMatch: check your key and signing method.\n\tstatus code: 403", K.AUTH),
    (
        (
            "Failed to copy: couldn't fetch token: invalid_grant: maybe token expired? - refresh with"
            ' "rclone config reconnect vault:"'
        ),
        K.AUTH,
    ),
    ("a.raw: Failed to copy: 507 Insufficient Storage", K.NO_SPACE),
    ("Fatal error received - not attempting retries", K.UNKNOWN),
    ("didn't find section in config file", K.AUTH),
    (
        "failed to make Fs: NewFs: couldn't connect SSH: ssh: handshake failed: knownhosts: key mismatch",
        K.AUTH,
    ),
    (
        (
            "NewFs: couldn't connect SSH: ssh: handshake failed: ssh: unable to authenticate, attempted methods"
            " [none publickey], no supported methods remain"
        ),
        K.AUTH,
    ),
    ("failed to open source object: open /lab/timeout/a.raw: permission denied", K.PERMISSION),
    ("mkdir /mnt/nas/no space left: read-only file system", K.READ_ONLY),
    ("open /mnt/nas/x: file name too long", K.NAMES),
    ("can't copy - source file is being updated (size changed from 3 to 5)", K.CHANGED),
    ("Update Create failed: write /mnt/nas/a.raw: no space left on device", K.NO_SPACE),
    ("read metadata failed: 401 Unauthorized", K.AUTH),
]


@pytest.mark.parametrize(("said", "kind"), RCLONE_SAYS)
def test_what_rclone_says(said: str, kind: TransportErrorKind) -> None:
    assert rclone_words.kind_of([Said(said)]) is kind


def test_a_name_says_nothing_about_what_went_wrong_with_rclone() -> None:
    name = "no space left: permission denied.raw"
    said = Said(f"Failed to copy: open /srv/{name}: connection reset by peer", name)
    assert rclone_words.kind_of([said]) is K.NETWORK
    assert rclone_words.kind_of([Said("'401 Unauthorized' was not found", "")]) is K.UNKNOWN


def test_secrets_are_left_out_of_what_rclone_said() -> None:
    error = rclone_words.trouble("the remote", [Said('config: pass = "hunter2" secret_access_key=abc is wrong')])
    assert "hunter2" not in str(error)
    assert "abc" not in str(error)


RSYNC_SAYS = [
    (
        255,
        (
            "ssh: connect to host 192.0.2.8 port 22: Connection timed out\n"
            "rsync error: unexplained error (code 255) at io.c(231) [sender=3.2.7]"
        ),
        K.NETWORK,
    ),
    (
        255,
        "client_loop: send disconnect: Broken pipe\nrsync error: unexplained error (code 255) at io.c(231)",
        K.NETWORK,
    ),
    (
        255,
        (
            "Received disconnect from 192.0.2.8 port 22:2: Too many authentication failures\n"
            "rsync error: unexplained error (code 255) at io.c(231) [sender=3.2.7]"
        ),
        K.AUTH,
    ),
    (255, "Permission denied (publickey).", K.AUTH),
    (255, "Host key verification failed.\nrsync: connection unexpectedly closed (0 bytes received so far)", K.AUTH),
    (
        23,
        (
            'rsync: [sender] send_files failed to open "/lab/SPEC_02/a.raw": Permission denied (13)\n'
            "rsync error: some files/attrs were not transferred (see previous errors) (code 23)"
        ),
        K.LOCKED,
    ),
    (
        11,
        (
            'rsync: [receiver] write failed on "/srv/lab/a.raw": No space left on device (28)\n'
            "rsync error: error in file IO (code 11)"
        ),
        K.NO_SPACE,
    ),
    (
        23,
        (
            'rsync: [receiver] mkstemp "/srv/lab/No space left/.a.raw.x1" failed: Permission denied (13)\n'
            "rsync error: some files/attrs were not transferred (see previous errors) (code 23)"
        ),
        K.PERMISSION,
    ),
    (23, 'rsync: [receiver] mkstemp "/srv/x/.a.raw.x1" failed: Read-only file system (30)', K.READ_ONLY),
    (23, 'rsync: [receiver] mkstemp "/srv/x/.a.raw.x1" failed: File name too long (36)', K.NAMES),
    (127, "bash: line 1: rsync: command not found", K.SET_UP),
    (12, "rsync: connection unexpectedly closed (0 bytes received so far) [sender]", K.NETWORK),
    (30, "rsync error: timeout in data send/receive (code 30) at io.c(200)", K.NETWORK),
    (1, "find: '/srv/lab/r': something else", K.UNKNOWN),
]


@pytest.mark.parametrize(("status", "said", "kind"), RSYNC_SAYS)
def test_what_rsync_says(status: int, said: str, kind: TransportErrorKind) -> None:
    assert rsync_words.trouble(ACCESS, status, said).error_kind is kind


def test_a_missing_tool_is_said_with_the_command_that_installs_it() -> None:
    with pytest.raises(TransportError, match="apt install rclone") as raised:
        path_of(RCLONE, which=lambda _: None)
    assert raised.value.error_kind is K.SET_UP
    assert path_of(RSYNC, which=lambda name: f"/bin/{name}") == "/bin/rsync"


def test_a_tool_that_is_too_old_is_refused_and_one_that_tells_no_version_is_not() -> None:
    assert version_in("rsync  version 3.2.7  protocol version 31") == (3, 2, 7)
    assert version_in("v1.60.1-DEV") == (1, 60, 1)
    assert version_in("beta") is None
    refuse_too_old(RSYNC, (3, 2, 7))
    refuse_too_old(RSYNC, None)
    with pytest.raises(TransportError, match=r"3\.1\.0 on this PC is too old; 3\.2\.3 or newer"):
        refuse_too_old(RSYNC, (3, 1, 0))
