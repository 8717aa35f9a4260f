"""The cloud portal: providers hand in, operators approve, developers compare, admins administer.

``shown`` is the seam between what there is (``records``, ``products``, ``photos``, ``imports``, the
published releases, rollouts and fleet) and what asks for it (``api``, ``pages``).
"""
