"""Ids are the chat template's own, and no control token ever covers a character of theirs."""

from __future__ import annotations

import json
import unicodedata
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proseform.errors import ConfigError, StoreError
from proseform.infer import controls, tokens
from proseform.infer.layout import laid_out
from proseform.input import MOST_FINDINGS, Input
from proseform.prompt import Prompt, Rendered, Turn
from tests.infer.families import FAMILIES, tokenizer

FRAGMENTS = (
    "<|im_end|>", "<|im_start|>assistant\n", "<|im_", "end|>", "<|", "|>", "<", ">", "[INST]", "[/INST]", "[", "]",
    "</s>", "<s>", "s>", "<start_of_turn>model\n", "<end_of_turn>", "<|eot_id|>", "<|start_header_id|>", "<|end|>",
    "<|user|>", "<unk>", "[UNK]", "[SEP]", "<think>", "</think>", "<tool_response>", "<|fim_prefix|>", "<h1>", "<bos>",
    "<0x0A>", "\uff1c|im_end|\uff1e", "<|IM_END|>",
    "<<SYS>>", " ", "  ", "\n", "\n\n", "\t", "a", "Ana Silva", "SQL", "\u0131",
    "\u2581", "\u2581\u2581", "\u0120", "é", "e\u0301", "履歴書",
    "😀", "\ufb01", "\U000f0000", "\U000f0001", "\u1401", "\ue000", "{cv}", "{{ bos_token }}", "{% endif %}",
    "!", "\u00a0",
)  # fmt: skip
THEIRS = st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join) | st.text(max_size=20)
PROMPTS = st.sampled_from(
    (
        Prompt("chat", "You weigh parcels.", "CV: {cv}\nJob: {job}"),
        Prompt("chat", "", "{cv}{job}"),
        Prompt("chat", "You weigh.", "<|im_{cv}end|> [{job}INST] <{cv}s>"),  # neighbours that would complete a token
        Prompt("chat", "", "{cv}|>"),
        Prompt("plain", "Text to JSON.", "Text: {cv}\nFields: {job}\nJSON:"),
        Prompt("plain", "", "<|im_{cv}end|>"),
    )
)
EXACT = ("chatml", "llama3", "qwen3", "llama2_template_with_tokens", "mistral", "drops_system")
"""Families whose ids decode to what was encoded, blanks at the ends aside."""
THOROUGH = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def control(family: str, ids: list[int]) -> list[str]:
    """The names of the control tokens among ids, but for the one that stands for unknown text."""
    known = controls.of(tokenizer(family))
    return [known.names[one] for one in ids if one in known.names and known.names[one] not in known.unknown]


@pytest.mark.parametrize("family", FAMILIES)
@THOROUGH
@given(text=THEIRS)
def test_control_tokens_that_a_text_spells_are_noticed_also_where_no_tokenizer_is_asked(family, text):
    known = controls.of(tokenizer(family))
    assert known.spans(text) == [(start, end) for _, start, end in known.read(text).controls]


def own(family: str, rendered: Rendered) -> list[int]:
    """The ids that transformers gives; the system's turn folded where the template has none."""
    if rendered.style == "plain":
        return tokenizer(family)(rendered.text)["input_ids"]
    asked = rendered.folded() if family in {"mistral", "gemma", "drops_system"} else rendered
    return tokenizer(family).apply_chat_template(asked.messages, add_generation_prompt=True, return_dict=False)


def quiet(*values: str) -> dict[str, str]:
    """Harmless values, blank where these are blank: two halves of ours with nothing between are one string of ours."""
    shown = [Input.of(value).text for value in values]
    return {name: "a" if text.strip() else text for name, text in zip(("cv", "job"), shown, strict=True)}


@pytest.mark.parametrize("family", FAMILIES)
@THOROUGH
@given(prompt=PROMPTS, cv=THEIRS, job=THEIRS)
def test_ids_are_the_templates_own_and_their_text_adds_no_control_token(family, prompt, cv, job):
    rendered = prompt.render({"cv": cv, "job": job})
    harmless = control(family, own(family, prompt.render(quiet(cv, job))))
    ids, theirs = tokens.encode(tokenizer(family), rendered), own(family, rendered)
    assert control(family, ids) == harmless
    spelt = any(name in piece for name in controls.of(tokenizer(family)).unknown for piece in rendered.theirs)
    if control(family, theirs) == harmless and not spelt and not _looks_like_a_tool(family, rendered):
        assert ids == theirs


def _looks_like_a_tool(family: str, rendered: Rendered) -> bool:
    """A template of Qwen's kind looks at the beginning of its content: what it writes is theirs to choose."""
    return family == "qwen3" and rendered.turns[-1].content.startswith("<tool_response>")


@pytest.mark.parametrize("family", EXACT)
@THOROUGH
@given(prompt=PROMPTS, cv=THEIRS, job=THEIRS)
def test_all_of_their_text_stands_between_control_tokens(family, prompt, cv, job):
    """Ids between two control tokens decode to whole pieces of theirs: none is lost, split or covered."""
    made = tokenizer(family)
    rendered = prompt.render({"cv": cv, "job": job})
    layout, known = laid_out(made, rendered), controls.of(made)
    ids = tokens.encode(made, rendered)
    runs = [list(run) for ours, run in groupby(ids, lambda one: one in known.names) if not ours]
    decoded = [made.decode(run) for run in runs]
    assert layout.text is not None
    for start, end in layout.theirs:
        assert any(_spaced(layout.text[start:end]) in _spaced(text) for text in decoded), (decoded, layout.text)


def _spaced(text: str) -> str:
    """As normalisation leaves it, and with blanks for the sign that SentencePiece takes for one."""
    return unicodedata.normalize("NFC", text).replace("\u2581", " ")


@pytest.mark.parametrize("family", ["chatml", "llama3", "qwen3"])
@THOROUGH
@given(prompt=PROMPTS, cv=THEIRS, job=THEIRS)
def test_byte_level_ids_decode_to_the_prompt(family, prompt, cv, job):
    rendered = prompt.render({"cv": cv, "job": job})
    text = tokenizer(family).backend_tokenizer.normalizer
    layout = laid_out(tokenizer(family), rendered)
    decoded = tokenizer(family).decode(tokens.encode(tokenizer(family), rendered))
    expected = text.normalize_str(layout.text) if text else layout.text
    bos = "<|begin_of_text|>" if family == "llama3" and rendered.style == "plain" else ""
    assert decoded == bos + expected or _looks_like_a_tool(family, rendered)


@pytest.mark.parametrize("family", FAMILIES)
@THOROUGH
@given(text=THEIRS)
def test_a_completion_holds_no_control_token_and_has_no_blank_put_before_it(family, text):
    ids = tokens.continuation(tokenizer(family), text)
    assert control(family, ids) == []
    if family in EXACT and text:
        prompt = tokens.encode(tokenizer(family), Prompt("chat", "", "{a}").render({"a": "x"}))
        made = tokenizer(family)
        expected = made.backend_tokenizer.normalizer.normalize_str(text) if family == "qwen3" else text
        assert _spaced(made.decode(prompt + ids)) == _spaced(made.decode(prompt) + expected)


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "as_json"])
@THOROUGH
@given(prompt=PROMPTS, cv=THEIRS, job=THEIRS)
def test_what_is_broken_visibly_is_a_control_token_nowhere(family, prompt, cv, job):
    """For engines that take text: even read by the tokenizer as it is, nothing of theirs is one."""
    made = tokenizer(family)
    rendered = prompt.render({"cv": cv, "job": job})
    broken = tokens.broken(rendered, made)
    assert tokens.broken(broken, made) == broken
    assert control(family, own(family, broken)) == control(family, own(family, prompt.render(quiet(cv, job))))
    assert [one.ours for turn in broken.turns for one in turn.segments] == [
        one.ours for turn in rendered.turns for one in turn.segments
    ]
    shown = "".join(broken.theirs)
    assert shown.replace(" ", "") == "".join(rendered.theirs).replace(" ", "")


def test_a_special_string_is_broken_where_a_reader_sees_it():
    rendered = Prompt("chat", "<|im_end|>", "{cv}end|>").render({"cv": "x<|im_end|>y<|im_"})
    assert tokens.broken(rendered).turns[-1].content == "x< |im_end|>y< |im_end|>"
    assert tokens.broken(rendered).turns[0].content == "<|im_end|>"  # ours stays


def test_an_innocent_prompt_is_not_touched():
    rendered = Prompt("chat", "S", "{cv}").render({"cv": "if a < b | c > d: [x](y) <h1>"})
    assert tokens.broken(rendered, tokenizer("chatml")) == rendered


def test_findings_say_which_and_where_in_what_was_given():
    value = Input.of("Ana\x00 <|im_end|>\r\nx<|im_start|>")
    first, second = tokens.findings(value, tokenizer("chatml"))
    assert (first.kind, value.raw[first.start : first.end]) == ("special_token", "<|im_end|>")
    assert value.raw[second.start : second.end] == "<|im_start|>"
    assert "'<|im_end|>'" in first.message
    assert [one.start for one in tokens.findings(value)] == [first.start, second.start]  # no tokenizer at hand
    assert tokens.findings(Input.of("[INST]"), tokenizer("chatml")) == ()


def test_many_special_strings_are_counted():
    found = tokens.findings(Input.of("<|im_end|>" * 50), tokenizer("chatml"))
    assert len(found) == MOST_FINDINGS + 1
    assert "30 more" in found[-1].message


@pytest.mark.parametrize("family", ["mistral", "gemma", "drops_system"])
def test_a_template_without_a_system_turn_gets_its_words_in_the_users(family):
    rendered = Prompt("chat", "You weigh parcels.", "CV: {cv}").render({"cv": "Ana"})
    assert "You weigh parcels.\n\nCV: Ana" in tokens.text(tokenizer(family), rendered)


def test_a_template_with_a_system_turn_keeps_it():
    rendered = Prompt("chat", "You weigh parcels.", "CV: {cv}").render({"cv": "Ana"})
    assert tokens.text(tokenizer("chatml"), rendered).startswith("<|im_start|>system\nYou weigh parcels.<|im_end|>")
    alone = Prompt("chat", "", "{cv}").render({"cv": "x"})
    assert alone.folded() == alone


def test_a_template_that_refuses_the_conversation_is_named():
    rendered = Rendered("chat", (Turn("assistant", ()), Turn("user", ())))
    with pytest.raises(
        ConfigError, match="refuses a conversation of assistant, user: Conversation roles must alternate"
    ):
        tokens.encode(tokenizer("mistral"), rendered)


def test_a_tokenizer_without_a_chat_template_is_refused():
    from transformers import PreTrainedTokenizerFast

    bare = PreTrainedTokenizerFast(tokenizer_object=FAMILIES["chatml"]()[0])
    with pytest.raises(ConfigError, match="no chat template"):
        tokens.encode(bare, Prompt("chat", "", "x").render({}))
    assert tokens.encode(bare, Prompt("plain", "", "x").render({}))


def test_tokens_that_are_added_later_are_known():
    from transformers import PreTrainedTokenizerFast

    core, template, names = FAMILIES["chatml"]()
    made = PreTrainedTokenizerFast(tokenizer_object=core, **names)
    made.chat_template = template
    rendered = Prompt("chat", "", "{cv}").render({"cv": "a [END] b"})
    before = tokens.encode(made, rendered)
    made.add_tokens(["[END]"], special_tokens=True)
    assert tokens.encode(made, rendered) == before


def test_words_that_are_added_tokens_stay_words():
    """What somebody adds to a vocabulary is no control token."""
    from transformers import PreTrainedTokenizerFast

    core, template, names = FAMILIES["chatml"]()
    made = PreTrainedTokenizerFast(tokenizer_object=core, **names)
    made.chat_template = template
    made.add_tokens(["Kubernetes", "user"])
    rendered = Prompt("chat", "", "{cv}").render({"cv": "user of Kubernetes"})
    ids = tokens.encode(made, rendered)
    assert made.convert_tokens_to_ids("Kubernetes") in ids
    assert ids == made.apply_chat_template(rendered.messages, add_generation_prompt=True, return_dict=False)


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def saved(request, tmp_path_factory):
    """A family's tokenizer as a bundle holds it."""
    folder = tmp_path_factory.mktemp(request.param)
    tokenizer(request.param).save_pretrained(folder)
    return request.param, folder


@THOROUGH
@given(prompt=PROMPTS, cv=THEIRS, job=THEIRS)
def test_a_bundles_tokenizer_gives_what_transformers_gives(saved, prompt, cv, job):
    family, folder = saved
    mine = _loaded(folder)
    rendered = prompt.render({"cv": cv, "job": job})
    assert tokens.text(mine, rendered) == tokens.text(tokenizer(family), rendered)
    assert tokens.encode(mine, rendered) == tokens.encode(tokenizer(family), rendered)
    assert tokens.continuation(mine, cv) == tokens.continuation(tokenizer(family), cv)


def _loaded(folder: Path, known: dict[Path, tokens.BundleTokenizer] = {}) -> tokens.BundleTokenizer:  # noqa: B006
    """Loaded once a folder."""
    if folder not in known:
        known[folder] = tokens.BundleTokenizer.load(folder)
    return known[folder]


def test_a_bundles_tokenizer_reads_older_files(tmp_path):
    """The template in the configuration, alone or by name; named tokens as objects, in a file of their own."""
    tokenizer("chatml").save_pretrained(tmp_path)
    template = (tmp_path / "chat_template.jinja").read_text()
    (tmp_path / "chat_template.jinja").unlink()
    rendered = Prompt("chat", "S", "{cv}").render({"cv": "x"})
    expected = tokens.encode(tokenizer("chatml"), rendered)
    for value in (template, [{"name": "tool_use", "template": "x"}, {"name": "default", "template": template}]):
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": value}))
        (tmp_path / "special_tokens_map.json").write_text(json.dumps({"eos_token": {"content": "<|im_end|>"}}))
        mine = tokens.BundleTokenizer.load(tmp_path)
        assert tokens.encode(mine, rendered) == expected
        assert mine.eos_token_id == tokenizer("chatml").eos_token_id
        assert mine.decode(expected) == tokenizer("chatml").decode(expected)


def test_a_folder_without_a_tokenizer_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"no tokenizer\.json"):
        tokens.BundleTokenizer.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(StoreError, match=r"tokenizer\.json: no tokenizer"):
        tokens.BundleTokenizer.load(tmp_path)


def test_a_template_cannot_reach_out_of_its_sandbox(tmp_path):
    tokenizer("chatml").save_pretrained(tmp_path)
    (tmp_path / "chat_template.jinja").write_text("{{ messages.__class__.__mro__[1].__subclasses__() }}")
    with pytest.raises(ConfigError, match="refuses a conversation"):
        tokens.encode(tokens.BundleTokenizer.load(tmp_path), Prompt("chat", "", "x").render({}))
    (tmp_path / "chat_template.jinja").write_text("{% for %}")
    with pytest.raises(ConfigError, match="cannot be compiled"):
        tokens.encode(tokens.BundleTokenizer.load(tmp_path), Prompt("chat", "", "x").render({}))
