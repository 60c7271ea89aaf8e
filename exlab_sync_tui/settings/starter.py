"""What does a person start from? A commented configuration; its keys, defaults and words are the schema's."""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import os
import textwrap
from enum import Enum
from typing import TYPE_CHECKING
from uuid import uuid4

from exlab_sync_tui.errors import ConfigError
from exlab_sync_tui.settings.schema import OVERRIDABLE
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

_HEAD = """\
# exlab-sync: what it watches, and where the runs go.
# `exlab-sync config check` names every problem with its line; `exlab-sync config show` shows what is in force.
# A line that begins with # is switched off; take the # away to set that key. Passwords are never kept here.

equipment:
  - id: CONFOCAL_01                     # capital letters, digits, underscores; unique
    label: Confocal Microscope 1        # name for people
    local_root: /data/lab               # the instrument's own folder is <local_root>/<id>
    nas_root: //nas01/lab               # the destination as people know it
    completeness_signal: quiescence     # sentinel_file | manifest | quiescence: how a run says that it is finished
    #sentinel_filename: acquisition_complete.flag   # with sentinel_file: the file that the instrument writes last
    #manifest_filename: manifest.json               # with manifest: the JSON list of the run's files and sizes
    #settle_seconds: 600                # nothing may change for so long; 600 with quiescence, else 30
    #layout: exlab                      # exlab: <project>/Runs/Run_<date>; plain: any folder, straight below local_root
    #run_pattern: "*"                   # with plain: which folders below local_root are runs
    transport:
      type: mount                       # a share that this PC has mounted; the other types are below
      path: /mnt/nas/lab
      #bandwidth:
        #upload_mbps: 200               # megabits per second; without a schedule it always applies
        #schedule:
          #- {days: [mon, tue, wed, thu, fri], from: "08:00", to: "18:00"}

# An SSH server instead of a mount (type: rsync_ssh has the same keys):
#    transport:
#      type: sftp
#      ssh_target: lab@nas01.example.org
#      port: 22
#      ssh_key_path: ~/.ssh/id_ed25519
#      known_hosts: ~/.ssh/known_hosts
#      remote_path: /srv/lab
# Before the first run: let the key in (`ssh-copy-id -i ~/.ssh/id_ed25519 lab@nas01.example.org`), accept the host key
# once (`ssh lab@nas01.example.org`, after comparing its fingerprint), then `exlab-sync destination adopt`.
#
# A remote of rclone, whose credentials stay in rclone's own config:
#    transport:
#      type: rclone
#      rclone_remote: nas01
#      rclone_remote_path: lab
"""

_HEAD_LINES = _HEAD.splitlines()[:4]
"""What the file is, above the first key."""


def starter_config() -> str:
    """A configuration that loads as it is: one instrument to fill in, and every other key with its default."""
    return "\n".join([_HEAD, *(_block(name, model) for name, model in OVERRIDABLE.items())])


def filled_config(item: Mapping[str, object]) -> str:
    """The same with one instrument filled in, as the first-run assistant writes it."""
    lines = [*_HEAD_LINES, "equipment:", *item_lines(item), ""]
    return "\n".join([*lines, *(_block(name, model) for name, model in OVERRIDABLE.items())])


def write_starter(path: Path, text: str | None = None) -> None:
    """Write *text*, or the starter, to *path*, whole or not at all, with its folders; never over something there.

    Raises ``ConfigError`` if something lies at *path* or it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("x", encoding="utf-8", newline="\n") as file:
                file.write(starter_config() if text is None else text)
                file.flush()
                os.fsync(file.fileno())
            # A link fails where a rename would replace what somebody wrote in the meantime.
            path.hardlink_to(temporary)
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError:
        raise ConfigError(
            f"{safe_text(path)} is already there and was left as it is; edit it, or choose another place with --config."
        ) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(
            f"{safe_text(path)} cannot be written: {reason}; choose another place with --config."
        ) from error


def item_lines(item: Mapping[str, object]) -> list[str]:
    """One item of a list, indented by two: each value as JSON, which YAML reads alike."""
    lines: list[str] = []
    for key, value in item.items():
        lead = "    " if lines else "  - "
        if isinstance(value, dict):
            lines.append(f"{lead}{key}:")
            lines += [f"      {inner}: {_yaml(content)}" for inner, content in value.items()]
        else:
            lines.append(f"{lead}{key}: {_yaml(value)}")
    return lines


def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """The explanation of each field: the docstring that stands below it in the source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    docs = {}
    for field, doc in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(doc, ast.Expr):
            docs[field.target.id] = " ".join(str(ast.literal_eval(doc.value)).split())
    return docs


def _block(name: str, model: type[BaseModel]) -> str:
    docs = field_docs(model)
    lines = [f"# {' '.join((inspect.getdoc(model) or '').split())}", f"#{name}:"]
    for field, info in model.model_fields.items():
        lines.append(f"  # {docs[field]}")
        lines.append(f"  #{info.alias or field}: {_yaml(_default(info))}")
    return "\n".join(lines) + "\n"


def _default(info: FieldInfo) -> object:
    return info.get_default(call_default_factory=True, validated_data={})


def _yaml(value: object) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, str) and value.replace("_", "").isalnum():
        return value
    return json.dumps(value, ensure_ascii=False)
