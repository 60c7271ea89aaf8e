"""What would ExLab-Wizard have left in the sample folders, and how is such a lab configured?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping
    from datetime import datetime

NAS_ROOT = "//nas01/lab"
_LIVE_MBPS = 12
_LIVE_RESCAN_SECONDS = 5
OPERATORS = ("mira", "jonas", "adaeze", "sofia")


def creation(
    rng: random.Random, *, local: str, nas: str, project: str, at: datetime, level: str, test: bool = False
) -> bytes:
    """A ``creation.json`` of schema 1.8 (``FORMATS.md`` §2), with a key that only ExLab-Wizard knows."""
    document: dict[str, object] = {
        "schema_version": "1.8",
        "created_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "created_by": rng.choice(OPERATORS),
        "level": level,
        "run_kind": "test" if test else "experimental",
        "lims_project": {
            "uid": f"{rng.getrandbits(32):08x}-77aa-4c0e-9a57-{rng.getrandbits(48):012x}",
            "short_id": f"PROJ-{rng.randint(100, 999):04d}",
            "name_at_creation": project,
            "source": "live",
            "cache_freshness_at_use": None,
        },
        "template": {"name": "core_run", "version": "3.0", "source_path": "core_run", "run_scope": "both"},
        "variables": {"temperature_c": 21.50, "replicate": rng.randint(1, 4)},
        "plugins_applied": [],
        "orchestrator": {"host": "instrument-pc", "wizard_build": "2025.02"},
        "paths": {"local": local, "nas": f"{NAS_ROOT}/{nas}"},
        "sync_status": "pending",
        "validation_overrides": [],
    }
    return _json(document)


def readme_fields(rng: random.Random, *, label: str, test: bool) -> bytes:
    """A ``readme_fields.json`` 1.1 (``FORMATS.md`` §3)."""
    document = {
        "schema_version": "1.1",
        "core_fields": {
            "label": label,
            "operator": rng.choice(OPERATORS),
            "objective": "check the focus before the real run" if test else "baseline before treatment",
        },
        "template_fields": {"stain": rng.choice(("DAPI", "phalloidin", "none"))},
        "config_fields": {},
        "custom_fields": [{"label": "room", "value": "B2.14"}],
        "system_fields": {"wizard_version": "2.4.0"},
    }
    return _json(document)


def config(*, data: str, reader: str, nas: str, settle_seconds: float, live: bool = False) -> dict[str, object]:
    """A config of the three sample instruments, with the keys of ``FORMATS.md`` §9; cleanup is off.

    *live*: transfers take long enough to be watched, and folders are looked at often.
    """
    transport: dict[str, object] = {"type": "mount", "path": nas}
    if live:
        transport["bandwidth"] = {"upload_mbps": _LIVE_MBPS}
    common = {"nas_root": NAS_ROOT, "settle_seconds": settle_seconds, "transport": transport}
    confocal = {
        "id": "CONFOCAL_01",
        "label": "Confocal Microscope 1",
        "local_root": data,
        "layout": "exlab",
        "completeness_signal": "sentinel_file",
        "sentinel_filename": "acquisition_complete.flag",
    }
    sequencer = {
        "id": "SEQUENCER_01",
        "label": "Sequencer 1",
        "local_root": data,
        "layout": "exlab",
        "completeness_signal": "manifest",
        "manifest_filename": "manifest.json",
    }
    plates = {
        "id": "READER_01",
        "label": "Plate Reader 1",
        "local_root": reader,
        "layout": "plain",
        "run_pattern": "*_plate_*",
        "completeness_signal": "quiescence",
    }
    equipment = [{**instrument, **common} for instrument in (confocal, sequencer, plates)]
    return {"equipment": equipment, **({"sync": {"rescan_seconds": _LIVE_RESCAN_SECONDS}} if live else {})}


def as_yaml(value: Mapping[str, object]) -> str:
    """The same config as YAML text in block style; scalars are JSON, which YAML 1.2 reads."""
    return "\n".join(_block(value, "")) + "\n"


def _block(value: Mapping[str, object], indent: str) -> list[str]:
    lines = []
    for key, item in value.items():
        if isinstance(item, dict):
            lines += [f"{indent}{key}:", *_block(item, indent + "  ")]
        elif isinstance(item, list):
            lines.append(f"{indent}{key}:")
            for member in item:
                first, *rest = _block(member, indent + "    ")
                lines += [f"{indent}  - {first.lstrip()}", *rest]
        else:
            lines.append(f"{indent}{key}: {json.dumps(item, ensure_ascii=False)}")
    return lines


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
