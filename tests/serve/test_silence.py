"""Nothing of an input is in an error, a log, a metric or a trace: a marker stands in every place of one, and is sought.

Whoever asked gets it back in an answer alone, which quotes what it was asked.
"""

import base64
import json
import logging
import struct

import pytest

from proseform import testing
from proseform.documents import MAX_CHARS
from proseform.serve import logs
from tests.serve import recorded
from tests.serve.light import INPUTS, JSON, PROSE, light

MARK = "Quillfeather"
TEXT = f"a map, 90 g, for {MARK}"
OURS, CHAT, V1, V2 = (
    "/v1/tasks/toy/answer",
    "/openai/v1/chat/completions",
    "/v1/models/proseform-toy:predict",
    "/v2/models/proseform-toy/infer",
)
FORM = {"content-type": "multipart/form-data; boundary=b"}


def form(filename, data):
    head = f'--b\r\nContent-Disposition: form-data; name="parcel"; filename="{filename}"\r\n\r\n'.encode()
    return head + data + b'\r\n--b\r\nContent-Disposition: form-data; name="rule"\r\n\r\nx\r\n--b--\r\n'


def tensors(text):
    return [
        {"name": name, "shape": [1], "datatype": "BYTES", "data": [value]}
        for name, value in {**INPUTS, "parcel": text}.items()
    ]


def binary(data):
    parcel = {"name": "parcel", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(data)}}
    head = json.dumps({"inputs": [parcel, tensors("x")[1]]}).encode()
    return head + data, {"inference-header-content-length": str(len(head))}


def chat(content, **rest):
    return {"model": "toy", "messages": [{"role": "user", "content": content}], **rest}


def case(text=TEXT, **rest):
    return {"inputs": {**INPUTS, "parcel": text}, **rest}


ELEMENT = struct.pack("<I", len(TEXT)) + TEXT.encode()
PLACES = {
    "our text": (OURS, case()),
    "our stream": (OURS, case(stream=True)),
    "a critical case": (OURS, case(samples=2)),
    "an object": (OURS, case({"text": TEXT})),
    "a file": (OURS, form("a.txt", TEXT.encode()), FORM),
    "a file's name": (OURS, form(f"{MARK} CV.txt", TEXT.encode()), FORM),
    "V1": (V1, {"instances": [case()["inputs"]]}),
    "V2": (V2, {"inputs": tensors(TEXT)}),
    "V2 in bytes": (V2, *binary(ELEMENT)),
    "a message": (CHAT, chat(json.dumps(case()["inputs"]))),
    "parts": (CHAT, chat([{"type": "text", "name": name, "text": TEXT} for name in INPUTS])),
    "prose": (CHAT, chat(TEXT, model="toy/formatter")),
}
FAULTY = {
    "cut JSON": (OURS, b'{"inputs": {"parcel": "' + TEXT.encode()),
    "doubled": (OURS, b'{"inputs": {}} ' + TEXT.encode()),
    "not an object": (OURS, TEXT),
    "another type": (OURS, case([TEXT])),
    "another object": (OURS, case({"name": TEXT})),
    "too long": (OURS, case(TEXT * (MAX_CHARS // len(TEXT) + 1))),
    "no such input": (OURS, {"inputs": {"other": TEXT, **INPUTS}}),
    "a file of no kind": (OURS, form(f"{MARK}.png", b"\x89PNG\r\n\x1a\n" + TEXT.encode()), FORM),
    "a broken PDF": (OURS, form(f"{MARK}.pdf", b"%PDF-1.7 " + TEXT.encode()), FORM),
    "V1 of another type": (V1, {"instances": [TEXT]}),
    "V2 of another type": (V2, {"inputs": [{**tensors("x")[0], "data": {"a": TEXT}}]}),
    "V2 of another shape": (V2, {"inputs": [{**tensors(TEXT)[0], "shape": [7]}]}),
    "V2 in bytes, cut": (V2, *binary(ELEMENT + b"\x05")),
    "a message of text": (CHAT, chat(TEXT)),
    "a message of a list": (CHAT, chat(json.dumps([TEXT]))),
    "a message of another": (CHAT, {"model": "toy", "messages": [{"role": "system", "content": TEXT}]}),
    "a part without a name": (CHAT, chat([{"type": "text", "text": TEXT}, {"type": "text", "text": TEXT}])),
    "a file that is no base64": (
        CHAT,
        chat([{"type": "file", "file": {"filename": f"{MARK}.txt", "file_data": TEXT}}]),
    ),
    "a file of no kind in a message": (
        CHAT,
        chat(
            [{"type": "file", "file": {"filename": f"{MARK}.png", "file_data": base64.b64encode(b"\x89PNG").decode()}}]
        ),
    ),
}
MODELS = {
    "right": None,
    "prose of no form": (f"{MARK} is fine.", JSON),
    "prose that quotes another": (PROSE.replace("a map", MARK.lower()), JSON),
    "JSON that is none": (PROSE, f'{{"verdict": {MARK}'),
    "JSON with more behind": (PROSE, f"{JSON} {MARK}"),
    "JSON with a key twice": (PROSE, f'{{"{MARK}": 1, "{MARK}": 2}}'),
    "JSON of another schema": (PROSE, json.dumps({**json.loads(JSON), "verdict": MARK})),
    "JSON that departs": (PROSE, json.dumps({**json.loads(JSON), "note": MARK.lower()})),
    "a fault": (RuntimeError(MARK), JSON),
    "a fault behind a fault": (ExceptionGroup(MARK, [ValueError(MARK)]), JSON),
}
UNSEEN = {"prose of no form", "prose that quotes another", "JSON that departs", "a fault", "a fault behind a fault"}
"""What the formatter alone does not meet: it asks no evaluator, and knows no input."""


@pytest.fixture(scope="module")
def server():
    """One server for all, whose models say what is in force."""
    said = {}

    def script(request):
        evaluator, formatter = said["texts"]
        return evaluator if request.role == "evaluator" else formatter

    engine = testing.ScriptedEngine(testing.toy_bundle(testing.toy_task()), script)
    with recorded.kept() as exporter, light(engine=engine) as serving:
        serving.said, serving.traced = said, exporter
        yield serving


def asked(server, path, body, headers=None):
    """The status and text of a response."""
    line = server.line()
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    line.request("POST", path, data, {"content-type": "application/json", **(headers or {})})
    response = line.getresponse()
    return response.status, response.read().decode(errors="replace")


def outside(server, caplog, capfd):
    """All that is seen from outside of the answers."""
    line = server.line()
    line.request("GET", "/metrics")
    told = capfd.readouterr()
    written = map(logs.Json().format, caplog.records)
    traced = [one.to_json() for one in server.traced.get_finished_spans()]
    assert traced
    server.traced.clear()
    return "\n".join([line.getresponse().read().decode(), caplog.text, *written, *traced, told.out, told.err]).lower()


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_no_models_text_is_in_an_error_a_log_or_a_metric(server, place, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    for name, texts in MODELS.items():
        server.said["texts"] = texts or (PROSE, JSON)
        status, text = asked(server, *place)
        if texts is None:
            assert status == 200, text
            continue
        # drafts are the caller's own, and what follows them is the error
        shown = "".join(part for part in text.split("\n\n") if not part.startswith("event: draft"))
        refused = status >= 400 or "event: error" in shown
        if place is PLACES["prose"] and name in UNSEEN:
            continue
        assert refused, (name, text)
        assert MARK.lower() not in shown.lower(), name
    assert MARK.lower() not in outside(server, caplog, capfd)


@pytest.mark.parametrize("place", FAULTY.values(), ids=FAULTY)
def test_no_input_is_in_the_error_that_it_causes(server, place, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    server.said["texts"] = (PROSE, JSON)
    status, text = asked(server, *place)
    assert 400 <= status < 500, text
    assert MARK.lower() not in text.lower()
    assert MARK.lower() not in outside(server, caplog, capfd)
