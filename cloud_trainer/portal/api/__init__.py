"""The portal's JSON API, one router a subject: ``router(portal)`` and ``RULES`` in every module.

A router reads what was asked, asks the portal, and answers with the portal's own values; who may
ask is in its rules, what goes wrong becomes an answer in one place (``cloud_trainer.portal.app``).
"""
