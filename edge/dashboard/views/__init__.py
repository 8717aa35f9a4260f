"""What a shop shows, as frozen values with one JSON form, and the pure functions that make them.

One module a subject: its shapes, and how ledger, floor and shelves become them. Times are seconds
since 1970 and named ``..._at``, money is a decimal as a string beside its currency; how either is
written for people is the page's business. No IO.
"""
