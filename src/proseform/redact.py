"""URIs without their passwords, and texts that quote such URIs, for whatever is printed, logged or kept."""

from __future__ import annotations

import re
from urllib.parse import unquote

HIDDEN = "***"
_USERINFO = re.compile(r"(?<=://)(?P<user>[^/?#\s@:'\"]*):(?P<password>[^/?#\s'\"]*)@")
_IN_QUERY = re.compile(r"(?P<name>(?i:password|passwd|token|secret|api_?key|access_key))=(?P<value>[^&#\s'\"]+)")


def uri(text: str) -> str:
    """A URI, or a text that holds some, without passwords.

    >>> uri("postgresql://proseform:s3cret@db:5432/mlflow?sslmode=require")
    'postgresql://proseform:***@db:5432/mlflow?sslmode=require'
    >>> uri("http://mlflow:5000"), uri("s3://key:secret@bucket/a?token=x&b=1")
    ('http://mlflow:5000', 's3://key:***@bucket/a?token=***&b=1')
    """
    text = _USERINFO.sub(lambda match: f"{match['user']}:{HIDDEN}@", text)
    return _IN_QUERY.sub(lambda match: f"{match['name']}={HIDDEN}", text)


def text(words: str, *uris: str) -> str:
    """A text without the passwords of some URIs, wherever they stand in it, and without those of URIs in it.

    >>> text("login of proseform with p@ss failed", "mysql://proseform:p%40ss@db/x")
    'login of proseform with *** failed'
    """
    for secret in (secret for address in uris for secret in secrets(address)):
        words = words.replace(secret, HIDDEN)
    return uri(words)


def secrets(where: str) -> list[str]:
    """The passwords in a URI, as written and percent-decoded; longest first.

    >>> secrets("mysql://u:p%40ss@db/x"), secrets("http://u@host/"), secrets("sqlite:///x.db")
    (['p%40ss', 'p@ss'], [], [])
    """
    passwords = [match["password"] for match in _USERINFO.finditer(where)]
    passwords += [match["value"] for match in _IN_QUERY.finditer(where)]
    return sorted({form for word in passwords if word for form in (word, unquote(word))}, key=len, reverse=True)
