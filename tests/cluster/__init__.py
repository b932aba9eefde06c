"""A real Kubernetes of one node on a bare machine: no engine of containers, no registry of images, no virtual machine.

The way through it: :mod:`~tests.cluster.cluster` brings it up and down, step by step; a step is a module:
:mod:`machine` (what it must have), :mod:`programs` (built from pinned Go modules), :mod:`network`,
:mod:`control_plane`, :mod:`runtime` and :mod:`node`, :mod:`addons` (training operator, KServe, gateway).
Beneath them: :mod:`process` (one program in the background), :mod:`pki`, :mod:`kubectl`, :mod:`probe`, :mod:`places`.
For tests of others: :mod:`images` hands images to the node, :mod:`debian` makes them, :mod:`fixture` is pytest's.
"""
