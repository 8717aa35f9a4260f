"""Between the devices of one shop: what shelf devices saw on its way to the hub, and whose clock.

A shelf device keeps every event until the hub has it on its own disk (``shelf``, the outbox of
``edge.checkout``). The hub asks all shelf devices several times a second how they are (``hub``) and
learns from the answers how far their clocks are from its own (``clocks``). Recordings that several
devices play begin together (``beginning``).

Topics, below ``<prefix>/<device>``: ``events/<event id>`` and ``ack/<event id>``, ``ask`` and
``answer``, ``available`` (retained; ``offline`` is the last will).
"""
