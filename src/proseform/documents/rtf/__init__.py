r"""RTF (Microsoft's specification 1.9.1), also fragments of it, to lines.

Order: headers, text with tables and text boxes in place, footnotes, footers. Code pages are those of the fonts. Hidden,
tiny and unseen letters, deleted text and comments are left out and told as findings. The libraries for this take text
boxes, headers and footnotes for settings and hidden letters for text, so the control words are read here.

Knowingly left out: styles' own properties (writers repeat them where they hold), pictures, embedded files.
"""

from __future__ import annotations

import re
from copy import copy
from functools import partial

from proseform.documents.extract import Extract, Limits, Omissions, too_long
from proseform.documents.look import UNKNOWN, WHITE, Look
from proseform.documents.rtf import words
from proseform.documents.rtf.story import State, Story
from proseform.errors import DocumentError
from proseform.input import Finding

MAX_MARKS = 400_000
"""Braces and backslashes; a page has about 2,000, this many take a second."""


def extract(data: bytes, where: str, limits: Limits) -> Extract:
    """The text of an RTF document: a line for each paragraph, a blank line before headings, rows as ``a | b``.

    Raises:
        DocumentError: Too much text, or more control words than a text has.
    """
    marks = sum(map(data.count, (b"\\", b"{", b"}")))
    if marks > MAX_MARKS:
        raise DocumentError(
            f"{where} holds {marks:,} RTF marks, at most {MAX_MARKS:,} are read.", hint="Save it as DOCX or PDF."
        )
    reader = _Reader()
    reader.read(data.decode("latin-1"))  # one character a byte; the bytes are decoded by the fonts' code pages
    lines = reader.lines()
    if sum(map(len, lines)) > 4 * limits.chars:  # normalisation only shrinks it, though not by much
        raise too_long(where, limits.chars)
    cut = [Finding("damaged", "It ends within a group: its end may be missing.")] if reader.stack else []
    return Extract("\n".join(lines), (*cut, *reader.omissions.findings()))


class _Reader:
    """Reads control words and text, group by group."""

    def __init__(self) -> None:
        self.body = Story()
        self.heads: list[Story] = []
        self.notes: list[Story] = []
        self.feet: list[Story] = []
        self.omissions = Omissions()
        self.state = State(self.body)
        self.stack: list[State] = []
        self.code_page = "cp1252"
        self.fonts: dict[int, str] = {}
        self.colours: list[str] = []
        self.headings: set[int] = set()
        self.drawn = self.shaded = False
        self._bytes = bytearray()
        self._fallbacks = 0
        self._rgb: dict[str, int] = {}
        self._property = ""

    def lines(self) -> list[str]:
        """The lines of the whole document; a header that repeats comes once."""
        heads, feet = (list(dict.fromkeys(tuple(story.closed()) for story in part)) for part in (self.heads, self.feet))
        notes = [line for story in self.notes for line in story.closed()]
        parts = (*heads, self.body.closed(), ["", *notes] if notes else [], *feet)
        return [line for part in parts for line in part]

    def read(self, source: str) -> None:
        """Read a whole document."""
        whole, at = source.lstrip().startswith("{\\rtf"), 0
        self.drawn = "\\shpfblwtxt1" in source or "\\background" in source  # below the text
        starred = False
        while match := words.TOKEN.match(source, at):
            at = match.end()
            word, number, byte, sign, brace, text = match.groups()
            if text or byte:
                self._letters(bytes.fromhex(byte) if byte else re.sub("[\r\n]", "", text).encode("latin-1"))
                continue
            self._flush()
            self._fallbacks = 0
            if brace == "{":
                self.stack.append(self.state)
                self.state = copy(self.state)
                self.state.at_end = None
            elif brace == "}":
                self._end_group()
                if whole and not self.stack:  # what follows the document is none of it
                    return
            elif word == "bin":
                at += max(0, int(number or 0))
            elif word:
                self._word(word, int(number) if number else None, starred=starred)
            elif sign:
                self._sign(sign)
            starred = sign == "*"
        self._flush()

    def _end_group(self) -> None:
        """The end of a group; one more than there were beginnings is passed over."""
        if self.stack:
            at_end, self.state = self.state.at_end, self.stack.pop()
            if at_end is not None:
                at_end()

    def _letters(self, data: bytes) -> None:
        """Letters of the code page, less those that repeat a Unicode character."""
        skipped = min(self._fallbacks, len(data))
        self._fallbacks -= skipped
        self._bytes += data[skipped:]

    def _flush(self) -> None:
        """Decode the letters that have come in; a letter of two bytes may come as two."""
        if self._bytes:
            codec = self.fonts.get(self.state.font) or self.code_page
            data, self._bytes = bytes(self._bytes), bytearray()
            symbols = "".join(chr(0xF000 + byte) for byte in data) if codec == "symbol" else ""
            self._write(symbols or data.decode(codec, "replace"))

    def _write(self, text: str) -> None:
        """Text into the story, unless people cannot see it."""
        if self.state.table:
            self._enter(text)
        if self.state.story is None:
            return
        unseen_as = self._unseen() if text.strip() else ""
        if self.state.deleted:
            self.omissions.add("deleted", "Deleted text", text)
        elif unseen_as:
            self.omissions.add("hidden", unseen_as, text)
        else:
            self.state.story.pieces.append(text)

    def _unseen(self) -> str:
        """Why people cannot see the letters, in words; empty where they can."""
        state = self.state
        unknown = self.drawn or state.boxed or (self.shaded and state.in_table)
        ground = self._colour(state.ground or state.paragraph_ground) or (UNKNOWN if unknown else WHITE)
        return Look(state.hidden, state.half_points / 2, self._colour(state.colour)).unseen(ground)

    def _colour(self, number: int) -> str:
        """A colour of the table; empty for the reader's own."""
        return self.colours[number] if 0 <= number < len(self.colours) else ""

    def _sign(self, sign: str) -> None:
        """A control symbol."""
        if sign in "\r\n":
            self._word("par", None, starred=False)
        elif sign in words.SIGNS:
            self._write(words.SIGNS[sign])

    def _word(self, word: str, number: int | None, *, starred: bool) -> None:
        """A control word."""
        if self._begins(word, starred=starred):
            return
        if word in words.WORDS:
            self._write(words.WORDS[word])
        elif word in words.BREAKS:
            self._break(word)
        elif word == "u" and number is not None:
            self._write(chr(number % 0x10000))
            self._fallbacks = self.state.fallbacks
        elif word in {"trowd", "clcbpat"}:
            self.shaded = word == "clcbpat" and (self.shaded or number != 0)
        else:
            self._set(word, number)

    def _set(self, word: str, number: int | None) -> None:
        """A control word that changes the state."""
        state = self.state
        for name, value in words.RESETS.get(word, {}).items():
            setattr(state, name, value)
        if word in words.SWITCHES:
            setattr(state, words.SWITCHES[word], number != 0)
        elif word == "s" and state.table == "styles":
            state.style = number
        elif word == "outlinelevel" or (word == "s" and number in self.headings):
            state.heading = True
        elif number is not None:
            self._number(word, number)

    def _number(self, word: str, number: int) -> None:
        """A control word that states a number."""
        if word in words.NUMBERS:
            setattr(self.state, words.NUMBERS[word], number)
        elif word == "ansicpg":
            self.code_page = words.codec(f"cp{number}") or self.code_page
        elif word == "fcharset" and self.state.table == "fonts":
            self.fonts[self.state.font] = "symbol" if number == words.SYMBOL else words.CHARSETS.get(number, "")
        elif word == "cpg" and self.state.table == "fonts":
            self.fonts[self.state.font] = words.codec(f"cp{number}")
        elif word in {"red", "green", "blue"}:
            self._rgb[word] = number % 256

    def _break(self, word: str) -> None:
        """The end of a paragraph, a cell or a row."""
        story = self.state.story
        if story is None:
            return
        if word in {"cell", "nestcell"}:
            story.end_cell()
        elif word in {"row", "nestrow"}:
            story.end_row()
        else:
            story.end(in_table=self.state.in_table, heading=self.state.heading)

    def _begins(self, word: str, *, starred: bool) -> bool:
        """Whether a word says that its group is apart from the text around it."""
        state, around = self.state, self.state.story
        if word in words.TABLES:
            state.table, state.story = words.TABLES[word], None
        elif word in words.SILENT or (starred and word not in words.STARRED):
            state.story = None
        elif around is None or word not in words.APART:
            return False
        else:
            state.story = story = Story()
            state.at_end = partial(self._place, word, story, around)
            state.in_table = state.heading = False
            state.boxed |= word in {"shptxt", "dptxbxtext"}
        return True

    def _place(self, word: str, story: Story, around: Story) -> None:
        """The end of a group that is apart: put what it holds where it belongs."""
        text = "".join((*story.lines, *story.pieces)).strip()
        if word in {"listtext", "pntext"}:
            around.marker = f"{text} " if any(map(str.isalnum, text)) else "- "
        elif word == "annotation":
            self.omissions.add("comment", "Comments", f"{text} ")
        elif word == "sn":
            self._property = text
        elif word == "sv":
            if self._property == "gtextUNICODE":  # the words of WordArt
                around.boxes.append(Story(lines=[text]))
        elif word == "footnote":
            self.notes.append(story)
        elif word.startswith("header"):
            self.heads.append(story)
        elif word.startswith("footer"):
            self.feet.append(story)
        else:
            around.boxes.append(story)

    def _enter(self, text: str) -> None:
        """Text of a table: the ends of colours, the names of styles."""
        if self.state.table == "colours":
            for _ in range(text.count(";")):
                self.colours.append(
                    "".join(f"{self._rgb.get(one, 0):02x}" for one in ("red", "green", "blue")) if self._rgb else ""
                )
                self._rgb = {}
        elif self.state.style is not None and text.lstrip().lower().startswith(("heading", "title")):
            self.headings.add(self.state.style)
