"""What the portal keeps: people, products, photos' verdicts, imports, in SQLite or PostgreSQL.

``tables`` says what there is, ``migrations`` how a database gets there, ``database`` opens it, the
other modules read and write one subject each. Photos themselves lie in the object store.
"""
