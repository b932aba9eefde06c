"""The control words of RTF (Microsoft's specification 1.9.1) that matter to its text."""

from __future__ import annotations

import codecs
import re

TOKEN = re.compile(r"\\([a-zA-Z]{1,32})(-?[0-9]{1,20})? ?|\\'([0-9a-fA-F]{2})|\\(.)|([{}])|([^\\{}]+)|\\", re.DOTALL)
CHARSETS = {
    0: "cp1252", 77: "mac_roman", 78: "cp932", 79: "cp949", 80: "gb18030", 81: "big5hkscs", 83: "mac_greek",
    89: "mac_cyrillic", 128: "cp932", 129: "cp949", 130: "johab", 134: "gb18030", 136: "big5hkscs", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250", 254: "cp437", 255: "cp850",
}  # fmt: skip
SYMBOL = 2
"""The character set of fonts whose letters are none: bullets and pictures."""
WORDS = {
    "tab": "\t", "line": "\n", "emdash": "\u2014", "endash": "\u2013", "bullet": "\u2022", "lquote": "\u2018",
    "rquote": "\u2019", "ldblquote": "\u201c", "rdblquote": "\u201d", "emspace": "\u2003", "enspace": "\u2002",
    "qmspace": "\u2005", "zwj": "\u200d", "zwnj": "\u200c",
}  # fmt: skip
SIGNS = {"~": "\u00a0", "-": "\u00ad", "_": "\u2011", "{": "{", "}": "}", "\\": "\\"}
SILENT = frozenset({
    "info", "pict", "nonshppict", "shprslt", "fldinst", "datafield", "nonesttables", "filetbl", "listtable",
    "listoverridetable", "revtbl", "rsidtbl", "xe", "tc", "rxe", "txe", "bkmkstart", "bkmkend", "ftnsep", "ftnsepc",
    "ftncn", "aftnsep", "aftnsepc", "aftncn", "template", "background", "atnid", "atnauthor", "objdata", "objclass",
    "upr", "xmlnstbl", "latentstyles", "themedata", "colorschememapping", "datastore", "mmathPr", "formfield",
    "private",
})  # fmt: skip
"""Groups that hold settings, data, or a second copy for old readers."""
STARRED = frozenset({"shpinst", "annotation", "footnote", "do"})
r"""Groups behind ``\*``, which says that readers may pass over them, that hold text all the same."""
APART = frozenset({
    "header", "headerl", "headerr", "headerf", "footer", "footerl", "footerr", "footerf", "footnote", "annotation",
    "listtext", "pntext", "shptxt", "dptxbxtext", "sn", "sv",
})  # fmt: skip
"""Groups whose text stands elsewhere on the page, or is none."""
TABLES = {"fonttbl": "fonts", "colortbl": "colours", "stylesheet": "styles"}
BREAKS = frozenset({"par", "sect", "page", "column", "cell", "nestcell", "row", "nestrow"})
RESETS: dict[str, dict[str, object]] = {
    "plain": {"font": -1, "hidden": False, "deleted": False, "half_points": 24, "colour": 0, "ground": 0},
    "pard": {"in_table": False, "heading": False, "paragraph_ground": 0},
}
SWITCHES = {"v": "hidden", "deleted": "deleted", "intbl": "in_table"}
NUMBERS = {
    "f": "font", "deff": "font", "fs": "half_points", "cf": "colour", "cb": "ground", "chcbpat": "ground",
    "highlight": "ground", "cbpat": "paragraph_ground", "uc": "fallbacks",
}  # fmt: skip


def codec(name: str) -> str:
    """A code page, if Python has it; else nothing."""
    try:
        return codecs.lookup(name).name
    except LookupError:
        return ""
