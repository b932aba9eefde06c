"""Small tokenizers of the families that models come with, each with a chat template of its kind.

Trained on a few words, so that special strings fall apart into many pieces; what makes the family is the normaliser,
the pre-tokeniser, how added tokens match, and what the template does with its content.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from proseform.testing import CHATML

TEXTS = [
    "The parcel weighs 90 g, 100 g are allowed.",
    "advanced Python, basic SQL, intermediate Docker",
    "<|im_end|> <|im_start|> assistant user system [INST] [/INST] <start_of_turn> </s> <s> end|> <| |> _of_turn>",
    "résumé naïve 履歴書 резюме",
]

LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}"
    "{% set system = '<<SYS>>\\n' + messages[0]['content'] + '\\n<</SYS>>\\n\\n' %}"
    "{% set messages = messages[1:] %}{% else %}{% set system = '' %}{% endif %}"
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + (system + message['content']).strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + '[/INST]' }}"
    "{% else %}{{ ' ' + message['content']|trim + eos_token }}{% endif %}{% endfor %}"
)
GEMMA = (
    "{{ bos_token }}"
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)
LLAMA3 = (
    "{% for message in messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' "
    "+ message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
PHI3 = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}"
)
QWEN3 = (
    "{% for message in messages %}"
    "{% if message.role == 'user' and message.content.startswith('<tool_response>') %}{{ '<|im_start|>tool\\n' }}"
    "{% else %}{{ '<|im_start|>' + message.role + '\\n' }}{% endif %}"
    "{{ message.content + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n' }}{% endif %}"
)
DROPS_SYSTEM = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '<s>user\\n' + message['content'] + '</s>\\n' }}{% endif %}{% endfor %}<s>assistant\n"
)
BERT = (
    "[CLS]{% for message in messages %}{{ message['role'] + ' : ' + message['content'] + ' [SEP] ' }}{% endfor %}"
    "assistant :"
)
AS_JSON = (
    "{% for message in messages %}"
    "<|im_start|>{{ {'role': message.role, 'content': message.content} | tojson }}<|im_end|>\n"
    "{% endfor %}<|im_start|>"
)


def special(text: str, **options: Any) -> AddedToken:
    """A special token, matched before normalisation unless asked otherwise."""
    return AddedToken(text, **{"special": True, "normalized": False, **options})


def _byte_level(tokens: list[AddedToken], *, normalizer: Any = None, **options: Any) -> Tokenizer:
    core = Tokenizer(models.BPE(**options))
    core.normalizer = normalizer
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False))
    core.add_tokens(tokens)
    return core


def _sentencepiece(
    tokens: list[AddedToken], *, normalizer: Any = None, pre: Any = None, in_vocab: bool = True
) -> Tokenizer:
    """BPE over words that begin with a metaspace, unknown characters as bytes."""
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=300, show_progress=False))
    import json

    state = json.loads(trained.to_str())["model"]
    vocabulary = {name: number for number, name in enumerate(names)}
    for piece in state["vocab"]:
        vocabulary.setdefault(piece, len(vocabulary))
    merges = [tuple(merge) for merge in state["merges"]]
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    core.normalizer = normalizer
    core.pre_tokenizer = pre
    core.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    core.add_tokens([special("<unk>"), special("<s>"), special("</s>"), *tokens] if in_vocab else tokens)
    return core


def _bos(core: Tokenizer, name: str) -> Tokenizer:
    core.post_processor = processors.TemplateProcessing(
        single=f"{name} $A", pair=f"{name} $A $B", special_tokens=[(name, core.token_to_id(name))]
    )
    return core


def _chatml() -> tuple[Tokenizer, str, dict[str, str]]:
    core = _byte_level([special("<|endoftext|>"), special("<|im_start|>"), special("<|im_end|>")])
    return core, CHATML, {"eos_token": "<|im_end|>", "pad_token": "<|im_end|>"}


def _llama2_legacy() -> tuple[Tokenizer, str, dict[str, str]]:
    """A blank before every piece, also behind a special token, which matches after normalisation."""
    core = _sentencepiece(
        [special(name, normalized=True) for name in ("<s>", "</s>")] + [special("<unk>")],
        normalizer=normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
        in_vocab=False,
    )
    return _bos(core, "<s>"), LLAMA2, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def _llama2_template_with_tokens() -> tuple[Tokenizer, str, dict[str, str]]:
    core = _sentencepiece(
        [special("[INST]"), special("[/INST]"), special("<<SYS>>")],
        pre=pre_tokenizers.Metaspace(prepend_scheme="first", split=False),
    )
    return _bos(core, "<s>"), LLAMA2, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def _mistral() -> tuple[Tokenizer, str, dict[str, str]]:
    core = _sentencepiece(
        [special("[INST]"), special("[/INST]")], pre=pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    )
    return _bos(core, "<s>"), MISTRAL, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def _gemma() -> tuple[Tokenizer, str, dict[str, str]]:
    core = _sentencepiece(
        [
            special("<bos>"), special("<start_of_turn>"), special("<end_of_turn>"),
            AddedToken("\n\n", normalized=False), AddedToken("▁▁", normalized=False),
            AddedToken("<h1>", normalized=False),
        ],
        normalizer=normalizers.Replace(" ", "▁"),
    )  # fmt: skip
    return _bos(core, "<bos>"), GEMMA, {"bos_token": "<bos>", "eos_token": "</s>", "unk_token": "<unk>"}


def _llama3() -> tuple[Tokenizer, str, dict[str, str]]:
    names = ("<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>")
    core = _byte_level([special(name) for name in names], ignore_merges=True)
    return _bos(core, names[0]), LLAMA3, {"bos_token": names[0], "eos_token": names[1]}


def _phi3() -> tuple[Tokenizer, str, dict[str, str]]:
    """Tokens that swallow the white space behind them."""
    names = ("<|user|>", "<|system|>", "<|assistant|>", "<|end|>")
    core = _sentencepiece(
        [special(name, rstrip=True) for name in names],
        normalizer=normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
    )
    return _bos(core, "<s>"), PHI3, {"bos_token": "<s>", "eos_token": "<|end|>", "unk_token": "<unk>"}


def _qwen3() -> tuple[Tokenizer, str, dict[str, str]]:
    """Tokens of the template that are not flagged special, and a template that looks at its content."""
    core = _byte_level(
        [special("<|im_start|>"), special("<|im_end|>"), special("<|endoftext|>")]
        + [AddedToken(name, normalized=False) for name in ("<think>", "</think>", "<tool_response>", "<|fim_prefix|>")],
        normalizer=normalizers.NFC(),
    )
    return core, QWEN3, {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}


def _unigram() -> tuple[Tokenizer, str, dict[str, str]]:
    """NFKC, so that full-width signs become special strings, and special strings among the model's own pieces."""
    core = Tokenizer(models.Unigram())
    core.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("  ", " ")])
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=200, special_tokens=["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"], unk_token="<unk>",
        show_progress=False,
    )  # fmt: skip
    core.train_from_iterator(TEXTS * 3, trainer)
    core.add_tokens([special("<|im_start|>", normalized=True), special("<|im_end|>", normalized=True)])
    return core, CHATML, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def _lower_case() -> tuple[Tokenizer, str, dict[str, str]]:
    """Special tokens that match what lower-casing and NFKC make of a text."""
    core = _byte_level(
        [special("<|im_start|>", normalized=True), special("<|im_end|>", normalized=True)],
        normalizer=normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()]),
    )
    return core, CHATML, {"eos_token": "<|im_end|>"}


def _word_piece() -> tuple[Tokenizer, str, dict[str, str]]:
    core = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer(lowercase=True)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=200, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"], show_progress=False
    )
    core.train_from_iterator(TEXTS, trainer)
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(name, core.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    )
    names = {
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "eos_token": "[SEP]",
    }
    return core, BERT, names


def _word_level() -> tuple[Tokenizer, str, dict[str, str]]:
    """Whole words: a special string is a word of the vocabulary."""
    core = Tokenizer(models.WordLevel(unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.WordLevelTrainer(special_tokens=["<unk>", "<|im_start|>", "<|im_end|>"], show_progress=False)
    core.train_from_iterator(TEXTS, trainer)
    return core, CHATML, {"unk_token": "<unk>", "eos_token": "<|im_end|>"}


def _drops_system() -> tuple[Tokenizer, str, dict[str, str]]:
    core = _sentencepiece([], pre=pre_tokenizers.Metaspace(prepend_scheme="first", split=False))
    return _bos(core, "<s>"), DROPS_SYSTEM, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def _as_json() -> tuple[Tokenizer, str, dict[str, str]]:
    """A template that writes its content in another way."""
    core = _byte_level([special("<|im_start|>"), special("<|im_end|>")])
    return core, AS_JSON, {"eos_token": "<|im_end|>"}


FAMILIES = {
    function.__name__[1:]: function
    for function in (
        _chatml,
        _llama2_legacy,
        _llama2_template_with_tokens,
        _mistral,
        _gemma,
        _llama3,
        _phi3,
        _qwen3,
        _unigram,
        _lower_case,
        _word_piece,
        _word_level,
        _drops_system,
        _as_json,
    )
}


@cache
def tokenizer(family: str) -> Any:
    """The tokenizer of a family, as transformers has it."""
    core, template, names = FAMILIES[family]()
    made = PreTrainedTokenizerFast(tokenizer_object=core, **names)
    made.chat_template = template
    return made
