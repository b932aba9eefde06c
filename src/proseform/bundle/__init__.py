"""A bundle: evaluator and formatter under one digest. It is what is registered, gated, promoted and served.

- :mod:`~proseform.bundle.value`: what a bundle states, and its digest
- :mod:`~proseform.bundle.manifest`: reading ``bundle.json`` of every format that was ever written
"""

from proseform.bundle.manifest import of, read
from proseform.bundle.value import FORMAT, MANIFEST, ROLES, Bundle, Generation, Kind, Part, Role

__all__ = ["FORMAT", "MANIFEST", "ROLES", "Bundle", "Generation", "Kind", "Part", "Role", "of", "read"]
