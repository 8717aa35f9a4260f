"""The portal's tables, for SQLite and PostgreSQL alike.

Owns what there is; ``migrations`` brings a database there, and a test holds the two together. Names
of people's tables are those that ``web.accounts_file`` has, whose SQL runs here too.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
# In the order of their bytes everywhere, as pages of lists go on by it.
_KEY: Final = String(200).with_variant(String(200, collation="C"), "postgresql")
# SQLite counts rows by itself only where a key is called INTEGER.
_NUMBER: Final = BigInteger().with_variant(Integer(), "sqlite")

PEOPLE: Final = Table(
    "people",
    METADATA,
    Column("name", _KEY, primary_key=True),
    Column("role", String(64), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("last_seen_at", Double),
    Column("organisation", String(64), nullable=False, server_default=""),
)
SESSIONS: Final = Table(
    "sessions",
    METADATA,
    Column("secret_hash", String(64), primary_key=True),
    Column("name", _KEY, ForeignKey("people.name", ondelete="CASCADE"), nullable=False),
    Column("begun_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
)
LINKS: Final = Table(
    "links",
    METADATA,
    Column("secret_hash", String(64), primary_key=True),
    Column("name", _KEY, ForeignKey("people.name", ondelete="CASCADE"), nullable=False),
    Column("ends_at", Double, nullable=False),
)
TOKENS: Final = Table(
    "tokens",
    METADATA,
    Column("token_id", String(64), primary_key=True),
    Column("name", _KEY, nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
    Column("last_used_at", Double),
    Column("expires_at", Double),
    Column("organisation", String(64), nullable=False, server_default=""),
)
AUDIT: Final = Table(
    "audit",
    METADATA,
    Column("sequence", _NUMBER, primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("outcome", Text, nullable=False),
)

PRODUCTS: Final = Table(
    "products",
    METADATA,
    Column("sku", _KEY, primary_key=True),
    Column("organisation", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("price", String(20)),
    Column("currency", String(3)),
    Column("gtin", String(14)),
    Column("category", _KEY, nullable=False),
    Column("view_group", Text),
    # How it stands: cloud_trainer.portal.products.Standing.
    Column("state", String(16), nullable=False),
    Column("is_withdrawn", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("approved", Text),
    Column("edition", String(64)),
    Column("served_release", Integer),
    Column("served_edition", String(64)),
    Column("handed_in_at", Double),
    Column("withdrawn_at", Double),
    Column("changed_at", Double, nullable=False),
    # What follows from the above and from its photos, kept to be asked for.
    Column("stage", String(16), nullable=False),
    Column("good_photos", Integer, nullable=False),
    Column("photos", Integer, nullable=False),
    Column("cover", String(64)),
    Column("look", LargeBinary),
    Column("look_space", String(64)),
    Column("alike_sku", _KEY),
    Column("alike_distance", Double),
)
Index(None, PRODUCTS.c.stage, PRODUCTS.c.handed_in_at)
Index(None, PRODUCTS.c.organisation, PRODUCTS.c.stage)
Index(None, PRODUCTS.c.category, PRODUCTS.c.stage)

PHOTOS: Final = Table(
    "photos",
    METADATA,
    Column("sku", _KEY, ForeignKey("products.sku", ondelete="CASCADE"), primary_key=True),
    Column("photo_id", String(64), primary_key=True),
    Column("place", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("added_at", Double, nullable=False),
    Column("added_by", Text, nullable=False),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("suffix", String(8), nullable=False),
    Column("faults", Text, nullable=False),
    Column("nearest", Text, nullable=False),
    Column("is_good", Boolean, nullable=False),
    Column("is_kept", Boolean, nullable=False),
    Column("is_approved", Boolean, nullable=False),
    Column("is_removed", Boolean, nullable=False),
    Column("hash_bits", String(16), nullable=False),
    Column("band_0", Integer, nullable=False),
    Column("band_1", Integer, nullable=False),
    Column("band_2", Integer, nullable=False),
    Column("embedding", LargeBinary),
    Column("space", String(64)),
)
Index(None, PHOTOS.c.photo_id)
Index(None, PHOTOS.c.band_0)
Index(None, PHOTOS.c.band_1)
Index(None, PHOTOS.c.band_2)

HAPPENINGS: Final = Table(
    "happenings",
    METADATA,
    Column("place", _NUMBER, primary_key=True, autoincrement=True),
    Column("sku", _KEY, ForeignKey("products.sku", ondelete="CASCADE"), nullable=False),
    Column("at", Double, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", String(16), nullable=False),
    Column("about", Text, nullable=False),
)
Index(None, HAPPENINGS.c.sku, HAPPENINGS.c.place)
Index(None, HAPPENINGS.c.what, HAPPENINGS.c.at)

IMPORTS: Final = Table(
    "imports",
    METADATA,
    Column("import_id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("organisation", String(64), nullable=False),
    Column("began_at", Double, nullable=False),
    Column("status", String(16), nullable=False),
    Column("is_complete", Boolean, nullable=False),
)
Index(None, IMPORTS.c.began_at)
IMPORT_LINES: Final = Table(
    "import_lines",
    METADATA,
    Column(
        "import_id",
        String(64),
        ForeignKey("imports.import_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("line", Integer, primary_key=True),
    Column("sku", _KEY, nullable=False),
    Column("fields", Text, nullable=False),
    Column("status", String(8), nullable=False),
    Column("problem", Text, nullable=False),
)
Index(None, IMPORT_LINES.c.import_id, IMPORT_LINES.c.status, IMPORT_LINES.c.line)
Index(None, IMPORT_LINES.c.import_id, IMPORT_LINES.c.sku)
IMPORT_FILES: Final = Table(
    "import_files",
    METADATA,
    Column(
        "import_id",
        String(64),
        ForeignKey("imports.import_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("path", _KEY, primary_key=True),
    Column("sku", _KEY, nullable=False),
    Column("photo_id", String(64)),
    Column("status", String(8), nullable=False),
    Column("problem", Text, nullable=False),
)
Index(None, IMPORT_FILES.c.import_id, IMPORT_FILES.c.status)

# Whatever else is kept by name: retention, the proposal of categories, comparisons.
NOTES: Final = Table(
    "notes",
    METADATA,
    Column("name", _KEY, primary_key=True),
    Column("at", Double, nullable=False),
    Column("document", Text, nullable=False),
)
