"""Is every problem of a configuration said at once, with its line, and every value traced to its source?"""

from __future__ import annotations

import json
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exlab_sync_tui.errors import ConfigError
from exlab_sync_tui.settings import ConfigProblems, LoadedSettings, Problem, Settings, effective, load_settings
from exlab_sync_tui.settings.document import parse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

GOOD = """\
equipment:
  - id: CONFOCAL_01
    label: Confocal
    local_root: /data/lab
    nas_root: //nas01/lab
    completeness_signal: quiescence
    transport:
      type: mount
      path: /mnt/nas/lab
      bandwidth:
        upload_mbps: 20
        schedule:
          - days: [mon]
            from_: 08:00
            to: 18:00
sync:
  rescan_seconds: 90
"""
SECRET = "hunter2hunter2"  # noqa: S105  # it is no secret of ours


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def load(config: Path, text: str | bytes, environ: Mapping[str, str] | None = None, **flags: object) -> LoadedSettings:
    config.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_settings(
        config, environ=environ or {}, flags={key.replace("__", "."): value for key, value in flags.items()}
    )


def problems(
    config: Path, text: str | bytes, environ: Mapping[str, str] | None = None, **flags: object
) -> tuple[Problem, ...]:
    with pytest.raises(ConfigProblems) as caught:
        load(config, text, environ, **flags)
    return caught.value.problems


def said(config: Path, text: str | bytes, environ: Mapping[str, str] | None = None) -> list[str]:
    """The problems as sentences, without the folder of the test."""
    return [str(problem).removeprefix(f"{config}:") for problem in problems(config, text, environ)]


def test_a_problem_reads_as_place_key_and_sentence(config: Path) -> None:
    broken = GOOD.replace("    label:", "    lable:")

    with pytest.raises(ConfigProblems) as caught:
        load(config, broken)

    assert str(caught.value).splitlines() == [
        f"{config}:2: equipment[0].label: missing; it must be set",
        f'{config}:3: equipment[0].lable: unknown key; did you mean "label"?',
    ]
    assert caught.value.exit_code == 7
    assert caught.value.problems[1] == Problem(str(config), 3, "equipment[0].lable", "unknown key", "label")


def test_all_problems_are_said_at_once_from_top_to_bottom(config: Path) -> None:
    text = """\
        equipment:
          - id: spec
            local_root: relative
            nas_root: ""
            completeness_signal: manifest
            transport: {type: sftp, ssh_target: nas, remote_path: -x, port: 0, connectoins: 3}
        equipmnt: []
        sync: {enabled: maybe, publish: rename, publish: auto}
        verify: 3
        logging:
          level: loud
        nas_cleanup: {min_verify_passes: 0, min_age_hours: true}
    """

    assert said(config, dedent(text)) == [
        "2: equipment[0].id: must be capital letters, digits and underscores, begin with a letter and have at most 32",
        "2: equipment[0].label: missing; it must be set",
        "2: equipment[0].manifest_filename: missing; completeness_signal manifest needs it",
        "3: equipment[0].local_root: must be an absolute path, from the root on",
        "4: equipment[0].nas_root: must not be blank",
        '6: equipment[0].transport.connectoins: unknown key; did you mean "connections"?',
        "6: equipment[0].transport.ssh_target: must be user@host; a port has a key of its own, a password has none",
        "6: equipment[0].transport.port: must be at least 1",
        "6: equipment[0].transport.remote_path: must not begin with a dash: a program would take it for an option",
        '7: equipmnt: unknown key; did you mean "equipment"?',
        "8: sync.publish: is written twice; first on line 8",
        "8: sync.enabled: must be true or false",
        "8: sync.publish: must be 'auto' or 'direct'",
        "9: verify: must be a block of keys and values; leave it out for the defaults",
        "11: logging.level: must be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'",
        "12: nas_cleanup.min_verify_passes: must be at least 1",
        "12: nas_cleanup.min_age_hours: must be a number",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "is empty"),
        (b"# only a comment\n", "is empty"),
        (b"- a\n- b\n", "must be a block of keys and values"),
        (b"just words\n", "must be a block of keys and values"),
        (b"sync:\n  a: [1, 2\n  b: 3\n", "3: is not valid YAML"),
        (b"sync: {}\n---\nsync: {}\n", "is not valid YAML: expected a single document"),
        (b"sync:\n\tenabled: true\n", "2: is not valid YAML"),
        (b"sync: {}\n# caf\xe9\n", "2: is not UTF-8"),
        (b"sync: {}\n# \x01\n", "2: has a character that YAML does not allow (U+0001)"),
        (b"sync: {enabled: !!python/object:os.system x}\n", "has a YAML tag"),
        (b"sync: {enabled: !!bool perhaps}\n", "cannot be read as a value"),
        (b"sync: {rescan_seconds: " + b"9" * 5000 + b"}\n", "cannot be read as a value"),
        (b"sync: &a\n  enabled: *a\n", "refers to itself"),
        (b"lims: " + b"[" * 5000, "nests too deeply"),
        (b"sync: {[a, b]: 1}\n", "a key must be one word"),
        (b"sync: {<<: 3}\n", "<< can only take in another block"),
        (b"sync: {}\nverify: {}\nsync: {}\n", "3: sync: is written twice; first on line 1"),
    ],
)
def test_what_is_not_a_configuration_is_said_in_a_sentence(config: Path, text: bytes, sentence: str) -> None:
    assert sentence in "\n".join(said(config, text))


def test_a_missing_file_is_said(config: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load_settings(config, environ={})


def test_a_file_that_cannot_be_read_is_said(config: Path) -> None:
    config.mkdir()

    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_settings(config, environ={})


def test_a_byte_order_mark_and_windows_line_ends_are_fine(config: Path) -> None:
    text = b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()

    assert load(config, text).settings.equipment[0].id == "CONFOCAL_01"


def test_yaml_1_1_files_keep_their_times(config: Path) -> None:
    loaded = load(config, f"%YAML 1.1\n---\n{GOOD}")

    transport = loaded.settings.equipment[0].transport
    assert transport is not None
    assert transport.bandwidth.schedule[0].to == "18:00"


def test_blocks_can_be_shared_with_anchors(config: Path) -> None:
    text = """\
        equipment:
          - &first
            {id: A, label: a, local_root: /lab, nas_root: //n, completeness_signal: quiescence,
             transport: {type: mount, path: /mnt/n}}
          - <<: *first
            id: B
          - <<: [{label: c}, *first]
            id: C
    """

    equipment = load(config, dedent(text)).settings.equipment

    assert [(item.id, item.label) for item in equipment] == [("A", "a"), ("B", "a"), ("C", "c")]
    assert equipment[0].transport == equipment[2].transport


def test_a_date_is_text(config: Path) -> None:
    loaded = load(config, GOOD.replace("label: Confocal", "label: 2025-03-10"))

    assert loaded.settings.equipment[0].label == "2025-03-10"


def test_a_number_where_text_is_needed_wants_quotes(config: Path) -> None:
    assert said(config, GOOD.replace("label: Confocal", "label: 0123")) == [
        "3: equipment[0].label: must be text; put it in quotes"
    ]


def test_a_problem_of_from_is_found_on_the_line_of_from_(config: Path) -> None:
    (problem,) = problems(config, GOOD.replace("08:00", "dawn"))

    assert (problem.line, problem.key) == (14, "equipment[0].transport.bandwidth.schedule[0].from")


def test_a_secret_is_refused_by_name_and_never_shown(config: Path) -> None:
    text = f"lims: {{login: {{Password: {SECRET}}}}}\nplugins: [{{passphrase: x}}]\nsync: {{api-key: {SECRET}}}\n"

    sentences = said(config, text)

    assert [sentence.split(": ")[1] for sentence in sentences] == [
        "lims.login.Password",
        "plugins[0].passphrase",
        "sync.api-key",
    ]
    assert all("secrets are never kept here" in sentence for sentence in sentences)
    assert SECRET not in "".join(sentences)


@pytest.mark.parametrize(
    "text",
    [
        f"sync: {{enabled: {SECRET}, rescan_seconds: {SECRET}, publish: {SECRET}, busy_patterns: {SECRET}}}",
        f"verify: {SECRET}",
        f"equipment: [{SECRET}, {{id: {SECRET}, transport: {{type: {SECRET}}}}}]",
        f"equipment: [{{transport: {{type: sftp, ssh_target: 'lab:{SECRET}@nas', port: {SECRET}}}}}]",
        f"equipment: [{{transport: {{type: rclone, rclone_remote: ':s3,secret_access_key={SECRET}:'}}}}]",
        f"sync: *{SECRET}",
        f"sync: !{SECRET} x",
        f"sync: !{SECRET}!x y",
        f"sync: '{SECRET}",
        f"sync: {{a: {SECRET}, a: {SECRET}}}",
        f"%TAG {SECRET} x\n--- {{}}",
        f"a: b: {SECRET}",
        f"sync: |{SECRET}",
        f"sync: @{SECRET}",
    ],
)
def test_no_error_ever_shows_a_value(config: Path, text: str) -> None:
    assert SECRET not in "".join(said(config, text))


def test_the_environment_overrides_the_file_and_flags_override_both(config: Path) -> None:
    environ = {
        "EXLAB_SYNC_SYNC__RESCAN_SECONDS": "30",
        "EXLAB_SYNC_SYNC__ENABLED": "no",
        "EXLAB_SYNC_SYNC__LITTER_PATTERNS": "['*.bak', Thumbs.db]",
        "EXLAB_SYNC_VERIFY__AUDIT_DAYS": "null",
        "EXLAB_SYNC_LOGGING__JSON": "true",
        "EXLAB_SYNC_CONFIG": "elsewhere",
        "EXLAB_SYNC_STATE": "elsewhere",
        "PATH": "/bin",
    }

    loaded = load(config, GOOD, environ, sync__enabled=True, console__ascii=True, logging__level=None)

    assert loaded.settings.sync.rescan_seconds == 30
    assert loaded.settings.sync.enabled is True
    assert loaded.settings.sync.litter_patterns == ("*.bak", "Thumbs.db")
    assert loaded.settings.verify.audit_days is None
    assert loaded.settings.logging.as_json is True
    assert loaded.settings.console.ascii is True
    assert loaded.path == config
    assert loaded.sources["sync.rescan_seconds"] == "EXLAB_SYNC_SYNC__RESCAN_SECONDS"
    assert loaded.sources["sync.enabled"] == "flag"
    assert loaded.sources["equipment[0].label"] == f"{config}:3"


def test_a_bad_variable_is_named_with_the_nearest_one(config: Path) -> None:
    environ = {
        "EXLAB_SYNC_SYNC__RESCAN_SECOND": "1",
        "EXLAB_SYNC_SYNC__STALL_SECONDS": SECRET,
        "EXLAB_SYNC_CONFG": "x",
        "EXLAB_SYNC_EQUIPMENT__0__ID": "x",
        "EXLAB_SYNC_LIMS__PASSWORD": SECRET,
        "EXLAB_SYNC_OPERATORS__ALLOWLIST": "[anna",
        "EXLAB_SYNC_QQQ": "x",
        "EXLAB_SYNC_CONSOLE__KEYMAP": "{a: 1}",
    }

    found = sorted(problems(config, GOOD, environ), key=lambda problem: problem.file)

    assert [(problem.file.removeprefix("EXLAB_SYNC_"), problem.line, problem.nearest) for problem in found] == [
        ("CONFG", None, "EXLAB_SYNC_CONFIG"),
        ("CONSOLE__KEYMAP", None, ""),
        ("EQUIPMENT__0__ID", None, ""),
        ("LIMS__PASSWORD", None, ""),
        ("OPERATORS__ALLOWLIST", None, ""),
        ("QQQ", None, ""),
        ("SYNC__RESCAN_SECOND", None, "EXLAB_SYNC_SYNC__RESCAN_SECONDS"),
        ("SYNC__STALL_SECONDS", None, ""),
    ]
    assert SECRET not in "".join(map(str, found))
    assert str(found[-1]) == "EXLAB_SYNC_SYNC__STALL_SECONDS: sync.stall_seconds: must be a number"


def test_a_bad_flag_is_named(config: Path) -> None:
    found = problems(config, GOOD, sync__enabeld=True, verbose=True, sync__rescan_seconds=0)

    assert [str(problem) for problem in found] == [
        "flag: verbose: is not the name of a key, such as sync.enabled",
        'flag: sync.enabeld: unknown key; did you mean "enabled"?',
        "flag: sync.rescan_seconds: must be more than 0",
    ]


def test_an_override_does_not_hide_a_bad_block(config: Path) -> None:
    assert said(config, "sync: 3\n", {"EXLAB_SYNC_SYNC__ENABLED": "no"}) == [
        "1: sync: must be a block of keys and values; leave it out for the defaults"
    ]


@pytest.mark.parametrize("text", ["sync: {}\n", "nas_cleanup:\n"])
def test_a_figure_in_the_environment_never_turns_cleanup_on(config: Path, text: str) -> None:
    loaded = load(config, text, {"EXLAB_SYNC_NAS_CLEANUP__MIN_AGE_HOURS": "48"})

    assert not loaded.settings.cleanup_enabled
    assert ("nas_cleanup.enabled", "false", "default (the file has no nas_cleanup block)") in effective(loaded)


def test_the_switch_in_the_environment_does(config: Path) -> None:
    environ = {"EXLAB_SYNC_NAS_CLEANUP__ENABLED": "true", "EXLAB_SYNC_NAS_CLEANUP__MIN_AGE_HOURS": "48"}

    loaded = load(config, "sync: {}\n", environ)

    assert loaded.settings.cleanup_enabled
    assert loaded.sources["nas_cleanup.enabled"] == "EXLAB_SYNC_NAS_CLEANUP__ENABLED"


def test_the_effective_configuration_shows_every_key_with_its_source(config: Path) -> None:
    loaded = load(config, GOOD + f"lims: {{note: {SECRET}}}\n", {"EXLAB_SYNC_VERIFY__MINIMUM": "read_back"})

    rows = {key: (value, source) for key, value, source in effective(loaded)}

    assert rows["equipment[0].id"] == ("CONFOCAL_01", f"{config}:2")
    assert rows["equipment[0].settle_seconds"] == ("600", "default")
    assert rows["equipment[0].transport.bandwidth.schedule[0].from"] == ("08:00", f"{config}:14")
    assert rows["equipment[0].transport.bandwidth.schedule[0].days"] == ("[mon]", f"{config}:13")
    assert rows["sync.rescan_seconds"] == ("90", f"{config}:17")
    assert rows["sync.litter_patterns"] == ("[Thumbs.db, desktop.ini, .DS_Store, ._*]", "default")
    assert rows["verify.minimum"] == ("read_back", "EXLAB_SYNC_VERIFY__MINIMUM")
    assert rows["verify.audit_days"] == ("null", "default")
    assert rows["nas_cleanup"] == ("null", "default")
    assert rows["console.keymap"] == ("{}", "default")
    assert rows["logging.json"] == ("false", "default")
    assert SECRET not in str(rows)


@given(text=st.text(max_size=80) | st.text(alphabet="ab:{}[]-#&*!|>'\"\n %@`,?<~0", max_size=40))
def test_no_text_breaks_the_reader(text: str) -> None:
    document = parse(text)

    assert all(trouble.message for trouble in document.troubles)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(values=st.dictionaries(st.sampled_from(tuple(Settings.known_keys())), values, max_size=4))
def test_any_values_end_in_settings_or_in_sentences(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, object]
) -> None:
    config = tmp_path_factory.getbasetemp() / "any.yaml"
    config.write_text(json.dumps(values), encoding="utf-8")

    try:
        loaded = load_settings(config, environ={})
    except ConfigProblems as error:
        assert all(problem.message for problem in error.problems)  # noqa: PT017  # either outcome is right
    else:
        assert effective(loaded)
