"""Native processors: the data they receive for a record, and the output they may write."""

from __future__ import annotations

import gc
import json
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forstcore import RecordStream
from tests.core.json_cases import BAD, GOOD


def run(processor: object, data: bytes, **options: Any) -> bytes:
    stream = RecordStream(processor=processor, **{"on_error": "emit", **options})
    return stream.feed(data) + stream.finish()


def lines(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.split(b"\n")[:-1]]


class TestRecords:
    """The data that a processor receives."""

    @given(
        st.lists(
            st.dictionaries(st.sampled_from(["id", "data", "x", "é"]), st.text() | st.none()),
            max_size=8,
        ),
        st.integers(1, 40),
    )
    def test_the_twin_of_the_built_in_one(
        self, cases: ModuleType, records: list[dict[str, str | None]], size: int
    ) -> None:
        data = b"".join(json.dumps(record).encode() + b"\n" for record in records)
        stream = RecordStream(on_error="emit", processor=cases.twin)
        out = b"".join(stream.feed(data[at : at + size]) for at in range(0, len(data), size))
        built_in = RecordStream(on_error="emit")
        assert out + stream.finish() == built_in.feed(data) + built_in.finish()
        assert (stream.lines, stream.records, stream.results) == (len(records),) * 3

    def test_every_value(self, cases: ModuleType, scan_path: str) -> None:
        for text in GOOD:
            value = json.loads(text)
            (inspected,) = lines(run(cases.inspect, b' {"a" :[1], "v" : ' + text + b" } "))
            kinds = {type(None): 1, bool: 2 + (value is True), int: 4, float: 4, str: 5, list: 6}
            assert inspected["kind"] == kinds.get(type(value), 7)
            assert inspected["value"] == value
            assert inspected["record"] == {"a": [1], "v": value}
            if isinstance(value, str):
                assert inspected["text"] == value
                assert inspected["escaped"] == (b"\\" in text)

    def test_what_is_no_json_is_refused_before(self, cases: ModuleType) -> None:
        for text in BAD:
            line = b'{"id":"1","other":' + text + b"}\n"
            native = run(cases.twin, line)
            assert native == run(None, line)
            assert native.startswith(b'{"status":"error"')

    @pytest.mark.parametrize("line", [b"[]", b'"x"', b"1", b"", b"  ", b"{}{}", b"[", b"nul"])
    def test_what_is_no_object_is_refused_before(self, cases: ModuleType, line: bytes) -> None:
        assert run(cases.twin, line) == run(None, line)

    @pytest.mark.parametrize(
        ("text", "integer", "number"),
        [
            ("0", 0, 0.0),
            ("-0", 0, -0.0),
            ("9223372036854775807", 2**63 - 1, 9.223372036854775807e18),
            ("-9223372036854775808", -(2**63), -9.223372036854775808e18),
            ("9223372036854775808", None, 9.223372036854775808e18),
            ("1.0", None, 1.0),
            ("1e2", None, 100.0),
            ("0.1", None, 0.1),
            ("-12.75", None, -12.75),
            ("123456789012345678901234567890", None, 1.2345678901234568e29),
            ("0.30000000000000004", None, 0.30000000000000004),
            ("5e-324", None, 5e-324),
            ("1.7976931348623157e308", None, 1.7976931348623157e308),
            ("0.000000000000000000000000000001", None, 1e-30),
        ],
    )
    def test_numbers(
        self, cases: ModuleType, text: str, integer: int | None, number: float
    ) -> None:
        (inspected,) = lines(run(cases.inspect, b'{"v":%b}' % text.encode()))
        assert inspected.get("integer") == integer
        assert inspected["number"] == number

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_any_double_comes_back(self, cases: ModuleType, number: float) -> None:
        (inspected,) = lines(run(cases.inspect, b'{"v":%b}' % repr(number).encode()))
        assert inspected["number"] == number

    @given(st.text())
    def test_any_text_comes_back(self, cases: ModuleType, text: str) -> None:
        line = json.dumps({"v": text}).encode()
        (inspected,) = lines(run(cases.inspect, line))
        assert inspected["text"] == inspected["value"] == text

    @pytest.mark.parametrize("count", [0, 1, 30, 31, 32, 33, 34, 200])
    @pytest.mark.parametrize("name", [b"v", rb"\u0076"])
    def test_the_last_of_many_members_counts(
        self, cases: ModuleType, count: int, name: bytes
    ) -> None:
        others = b"".join(b'"v%d":{"v":0},' % number for number in range(count))
        line = b'{"v":1,' + others + b'"' + name + b'":2,"vv":3}'
        (inspected,) = lines(run(cases.inspect, line))
        assert inspected["value"] == 2
        (inspected,) = lines(run(cases.inspect, b"{" + others + b'"w":1}'))
        assert (inspected["kind"], inspected["value"]) == (0, None)

    @pytest.mark.parametrize("name", [r"\ud83d\ude00", "\U0001f600", r"v\n\/", "é", r"\u00E9"])
    def test_names_with_escapes(self, cases: ModuleType, name: str) -> None:
        (inspected,) = lines(run(cases.inspect, f'{{"{name}":0,"\\u0076":1}}'.encode()))
        assert inspected["value"] == 1

    @given(
        st.lists(
            st.lists(
                st.tuples(
                    st.sampled_from(
                        [
                            '"a":',
                            '"a" :',
                            '"a": ',
                            '"b":',
                            r'"\u0061":',
                            '"aa":',
                            '"é":',
                            '"a"',
                            "a:",
                        ]
                        + [f'"{"n" * size}":' for size in (11, 12, 13, 14, 60)]
                    ),
                    st.sampled_from(
                        ['""', '"x"', '"é"', r'"\n"', '"' + "y" * 70 + '"', "0", "null", "[1]", '"']
                    ),
                    st.sampled_from([",", ", ", " ,", ";"]),
                ),
                max_size=4,
            ),
            max_size=6,
        ),
        st.integers(0, 70),
    )
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_a_record_does_not_depend_on_the_one_before(
        self,
        cases: ModuleType,
        scan_path: str,
        records: list[list[tuple[str, str, str]]],
        repeated: int,
    ) -> None:
        texts = ["{" + "".join(map("".join, record))[:-1] + "}" for record in records]
        texts += ["{" + ",".join(['"a":"x"'] * repeated) + "}"] * 2
        data = [text.encode() + b"\n" for text in texts + texts[::-1]]
        alone = [run(cases.members, line, first_line=at) for at, line in enumerate(data, 1)]
        assert run(cases.members, b"".join(data)) == b"".join(alone)

    @pytest.mark.parametrize("bad", [b'{"a":"', b'{"a":"x","b":"', b'{"a":nul'])
    def test_a_record_does_not_depend_on_a_bad_one_before(
        self, cases: ModuleType, scan_path: str, bad: bytes
    ) -> None:
        for size in range(70):
            good = b'{"a":"%b","b":"2"}\n' % (b"x" * size)
            out = run(cases.members, good + bad + b'\n{"a":"y","c":[1,2,3,4]}\n', on_error="skip")
            assert out.endswith(b'\n[["a","y",5,1,2],["c",[1,2,3,4],6,1],0]\n')

    def test_line_numbers(self, cases: ModuleType) -> None:
        inspected = lines(run(cases.inspect, b'{"v":1}\n\n{}}\n{"v":2}', first_line=101))
        assert [line["line"] for line in inspected] == [101, 103, 104]


class TestResults:
    """The output that a processor may write."""

    def test_any_number_of_results(self, cases: ModuleType) -> None:
        stream = RecordStream(processor=cases.repeat)
        out = stream.feed(
            b'{"times":2,"text":"a"}\n{"times":0}\n{"text":{"b": 1}}\n{"times":3,"text":null}\n'
        )
        assert out == b'"a"\n"a"\n{"b": 1}\nnull\nnull\nnull\n'
        assert (stream.lines, stream.records, stream.results, stream.errors) == (4, 4, 6, 0)

    @pytest.mark.parametrize("times", [1, 1000, 100_000])
    def test_results_larger_than_their_records(self, cases: ModuleType, times: int) -> None:
        line = b'{"times":%d,"text":"0123456789"}\n' % times
        result = b"[0" + b',"0123456789"' * times + b"]\n"
        assert run(cases.swell, line) == result
        assert run(cases.swell, line * 3 + b"{}}\n" + line).count(result) == 4
        assert run(cases.repeat, line) == b'"0123456789"\n' * times

    def test_a_refused_record_leaves_nothing_but_its_error(self, cases: ModuleType) -> None:
        stream = RecordStream(on_error="emit", processor=cases.refuse)
        out = stream.feed(b'{}\n{"why":"not today"}\n{"why":null}\n{}\n')
        errors = [line for line in lines(out) if isinstance(line, dict)]
        assert [(e["line"], e["code"], e["message"]) for e in errors] == [
            (2, "processor_failed", "not today"),
            (3, "processor_failed", "it left a result without end"),
        ]
        assert out.startswith(b"1\n2\n{")
        assert out.endswith(b"}\n1\n2\n")
        assert stream.errors_by_code() == {"processor_failed": 2}
        assert (stream.records, stream.results, stream.errors) == (2, 4, 2)

    @pytest.mark.parametrize(
        "record",
        [
            b'{"first":":ack 9","second":"1"}',
            b'{"first":"1","second":":end {}"}',
            b'{"first":":","second":":"}',
        ],
    )
    def test_a_result_that_looks_like_a_control_line_is_an_error(
        self, cases: ModuleType, record: bytes
    ) -> None:
        good = b'{"first":"1","second":" :2"}\n'
        stream = RecordStream(on_error="emit", processor=cases.verbatim)
        out = stream.feed(good + record + b"\n" + good)
        before, error, after = out[:6], out[6:-6], out[-6:]
        assert before == after == b"1\n :2\n"
        reported = json.loads(error)
        assert (reported["line"], reported["code"]) == (2, "processor_failed")
        assert reported["message"] == "a result starts with ':'"
        assert (stream.records, stream.results, stream.errors) == (2, 4, 1)

    @given(st.text(max_size=300))
    def test_any_message(self, cases: ModuleType, text: str) -> None:
        out = run(cases.refuse, json.dumps({"why": text}).encode() + b"\n")
        (error,) = lines(out)
        message = text.encode().split(b"\0")[0][:119]
        assert message.startswith(error["message"].encode("latin-1"))
        assert len(out) < 512

    def test_fail_ends_the_stream(self, cases: ModuleType) -> None:
        stream = RecordStream(on_error="fail", processor=cases.refuse)
        out = stream.feed(b'{}\n{"why":"no"}\n{}\n')
        assert out.startswith(b'1\n2\n{"status":"error","line":2')
        assert out.count(b"\n") == 3
        assert stream.failed

    def test_skip_drops_it(self, cases: ModuleType) -> None:
        assert run(cases.refuse, b'{}\n{"why":"no"}\n{}\n', on_error="skip") == b"1\n2\n1\n2\n"


class TestState:
    """A state belongs to one stream."""

    def test_each_stream_has_its_own(self, cases: ModuleType) -> None:
        made, alive = cases.states()
        first = RecordStream(processor=cases.count)
        second = RecordStream(processor=cases.count)
        assert first.feed(b"{}\n{}\n") + second.feed(b"{}\n") + first.feed(b"{}\n") == (
            b"1\n2\n1\n3\n"
        )
        assert cases.states() == (made + 2, alive + 2)
        del first, second
        gc.collect()
        assert cases.states() == (made + 2, alive)

    def test_no_state_no_stream(self, cases: ModuleType) -> None:
        with pytest.raises(MemoryError, match="state"):
            RecordStream(processor=cases.stateless)


class TestCapsules:
    """Invalid processors are rejected before they are called."""

    @pytest.mark.parametrize("wrong", [1, "twin", lambda record: record, object()])
    def test_other_objects(self, wrong: object) -> None:
        with pytest.raises(TypeError, match=r"a capsule named forstcore\.processor"):
            RecordStream(processor=wrong)

    def test_other_capsules(self, cases: ModuleType) -> None:
        with pytest.raises(TypeError, match=r"a capsule named forstcore\.processor"):
            RecordStream(processor=cases.other)

    @pytest.mark.parametrize(("name", "version"), [("future", 3), ("ancient", 0)])
    def test_another_version(self, cases: ModuleType, name: str, version: int) -> None:
        match = rf"version {version} .* this is version 2: build it again"
        with pytest.raises(ValueError, match=match):
            RecordStream(processor=getattr(cases, name))

    def test_an_older_version_still_runs(self, cases: ModuleType) -> None:
        line = b'{"id":"1","data":"x"}\n'
        assert run(cases.past, line) == run(None, line)

    def test_no_function(self, cases: ModuleType) -> None:
        with pytest.raises(ValueError, match="no process function"):
            RecordStream(processor=cases.empty)
