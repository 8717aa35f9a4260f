"""How a device comes by an identity of its own, once, at its first start.

The parts: ``claim`` what it is given to begin with, ``identity`` its key, which never leaves it,
and its certificate, ``conversation`` how the one is exchanged for the other.
"""
