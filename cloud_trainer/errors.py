"""Errors of the trainer.

WalkoutTrainerError
    Something about the photos, the plan or the machine keeps the trainer from going on; the message
    says what and what to do. Errors of the shared ground (catalogue, photos, bundles) have trees of
    their own beside their code in ``models``.
"""


class WalkoutTrainerError(Exception):
    """What went wrong and what to do about it, in one line for a person."""
