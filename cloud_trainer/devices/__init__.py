"""Who is a device of ours: the authority that signs identities, and what it remembers.

The parts: ``authority`` keys, certificates and lists of revoked ones as files, ``register`` which
devices are expected and which identities were given, ``enrolment`` what a question is answered,
``service`` the answers over MQTT.
"""
