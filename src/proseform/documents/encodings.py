"""Bytes to text: by a mark, as UTF-8, as declared, else by what chardet finds and what letters can stand together.

A guess rests on the words that are not ASCII: an English text around a Russian name says nothing of its encoding. For
each encoding that can be, chardet's models give a confidence; words that nobody writes (a sign among letters, capitals
behind small letters, two scripts in a word) lower it. The best must be clearly better than the next that reads the
words otherwise, else the document is refused.

Knowingly left out: UTF-7, EBCDIC, and what old Macs wrote other than in Western Europe.
"""

from __future__ import annotations

import codecs
import re
import unicodedata

from proseform.documents.kinds import READABLE
from proseform.errors import DocumentError
from proseform.input import CONTROLS, Finding

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)  # UTF-32 LE begins as UTF-16 LE does
_LIKELY = {
    "cp1252": 1.3, "cp1250": 1.0, "cp1251": 1.0, "cp1253": 1.0, "cp1254": 1.0, "cp1255": 1.0, "cp1256": 1.0,
    "cp1257": 0.8, "cp874": 1.0, "cp932": 1.0, "gb18030": 1.0, "big5hkscs": 1.0, "cp949": 1.0, "koi8-r": 1.0,
    "koi8-u": 0.99, "euc-jp": 0.9, "iso8859-2": 0.9, "iso8859-5": 0.9, "iso8859-6": 0.9, "iso8859-7": 0.9,
    "iso8859-8": 0.9, "iso8859-15": 0.9, "cp866": 0.7, "cp850": 0.5, "cp852": 0.5, "mac-roman": 0.5,
}  # fmt: skip
"""Encodings that a text may have, with how likely each is before it is looked at, relative to one another."""
_OURS = {"euc_jis_2004": "euc-jp"}
"""Names that chardet has of its own."""
_WIDE = frozenset({"cp932", "gb18030", "big5hkscs", "cp949", "euc-jp"})
_DECLARED = {
    "iso-8859-1": "cp1252", "latin1": "cp1252", "latin-1": "cp1252", "us-ascii": "cp1252", "ascii": "cp1252",
    "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932", "x-sjis": "cp932", "windows-31j": "cp932",
    "gb2312": "gb18030", "gbk": "gb18030", "euc-kr": "cp949", "ks_c_5601-1987": "cp949", "big5": "big5hkscs",
    "iso-8859-9": "cp1254", "tis-620": "cp874", "windows-874": "cp874",
    "macintosh": "mac-roman",
}  # fmt: skip
"""What a declaration means, where it is not what its name says: as browsers read it (WHATWG Encoding Standard)."""
_ASCII = bytes(range(32, 127)).replace(b"\\", b"") + rb".xn--kva.+AEE- ~{ \u0041"
"""ASCII, among it what the escapes of Python's other codecs turn into other letters."""
_DECLARATION = re.compile(rb"""(?i)(?:<\?xml[^>]*?encoding|<meta[^>]*?charset)\s*=\s*["']?\s*([a-z0-9_:.-]{2,30})""")
_LEAST = {False: 0.02, True: 0.05}
"""The least confidence of an encoding by whether its letters have several bytes."""
_CLEARLY = {False: 1.25, True: 1.1}
"""How many times better than the next the best must be, by whether there is much evidence."""
_MUCH = 200
"""Bytes of words that are not ASCII."""
_KIN = {"iso8859-7": "cp1253", "iso8859-15": "cp1252", "iso8859-8": "cp1255", "koi8-u": "koi8-r"}
"""Encodings that differ in a few letters, and signs: the better of two is taken, however close."""
_DOUBT = 0.4
"""What a word that nobody writes leaves of the weight."""
_EVIDENCE_BYTES = 4000
_BINARY_SHARE = 0.01  # control characters; text has none or a stray one
_BINARY = bytes([*range(9), *range(14, 32), 127])
_JOINS = frozenset("-\u00ad\u2013\u2019\u00b7")
"""Signs that stand between the letters of a word."""
_SIGNS = frozenset("\u2013\u2014\u2018\u2019\u201c\u201d\u201e\u2022\u2026\u00a0\u00b7\u00a9\u00ae\u2122\u20ac")
_ALPHABETS = (
    ("\u0041", "\u024f"), ("\u0370", "\u03ff"), ("\u0400", "\u052f"), ("\u0590", "\u05ff"), ("\u0600", "\u06ff"),
    ("\u0e00", "\u0e7f"),
)  # fmt: skip
"""First and last character of alphabets that do not mix within a word."""
_IDEOGRAPHS = "\u2e80"
_STRANGE_RUN = 4
"""Letters of a Latin word in a row that are not ASCII, from which on nobody writes it."""


def declared(data: bytes) -> str:
    """The encoding that XML or HTML declares for itself; empty where it declares none that it can have."""
    match = _DECLARATION.search(data[:2048])
    return known(match[1].decode("ascii")) if match else ""


def known(label: str) -> str:
    """Python's name for the label of an encoding; empty where it has none, or ASCII does not stay ASCII in it.

    A declaration that is read byte by byte cannot be in UTF-16 or EBCDIC, and browsers do not believe it either; UTF-16
    and UTF-32 are told by their mark or their zeros.

    >>> [known(label) for label in ("Latin1", "koi8-r", "utf-16", "cp500", "unicode-escape", "rot13")]
    ['cp1252', 'koi8-r', '', '', '', '']
    """
    label = label.strip().lower()
    try:
        name = codecs.lookup(_DECLARED.get(label, label)).name
        return name if _ASCII.decode(name) == _ASCII.decode("ascii") else ""
    except (LookupError, ValueError):  # no encoding, a codec of something else than text, or no name at all
        return ""


def decode(data: bytes, where: str, declaration: str = "") -> tuple[str, str, tuple[Finding, ...]]:
    """The text, its encoding, and a finding where the encoding is none of Unicode's.

    Args:
        data: The bytes.
        where: Their name for messages.
        declaration: The encoding that is stated with them; it holds if they can be decoded so.

    Raises:
        DocumentError: No text, or the encoding cannot be told.
    """
    text, encoding, how = _decoded(data, where, declaration)
    if "\0" in text or len(CONTROLS.findall(text)) > _BINARY_SHARE * len(text):
        raise DocumentError(f"{where} is not text.", hint=READABLE)
    if encoding.startswith("utf"):
        return text, encoding, ()
    return text, encoding, (Finding("encoding", f"It is not in UTF-8; it was read as {encoding}, {how}."),)


def _decoded(data: bytes, where: str, declaration: str) -> tuple[str, str, str]:
    """The text, its encoding, and how that is known."""
    mark = next((name for start, name in _MARKS if data.startswith(start)), "")
    if mark or b"\0" in data:
        encoding = mark or _wide_without_mark(data)
        try:
            return data.decode("utf-8-sig" if encoding == "utf-8" else encoding), encoding, ""
        except (UnicodeDecodeError, LookupError) as error:
            raise DocumentError(f"{where} is not text.", hint=READABLE) from error
    if b"\x1b$" in data or b"\x1b(" in data:  # ISO 2022 is ASCII by its bytes
        declaration = declaration or "iso2022_jp"
    for encoding, how in (("utf-8", ""), (declaration, "which it declares")):
        if encoding and not (encoding == "utf-8" and declaration.startswith("iso2022")):
            try:
                return data.decode(encoding), encoding, how
            except UnicodeDecodeError:
                continue
    if len(data) - len(data.translate(None, _BINARY)) > _BINARY_SHARE * len(data):
        raise DocumentError(f"{where} is not text.", hint=READABLE)
    encoding = _guess(data)
    if not encoding:
        raise DocumentError(f"{where} is not in UTF-8, and its encoding cannot be told.", hint="Save it as UTF-8 text.")
    return data.decode(encoding), encoding, "which is a guess by its letters"


def _wide_without_mark(data: bytes) -> str:
    """UTF-16 or UTF-32 by where the zeros are and which characters come out; empty for none of them."""
    import chardet  # text in UTF-8 does without

    name = chardet.detect(data, compat_names=False)["encoding"] or ""
    return name if name.startswith(("utf-16", "utf-32")) else ""


def _guess(data: bytes) -> str:
    """The encoding of one byte or several a letter that is clearly the best; empty where none is."""
    import chardet  # as above

    evidence = _evidence(data)
    decoded = {}
    for name in _LIKELY:
        try:
            data.decode(name)
            decoded[name] = evidence.decode(name)
        except UnicodeDecodeError:
            continue
    if all(letter.isascii() or letter in _SIGNS for letter in decoded.get("cp1252", "?\u00e9")):
        return "cp1252"  # dashes and quotation marks alone stand in one place in all code pages of Windows
    guesses = chardet.detect_all(
        evidence,
        ignore_threshold=True,
        compat_names=False,
        include_encodings=[*decoded, "ascii"],
        no_match_encoding="ascii",
    )
    ranks = {_OURS.get(str(one["encoding"]), str(one["encoding"])): float(one["confidence"]) for one in guesses}
    weights = {
        name: ranks.get(name, 0.0) * _LIKELY[name] * _DOUBT ** sum(map(_strange, text.split()))
        for name, text in decoded.items()
    }
    best = max(weights, key=weights.__getitem__, default="")
    others = (
        name for name, text in decoded.items() if text != decoded[best] and _KIN.get(name, name) != _KIN.get(best, best)
    )
    rival = max((weights[name] for name in others), default=0.0)
    clearly = _CLEARLY[len(evidence) >= _MUCH]
    if best and weights[best] >= _LEAST[best in _WIDE] and weights[best] >= clearly * rival:
        return best
    return ""


def _evidence(data: bytes) -> bytes:
    """The distinct words that are not ASCII."""
    words: dict[bytes, None] = {}
    size = 0
    for match in re.finditer(rb"[^\x00-\x20]+", data):
        word = match[0]
        if not word.isascii() and word not in words:
            words[word] = None
            size += len(word) + 1
        if size > _EVIDENCE_BYTES:
            break
    return b" ".join(words)[:_EVIDENCE_BYTES]


def _strange(word: str) -> bool:
    """Whether nobody writes a word so: a sign among its letters, two alphabets, capitals behind small letters."""
    run = 0
    for before, letter, after in zip(" " + word, word, word[1:] + " ", strict=False):
        if letter.isascii() or letter >= _IDEOGRAPHS:
            run = 0
            continue
        run = run + 1 if _alphabet(letter) == 0 else 0
        if run == _STRANGE_RUN or (before.islower() and letter.isupper()) or (letter.islower() and after.isupper()):
            return True
        if _alphabet(before) >= 0 and _alphabet(letter) >= 0 and _alphabet(before) != _alphabet(letter):
            return True
        if _cuts(letter, before, after):
            return True
    return False


def _cuts(letter: str, before: str, after: str) -> bool:
    """Whether a sign stands at or among the letters of a word, where nobody writes it."""
    category = unicodedata.category(letter)[0]
    if letter in "\u00aa\u00ba":  # the ordinals of Spanish and Portuguese
        return after.isalpha()
    if category in "LM" or letter in _JOINS:
        return False
    among = before.isalpha() and after.isalpha()
    symbol = category in "SC" or letter == "\u00b6"
    return among or (symbol and (before.isalpha() or after.isalpha()))


def _alphabet(letter: str) -> int:
    """The number of the alphabet of a letter; -1 for none."""
    if not letter.isalpha():
        return -1
    return next((number for number, (first, last) in enumerate(_ALPHABETS) if first <= letter <= last), -1)
