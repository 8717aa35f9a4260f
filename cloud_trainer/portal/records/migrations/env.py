"""How alembic runs the portal's migrations: on the connection that it is given, in its transaction.

``cloud_trainer.portal.records.database`` calls it whenever a database is opened.
"""

from __future__ import annotations

from alembic import context

from cloud_trainer.portal.records.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=False,
)
context.run_migrations()
