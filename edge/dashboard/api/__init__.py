"""The JSON API, one router a subject: ``router(shop, ...)`` and ``RULES`` in every module.

A router reads what was asked, asks the shop, and answers with the shop's own values; who may ask is
in its rules, what goes wrong becomes an answer in one place (``edge.dashboard.app``).
"""
