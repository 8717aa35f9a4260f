"""Who answers for the portal, a desk a subject; together they are ``cloud_trainer.portal.shown``.

``ground`` is what all of them stand on.
"""
