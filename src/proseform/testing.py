"""For tests, here and in tasks of your own: a toy task, an engine that says what it is told, a bundle of random weights.

The toy task judges whether a parcel is light enough: small enough to read at a glance, yet it keeps every law.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from proseform import digest
from proseform.bundle import Bundle, Generation, Part
from proseform.case import Case
from proseform.errors import InputError, ProseformError
from proseform.infer import Completion, OnText, Request
from proseform.input import Input
from proseform.prompt import Prompt
from proseform.schema import Schema
from proseform.task import Task
from proseform.verdict import Reason, Verdict

Script = Callable[[Request], str | Exception | Awaitable[str | Exception]]
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "verdict": {"enum": ["send", "refuse"]},
        "grams": {"type": "integer", "minimum": 0, "maximum": 999},
        "note": {"type": "string", "maxLength": 40},
    },
    "required": ["verdict", "grams", "note"],
    "additionalProperties": False,
}
_PROSE = re.compile(
    r"The parcel weighs (\d{1,3}) g, (\d{1,3}) g are allowed\. Note: ([a-z ]{1,40})\. Verdict: (send|refuse)\."
)
_THINGS = ("a wool hat", "two books", "a tin of tea", "a clay cup", "some seeds", "a map")


def toy_task() -> Task:
    """A task in code: inputs ``parcel`` and ``rule``, a schema of three fields, two levels, two formats."""
    rubrics = {"variants": {"plain": {"right": 0.6, "form": 0.4}}, "exponents": {"right": 4}}
    system = "You weigh parcels."
    return Task(
        name="toy",
        title="Is the parcel light enough?",
        inputs=("parcel", "rule"),
        levels=("easy", "hard"),
        formats={"brief": ("verdict", "grams"), "full": ("verdict", "grams", "note")},
        schema=Schema(SCHEMA, "toy/schema.json"),
        evaluator=Prompt("chat", system, "Parcel: {parcel}\nRule: {rule}"),
        formatter=Prompt("plain", "Text to JSON. No talk.", "Text: {prose}\nFields: {schema}\nJSON:", '{"'),
        rubrics=rubrics,
        variant="plain",
        gold=tuple(_generate("easy", "train", 7, 2)),
        generate=_generate,
        annotate=_annotate,
        read=_read,
        terms={"right": _right, "form": lambda prose, _case: float(_read(prose, {}).ok)},
        from_json=_from_json,
        contract=digest.of_json({"toy": 1, "schema": SCHEMA, "system": system}),
        data=digest.of_json({"toy": 1, "rubrics": rubrics}),
        guide="Say what the parcel weighs, what is allowed, what is in it, and whether to send or refuse it.",
        unread=_unread,
    )


def toy_bundle(task: Task, **changes: Any) -> Bundle:
    """A bundle of a task that has no files, for scripted engines."""
    part = {"base": "base", "base_digest": digest.of_json("none")}
    known = {
        "task": task.name,
        "task_contract": task.contract,
        "task_data": task.data,
        "evaluator": Part(prompt=task.evaluator, generation=Generation(96, 2048), **part),
        "formatter": Part(prompt=task.formatter, generation=Generation(128, 2048), **part),
        "schema": task.schema.document,
    }
    return Bundle(**{**known, **changes})


class ScriptedEngine:
    """An engine that says what it is told.

    Args:
        bundle: What it claims to run.
        script: A function from a request to its text, awaited where it is a coroutine, or texts that are said in order
            (prefill included). An exception in the place of a text is raised.
        finish: How every completion ends.
    """

    ends = False
    tokenizer = None

    def __init__(self, bundle: Bundle, script: Script | Sequence[str | Exception], finish: str = "stop") -> None:
        self.bundle = bundle
        self.requests: list[Request] = []
        self._script = script if callable(script) else _in_order(script)
        self._finish = finish

    async def complete(self, request: Request, on_text: OnText | None = None) -> Completion:
        """See :meth:`proseform.infer.Engine.complete`; every request is kept in ``requests``."""
        self.requests.append(request)
        text = self._script(request)
        if isinstance(text, Awaitable):
            text = await text
        if isinstance(text, Exception):
            raise text
        for piece in re.findall(r"\s*\S+|\s+$", text) if on_text else ():
            on_text(piece)  # type: ignore[misc]  # it is there
        return Completion(text, self._finish, 1, 0.0)  # type: ignore[arg-type]

    async def complete_all(self, requests: Sequence[Request]) -> list[Completion | ProseformError]:
        """See :meth:`proseform.infer.Engine.complete_all`; one after another."""
        outcomes: list[Completion | ProseformError] = []
        for request in requests:
            try:
                outcomes.append(await self.complete(request))
            except ProseformError as error:
                outcomes.append(error)
        return outcomes

    async def check(self, request: Request) -> None:
        """Every schema will do."""

    async def room(self, request: Request) -> int | None:
        """Nobody can count."""
        del request
        return None

    async def close(self) -> None:
        """Nothing to release."""


def tokenizer(texts: Sequence[str], entries: int = 400) -> Any:
    """A byte-level BPE tokenizer with a ChatML template, trained on some texts: any text can be written in it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    special = ["<|pad|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=entries, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    core.train_from_iterator(texts, trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<|pad|>", eos_token="<|im_end|>")  # noqa: S106 - tokens, no secrets
    made.chat_template = CHATML
    return made


def random_bundle(folder: Path, task: Task, *, seed: int = 0, adapters: bool = False, max_length: int = 2048) -> Path:
    """A bundle whose models know nothing: Qwen3, 2 layers, width 64, fresh weights.

    Args:
        folder: Where to put it; made.
        task: Whose prompts and schema it carries.
        seed: Of the weights.
        adapters: One base with a LoRA adapter for each role, instead of one model for each role.
        max_length: The models' position limit, in tokens.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    cases = list(task.generate(task.levels[0], "train", 0, 20))
    words = tokenizer(
        [
            text
            for case in cases
            for text in (*case.inputs.values(), case.prose, json.dumps(case.answer, ensure_ascii=False))
        ]
    )
    config = Qwen3Config(
        vocab_size=len(words), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
        head_dim=32, max_position_embeddings=max_length, tie_word_embeddings=True, initializer_range=0.2, bos_token_id=None,
        eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
    )  # fmt: skip

    def save(name: str, at: int) -> dict[str, str]:
        torch.manual_seed(at)
        Qwen3ForCausalLM(config).save_pretrained(folder / name)
        words.save_pretrained(folder / name)
        return {"base": name, "base_digest": digest.of_files(folder / name)}

    if adapters:
        base = save("base", seed)
        parts = {
            role: {**base, **_adapter(folder, role, seed + step)}
            for step, role in enumerate(("evaluator", "formatter"))
        }
    else:
        parts = {role: save(role, seed + step) for step, role in enumerate(("evaluator", "formatter"))}
    made = toy_bundle(
        task,
        evaluator=Part(prompt=task.evaluator, generation=Generation(48, max_length), **parts["evaluator"]),
        formatter=Part(prompt=task.formatter, generation=Generation(160, max_length), **parts["formatter"]),
        settings={"dtype": "float32"},
    )
    made.write(folder)
    return folder


def _adapter(folder: Path, role: str, seed: int) -> dict[str, str]:
    """A LoRA adapter of random weights over ``base``."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed + 1000)
    base = AutoModelForCausalLM.from_pretrained(folder / "base")
    model = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))
    model.save_pretrained(folder / role)
    return {"adapter": role, "adapter_digest": digest.of_files(folder / role)}


def _generate(level: str, split: str, seed: int, count: int) -> Iterator[Case]:
    """Parcels; what is in them is spread over the splits."""
    rng = random.Random(f"{level}/{split}/{seed}")
    place = ("train", "valid", "test").index(split)
    for number in range(count):
        thing = rng.choice(_THINGS[place::3])
        allowed = rng.randrange(1, 10) * (100 if level == "easy" else 37)
        grams = rng.randrange(1, 1000)
        verdict = "send" if grams <= allowed else "refuse"
        yield Case(
            id=f"{level}-{split}-{seed}-{number}",
            level=level,
            split=split,  # type: ignore[arg-type]
            inputs={"parcel": f"{thing}, {grams} g", "rule": f"at most {allowed} g"},
            prose=f"The parcel weighs {grams} g, {allowed} g are allowed. Note: {thing}. Verdict: {verdict}.",
            answer={"verdict": verdict, "grams": grams, "note": thing},
            groups=(f"thing:{thing}",),
            facts={"allowed": allowed},
        )


def _unread(case: Case) -> tuple[str, ...]:
    """What can be written without the parcel: the rule is read, the weight is guessed."""
    grams = case.facts["allowed"]
    return (f"The parcel weighs {grams} g, {grams} g are allowed. Note: a map. Verdict: send.",)


def _annotate(case: Case, rng: random.Random) -> str:
    """A careless annotator guesses the verdict now and then."""
    if rng.random() < 0.3:  # noqa: PLR2004
        return case.prose.replace(f"Verdict: {case.answer['verdict']}", f"Verdict: {rng.choice(['send', 'refuse'])}")
    return case.prose


def _read(prose: str, _inputs: Mapping[str, Input]) -> Verdict:
    """What the prose states."""
    found = _PROSE.fullmatch(prose.strip())
    if found is None:
        return Verdict(reason=Reason.FORM, where="prose", detail="not 'The parcel weighs … Verdict: ….'")
    return Verdict({"verdict": found[4], "grams": int(found[1]), "note": found[3]})


def _right(prose: str, case: Case) -> float:
    """Share of the fields that are right; 0 where nothing can be read."""
    verdict = _read(prose, {})
    return (
        sum(verdict.value[name] == gold for name, gold in case.answer.items()) / len(case.answer) if verdict.ok else 0.0
    )


def _from_json(name: str, value: Any) -> str:
    """``{"text": …}`` is read as its text."""
    if isinstance(value, Mapping) and isinstance(value.get("text"), str):
        return str(value["text"])
    raise InputError(f"Input '{name}': expected an object with 'text'.")


def _in_order(texts: Sequence[str | Exception]) -> Script:
    """Texts one after another."""
    rest = iter(texts)
    return lambda _request: next(rest)
