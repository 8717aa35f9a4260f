"""What a walk-out shop costs, beside cashiers and self-checkout: figures in, amounts out.

Owns the assumptions with where each comes from (``assumptions``), the formulas (``model``), what
dominates and where one way becomes cheaper than another (``sensitivity``), and the whole answer as
one document (``reckoning``). What the system measured itself comes in by ``measured``. Everything
but ``reading`` is pure; who asks is ``walkout-trainer cost`` or the portal.
"""
