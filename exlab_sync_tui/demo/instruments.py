"""What do the sample instruments write? Small files of the real kinds, always the same for the same seed."""

from __future__ import annotations

import json
import random
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SampleFile = tuple[str, bytes]
"""POSIX path below the run, and content."""

_TIFF_TAGS = ((254, 4), (256, 4), (257, 4), (258, 3), (259, 3), (262, 3), (273, 4), (277, 3), (278, 4), (279, 4))
_DIM = bytes(12 + value // 8 for value in range(256))
_BRIGHT = bytes(150 + value // 3 for value in range(256))
_BASES = b"ACGT"


def chance(seed: int, label: str) -> random.Random:
    """A stream of its own for every thing that is made, so that nothing depends on the order of making."""
    return random.Random(f"{seed}/{label}")  # noqa: S311  # sample data, not a secret


def image_stack(rng: random.Random, name: str, *, planes: int, side: int) -> Iterator[SampleFile]:
    """A confocal stack: one square 8-bit TIFF of *side* pixels per plane, called *name*, then its metadata."""
    cells = [(rng.randrange(side), rng.randrange(side), rng.randint(side // 40 + 1, side // 10 + 2)) for _ in range(14)]
    for plane in range(planes):
        yield (
            f"stack_1/{name}_z{plane:03d}.tif",
            _tiff(_plane(rng, cells, side, focus=plane / max(planes - 1, 1)), side),
        )
    metadata = {
        "instrument": "Confocal Microscope 1",
        "objective": "63x/1.40 oil",
        "channels": [{"name": "DAPI", "excitation_nm": 405}, {"name": "GFP", "excitation_nm": 488}],
        "pixel_size_um": 0.103,
        "z_step_um": 0.25,
        "planes": planes,
        "width": side,
        "height": side,
    }
    yield "stack_1/metadata.json", _json(metadata)
    yield "stack_1/acquisition.log", f"stack 1: {planes} planes, laser 405/488 nm, no dropped frames\n".encode()


def _plane(rng: random.Random, cells: list[tuple[int, int, int]], side: int, *, focus: float) -> bytes:
    """Dark noise with bright round cells that are largest in the middle of the stack."""
    noise = rng.randbytes(side * side)
    pixels = bytearray(noise.translate(_DIM))
    bright = noise.translate(_BRIGHT)
    for x, y, radius in cells:
        seen = radius * (1 - 0.6 * abs(2 * focus - 1))
        for row in range(max(int(y - seen), 0), min(int(y + seen) + 1, side)):
            half = int(max(seen * seen - (row - y) ** 2, 0) ** 0.5)
            start, end = row * side + max(x - half, 0), row * side + min(x + half, side)
            pixels[start:end] = bright[start:end]
    return bytes(pixels)


def _tiff(pixels: bytes, side: int) -> bytes:
    """A baseline grey-scale TIFF 6.0 with one uncompressed strip behind its only directory."""
    strip = 8 + 2 + 12 * len(_TIFF_TAGS) + 4
    values = (0, side, side, 8, 1, 1, strip, 1, side, side * side)
    entries = b"".join(
        struct.pack("<HHII", tag, kind, 1, value) for (tag, kind), value in zip(_TIFF_TAGS, values, strict=True)
    )
    return struct.pack("<2sHIH", b"II", 42, 8, len(_TIFF_TAGS)) + entries + bytes(4) + pixels


def sequencer_reads(rng: random.Random, *, files: int) -> Iterator[SampleFile]:
    """A sequencer's run: *files* tiles in cycle folders, then run information and a sample sheet."""
    for number in range(files):
        cycle, tile = divmod(number, 60)
        content = rng.randbytes(rng.randint(300, 1_800))
        yield f"Data/L001/C{cycle + 1:03d}.1/s_1_{1101 + tile}.bcl", struct.pack("<I", len(content)) + content
    barcodes = ["".join(chr(rng.choice(_BASES)) for _ in range(8)) for _ in range(6)]
    lines = ["Sample_ID,Index,Project", *(f"TP-{place:02d},{code},tide_pool" for place, code in enumerate(barcodes, 1))]
    yield "SampleSheet.csv", ("\r\n".join(lines) + "\r\n").encode()
    flowcell = f"FC{rng.randrange(10**6):06d}"
    yield "RunInfo.xml", f'<?xml version="1.0"?>\n<RunInfo><Flowcell>{flowcell}</Flowcell></RunInfo>\n'.encode()


def sequencer_signal(files: list[tuple[str, int]]) -> bytes:
    """The list of files and sizes that says the run is complete (``FORMATS.md`` §4)."""
    return _json({"files": [{"path": path, "size": size} for path, size in files]})


def plate(rng: random.Random, number: int, *, reads: int) -> Iterator[SampleFile]:
    """A plate reader's export: end-point values of 96 wells, *reads* kinetic readings of them, and the protocol."""
    wells = [f"{row}{column}" for row in "ABCDEFGH" for column in range(1, 13)]
    base = {well: rng.uniform(0.05, 1.9) for well in wells}
    rows = ["well,od600", *(f"{well},{base[well]:.4f}" for well in wells)]
    yield f"plate_{number:03d}.csv", ("\r\n".join(rows) + "\r\n").encode()
    kinetic = ["seconds," + ",".join(wells)]
    for read in range(reads):
        values = (f"{base[well] + read * rng.uniform(0, 0.01):.4f}" for well in wells)
        kinetic.append(",".join((str(read * 30), *values)))
    yield "kinetics.csv", ("\r\n".join(kinetic) + "\r\n").encode()
    yield "protocol.txt", f"Plate {number}: OD600, shake 5 s, 30 °C, {reads} reads every 30 s\n".encode()


def hostile(rng: random.Random) -> Iterator[SampleFile]:
    """Files whose names look like markup, commands, options and broken text, and which are just names."""
    names = (
        "[/red]$(reboot).csv",
        "-rf",
        "`id`; true && 'quoted'.csv",
        "$name {well} %s.csv",
        "naïve µ-plate 板.csv",
        "latin-1 caf\udce9.csv",
        "&&&/deep/[bold]/= SUM(1).csv",
    )
    for name in names:
        yield name, f"well,od600\r\nA1,{rng.uniform(0, 2):.4f}\r\n".encode()
    yield "empty.csv", b""


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
