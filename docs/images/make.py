"""Take this folder's pictures of the page, in Debian's Chromium.

    python -m docs.images.make [FOLDER]

writes ``page.png``, ``page-phone.png`` and ``page-two.png`` into this folder unless another is named. Server and page
are the real ones. The engines give gold prose and JSON of a task's cases, at the pace of a small model; of the second
bundle one reading is wrong. So the pictures show the page, and not what a model can do.
"""

from __future__ import annotations

import asyncio
import copy
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proseform import task as tasks
from proseform import testing
from proseform.infer import Completion, OnText, Request
from proseform.serve.guard import Local
from proseform.serve.page import examples
from tests.serve.browser import chromium, opened, tab
from tests.serve.light import light

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from proseform.case import Case
    from proseform.task import Task

ROOT = Path(__file__).parents[2]
DESK, PHONE = {"width": 1200, "height": 720}, {"width": 390, "height": 844}
WORD_S = {"evaluator": 0.02, "formatter": 0.01}
"""Seconds a word."""


class Gold(testing.ScriptedEngine):
    """An engine that knows one case: its prose, word by word, and its JSON.

    Args:
        task: The task.
        case: The case.
        base: Of what its evaluator claims to be trained, so that bundles differ.
        prose: Written before the case's own; not what the task reads.
    """

    def __init__(self, task: Task, case: Case, base: str = "base", *before: str) -> None:
        bundle = testing.toy_bundle(task)
        super().__init__(replace(bundle, evaluator=replace(bundle.evaluator, base=base)), [])
        self._texts = {"evaluator": [*before, case.prose], "formatter": [json.dumps(case.answer, ensure_ascii=False)]}

    async def complete(self, request: Request, on_text: OnText | None = None) -> Completion:
        """See :meth:`proseform.infer.Engine.complete`."""
        began, texts = time.monotonic(), self._texts[request.role]
        text = texts.pop(0) if len(texts) > 1 else texts[0]
        words = text.split(" ")
        for place, word in enumerate(words):
            await asyncio.sleep(WORD_S[request.role])
            if on_text is not None:
                on_text(f" {word}" if place else word)
        return Completion(text, "stop", len(words), time.monotonic() - began)


def main(folder: Path) -> None:
    """Write the pictures."""
    cv = tasks.load("cv")
    tickets = tasks.load(tasks.located(str(ROOT / "examples" / "tasks" / "tickets")))
    at, case = next((place, one) for place, one in enumerate(examples(cv)) if _varied(one))
    place, ticket = next((place, one) for place, one in enumerate(examples(tickets)) if _clear(one))
    with chromium() as browser:
        with _served(cv, [Gold(cv, case, "base", "A strong candidate, on the whole.")]) as base:
            with _page(browser, base, viewport=DESK) as page:
                _judged(page, at)
                page.locator(".quoted").nth(3).dispatch_event("pointerover")
                _taken(page, folder / "page.png")
            with _page(browser, base, viewport=PHONE) as page:
                _judged(page, at)
                page.locator(".result").scroll_into_view_if_needed()
                page.screenshot(path=folder / "page-phone.png")
        engines = [Gold(tickets, ticket), Gold(tickets, _misread(tickets, ticket), "other")]
        with _served(tickets, engines) as base, _page(browser, base, viewport=DESK, color_scheme="dark") as page:
            page.get_by_label("Bundle").select_option(index=1)
            page.get_by_label("Beside it").select_option(index=2)
            _judged(page, place)
            page.get_by_text("The two answers agree").wait_for()
            _taken(page, folder / "page-two.png")


def _varied(case: Case) -> bool:
    """Whether a CV shows one thing that is asked for, another in part, and lacks a third."""
    return {"met", "partly", "missing"} <= {item["verdict"] for item in case.answer["requirements"]}


def _clear(case: Case) -> bool:
    """Whether a ticket is in time, and one that is late would be of priority P2 in the place of P3."""
    return case.answer["waiting"]["clock"] == "in time" and 30 <= case.answer["score"] < 50  # noqa: PLR2004 - the schema's


def _misread(task: Task, case: Case) -> Case:
    """A ticket's case whose clock was misread, with all that follows from it."""
    answer: dict[str, Any] = copy.deepcopy(dict(case.answer))
    answer["waiting"]["clock"] = "late"
    answer["points"]["clock"] = 20
    answer |= {"score": answer["score"] + 20, "priority": "P2", "decision": "escalate"}
    assert task.write is not None
    return replace(case, answer=answer, prose=task.write(answer))


@contextmanager
def _served(task: Task, engines: Sequence[Gold]) -> Iterator[str]:
    """The address of a server with a page."""
    with light(engine=engines[0], beside=engines[1:], task=task, page=True, guard=Local()) as serving:
        yield f"http://127.0.0.1:{serving.port}/"


@contextmanager
def _page(browser: Browser, base: str, **options: Mapping[str, int] | str) -> Iterator[Page]:
    """The page in a tab of its own."""
    with tab(browser, **options) as one, opened(one, base) as page:
        yield page


def _judged(page: Page, place: int) -> None:
    """Have an example judged."""
    page.get_by_label("Example").select_option(index=1 + place)
    page.get_by_role("button", name="Evaluate").click()
    for result in page.locator(".result").all():
        result.locator(".verdict[data-state=verified]").wait_for()


def _taken(page: Page, path: Path) -> None:
    """A picture of the page from its top."""
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=path)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent)
