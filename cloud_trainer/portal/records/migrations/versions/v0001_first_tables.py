"""The first tables.

Revision: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_KEY = sa.String(length=200).with_variant(sa.String(length=200, collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make them."""
    _make_people()
    _keep_audit()
    _make_products()
    _make_imports()


def downgrade() -> None:
    """Nothing came before: a database that is to begin anew is a new one."""
    raise NotImplementedError("the first tables are not taken away; use another database")


def _make_people() -> None:
    op.create_table(
        "people",
        sa.Column("name", _KEY, nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("last_seen_at", sa.Double(), nullable=True),
        sa.Column("organisation", sa.String(length=64), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_people")),
    )
    op.create_table(
        "sessions",
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("name", _KEY, nullable=False),
        sa.Column("begun_at", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["name"], ["people.name"], name=op.f("fk_sessions_name"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("secret_hash", name=op.f("pk_sessions")),
    )
    op.create_table(
        "links",
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("name", _KEY, nullable=False),
        sa.Column("ends_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["name"], ["people.name"], name=op.f("fk_links_name"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("secret_hash", name=op.f("pk_links")),
    )
    op.create_table(
        "tokens",
        sa.Column("token_id", sa.String(length=64), nullable=False),
        sa.Column("name", _KEY, nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("last_used_at", sa.Double(), nullable=True),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.Column("organisation", sa.String(length=64), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("name", name=op.f("uq_tokens_name")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_tokens_secret_hash")),
    )
    op.create_table(
        "audit",
        sa.Column("sequence", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit")),
    )


def _keep_audit() -> None:
    """The audit log's rows stay, and stay as they are."""
    if op.get_bind().dialect.name == "sqlite":
        for what, when in (("stay", "DELETE"), ("stay_as_they_are", "UPDATE")):
            op.execute(
                f"CREATE TRIGGER audit_rows_{what} BEFORE {when} ON audit"
                " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_rows_stay() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = '23000'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_rows_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON audit"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_rows_stay()"
    )


def _make_products() -> None:
    op.create_table(
        "products",
        sa.Column("sku", _KEY, nullable=False),
        sa.Column("organisation", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("price", sa.String(length=20), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("gtin", sa.String(length=14), nullable=True),
        sa.Column("category", _KEY, nullable=False),
        sa.Column("view_group", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("is_withdrawn", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("approved", sa.Text(), nullable=True),
        sa.Column("edition", sa.String(length=64), nullable=True),
        sa.Column("served_release", sa.Integer(), nullable=True),
        sa.Column("served_edition", sa.String(length=64), nullable=True),
        sa.Column("handed_in_at", sa.Double(), nullable=True),
        sa.Column("withdrawn_at", sa.Double(), nullable=True),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("good_photos", sa.Integer(), nullable=False),
        sa.Column("photos", sa.Integer(), nullable=False),
        sa.Column("cover", sa.String(length=64), nullable=True),
        sa.Column("look", sa.LargeBinary(), nullable=True),
        sa.Column("look_space", sa.String(length=64), nullable=True),
        sa.Column("alike_sku", _KEY, nullable=True),
        sa.Column("alike_distance", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("sku", name=op.f("pk_products")),
    )
    op.create_index(
        op.f("ix_products_category_stage"), "products", ["category", "stage"], unique=False
    )
    op.create_index(
        op.f("ix_products_organisation_stage"), "products", ["organisation", "stage"], unique=False
    )
    op.create_index(
        op.f("ix_products_stage_handed_in_at"), "products", ["stage", "handed_in_at"], unique=False
    )
    op.create_table(
        "photos",
        sa.Column("sku", _KEY, nullable=False),
        sa.Column("photo_id", sa.String(length=64), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("added_at", sa.Double(), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("suffix", sa.String(length=8), nullable=False),
        sa.Column("faults", sa.Text(), nullable=False),
        sa.Column("nearest", sa.Text(), nullable=False),
        sa.Column("is_good", sa.Boolean(), nullable=False),
        sa.Column("is_kept", sa.Boolean(), nullable=False),
        sa.Column("is_approved", sa.Boolean(), nullable=False),
        sa.Column("is_removed", sa.Boolean(), nullable=False),
        sa.Column("hash_bits", sa.String(length=16), nullable=False),
        sa.Column("band_0", sa.Integer(), nullable=False),
        sa.Column("band_1", sa.Integer(), nullable=False),
        sa.Column("band_2", sa.Integer(), nullable=False),
        sa.Column("embedding", sa.LargeBinary(), nullable=True),
        sa.Column("space", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["sku"], ["products.sku"], name=op.f("fk_photos_sku"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sku", "photo_id", name=op.f("pk_photos")),
    )
    op.create_index(op.f("ix_photos_band_0"), "photos", ["band_0"], unique=False)
    op.create_index(op.f("ix_photos_band_1"), "photos", ["band_1"], unique=False)
    op.create_index(op.f("ix_photos_band_2"), "photos", ["band_2"], unique=False)
    op.create_index(op.f("ix_photos_photo_id"), "photos", ["photo_id"], unique=False)
    op.create_table(
        "happenings",
        sa.Column("place", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("sku", _KEY, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sku"], ["products.sku"], name=op.f("fk_happenings_sku"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_happenings")),
    )
    op.create_index(op.f("ix_happenings_sku_place"), "happenings", ["sku", "place"], unique=False)
    op.create_index(op.f("ix_happenings_what_at"), "happenings", ["what", "at"], unique=False)
    op.create_table(
        "notes",
        sa.Column("name", _KEY, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_notes")),
    )


def _make_imports() -> None:
    op.create_table(
        "imports",
        sa.Column("import_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("organisation", sa.String(length=64), nullable=False),
        sa.Column("began_at", sa.Double(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("import_id", name=op.f("pk_imports")),
    )
    op.create_index(op.f("ix_imports_began_at"), "imports", ["began_at"], unique=False)
    op.create_table(
        "import_lines",
        sa.Column("import_id", sa.String(length=64), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("sku", _KEY, nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["imports.import_id"],
            name=op.f("fk_import_lines_import_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("import_id", "line", name=op.f("pk_import_lines")),
    )
    op.create_index(
        op.f("ix_import_lines_import_id_sku"), "import_lines", ["import_id", "sku"], unique=False
    )
    op.create_index(
        op.f("ix_import_lines_import_id_status_line"),
        "import_lines",
        ["import_id", "status", "line"],
        unique=False,
    )
    op.create_table(
        "import_files",
        sa.Column("import_id", sa.String(length=64), nullable=False),
        sa.Column("path", _KEY, nullable=False),
        sa.Column("sku", _KEY, nullable=False),
        sa.Column("photo_id", sa.String(length=64), nullable=True),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["imports.import_id"],
            name=op.f("fk_import_files_import_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("import_id", "path", name=op.f("pk_import_files")),
    )
    op.create_index(
        op.f("ix_import_files_import_id_status"),
        "import_files",
        ["import_id", "status"],
        unique=False,
    )
