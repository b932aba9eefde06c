"""A JSON Schema of a caller or a task: read within bounds, judged by its own draft, and written as a grammar.

>>> schema = Schema({"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}})
>>> schema.fault({"a": [1, 1]})
('/a', '[1,1] has non-unique elements')
>>> [str(widening) for widening in schema.widenings]
['/properties/a: uniqueItems (engines do not enforce it)']

What happens to a schema, in this order:

1. :mod:`~proseform.schema.bounds`: size, depth and numbers, before anything else reads it
2. :mod:`~proseform.schema.draft`: which draft it is of, and where that draft has subschemas
3. :mod:`~proseform.schema.graph`: its subschemas and what they apply; :mod:`~proseform.schema.references` resolves
4. :mod:`~proseform.schema.cost`: what checking a value by it takes at most
5. :mod:`~proseform.schema.writer`: the :mod:`~proseform.schema.grammar` for engines, without what has no document
   (:mod:`~proseform.schema.inhabited`) and what engines cannot write (:mod:`~proseform.schema.writable`), by
   :mod:`~proseform.schema.scalars` and :mod:`~proseform.schema.definitions`
6. :mod:`~proseform.schema.value`: the :class:`Schema` itself, which judges values; some of its fields are a
   :mod:`~proseform.schema.projection`

Places are named by a JSON :mod:`~proseform.schema.pointer`. Read off a schema: its :mod:`~proseform.schema.signature`
in one line, and what of it is :mod:`~proseform.schema.unbounded`.
"""

from proseform.schema.draft import URIS, Draft, Number
from proseform.schema.grammar import NOTHING, Grammar, Widening
from proseform.schema.value import Schema

__all__ = ["NOTHING", "URIS", "Draft", "Grammar", "Number", "Schema", "Widening"]
