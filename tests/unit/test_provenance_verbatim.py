"""Does a JSON object survive a rewrite to the last digit?"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exlab_sync_tui.provenance.verbatim import parse_object, render_object


@pytest.mark.parametrize(
    "number",
    [
        "0",
        "-0",
        "1",
        "12345678901234567890",
        "9" * 5_000,
        "1.10",
        "1e400",
        "1E+2",
        "-0.0",
        "0.1e-7",
        "1.7976931348623157e309",
    ],
)
def test_a_number_is_written_with_its_own_characters(number: str) -> None:
    text = f'{{"a":{number},"b":[{number},{{"c":{number}}}]}}'.encode()
    parsed = parse_object(text)
    assert render_object(parsed.document) == text
    assert render_object(copy.deepcopy(parsed.document)) == text


def test_numbers_still_count() -> None:
    document = parse_object(b'{"a": 2, "b": 1.50}').document
    assert document["a"] + 1 == 3
    assert document["b"] * 2 == 3.0


@pytest.mark.parametrize(
    "text",
    ["{}", '{"a":[],"b":{},"c":null,"d":true,"e":false,"f":""}', '{"b":1,"a":2}', '{"é":"\\"\\\\\\n\U0001f9ea"}'],
)
def test_shape_and_key_order_stay(text: str) -> None:
    assert render_object(parse_object(text.encode()).document) == text.encode()


def test_a_lone_surrogate_stays_an_escape() -> None:
    assert render_object(parse_object(b'{"a":"\\ud800\xc3\xa9"}').document) == b'{"a":"\\ud800\\u00e9"}'


def test_blanks_and_a_byte_order_mark_do_not_matter() -> None:
    assert render_object(parse_object(b'\xef\xbb\xbf{ "a" : [ 1 , 2 ] }\n').document) == b'{"a":[1,2]}'


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(document=st.dictionaries(st.text(), _json, max_size=4))
def test_any_object_means_the_same_afterwards(document: dict[str, Any]) -> None:
    written = render_object(parse_object(json.dumps(document).encode()).document)
    assert json.loads(written) == document
    assert render_object(parse_object(written).document) == written


def test_duplicate_keys_are_told_at_any_depth() -> None:
    parsed = parse_object(b'{"a":1,"b":[{"c":1,"c":2,"c":3}],"a":2}')
    assert parsed.duplicates == ("c", "c", "a")
    assert parsed.document["a"] == 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b'{"a":1', "not JSON"),
        (b'{"a":1} {}', "not JSON"),
        (b"[1]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"a":"\xff"}', "not UTF-8 at byte 6"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
)
def test_what_is_no_object_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_object(data)


def test_what_json_cannot_say_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    for document in ({"a": float("nan")}, {1: "a"}, {"a": deep}):
        with pytest.raises(ValueError, match=r"JSON|nested"):
            render_object(document)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        render_object({"a": object()})
