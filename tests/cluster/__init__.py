"""A real Kubernetes of one node on a bare machine: no container engine, no image registry, no virtual machine.

:mod:`~tests.cluster.cluster` brings it up and down, step by step; a step is a module: :mod:`machine` (requirements),
:mod:`programs` (built from pinned Go modules), :mod:`network`, :mod:`control_plane`, :mod:`runtime` and :mod:`node`,
:mod:`addons` (training operator, KServe), :mod:`gateway`.
Beneath them: :mod:`process` (one program in the background), :mod:`pki`, :mod:`kubectl`, :mod:`probe`, :mod:`places`.
For other tests: :mod:`images` loads images into the node, :mod:`debian` builds them, :mod:`fixture` is for pytest.
"""
