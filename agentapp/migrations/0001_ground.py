"""What must exist before the first table: the clock, vectors, and the app role's rights."""

from __future__ import annotations

from django.db import migrations

CLOCK = """
CREATE TABLE greenroom_clock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    shift interval NOT NULL DEFAULT '0'
);
INSERT INTO greenroom_clock DEFAULT VALUES;
CREATE FUNCTION greenroom_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT statement_timestamp() + (SELECT shift FROM greenroom_clock) $$;
COMMENT ON FUNCTION greenroom_now() IS
    'Time of this statement. The shift is zero outside tests; the app role cannot write it.';
"""

# Superusers install the extension where the owner role may not; then this is a no-op.
VECTOR = "CREATE EXTENSION IF NOT EXISTS vector;"

# Tables made before this migration get their rights at once, later ones by default.
RIGHTS = """
DO $$ BEGIN
IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'greenroom_app') THEN
    GRANT USAGE ON SCHEMA public TO greenroom_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO greenroom_app;
    GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO greenroom_app;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public
        GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO greenroom_app;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO greenroom_app;
    REVOKE INSERT, UPDATE, DELETE ON greenroom_clock FROM greenroom_app;
END IF;
END $$;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.RunSQL(CLOCK, "DROP FUNCTION greenroom_now(); DROP TABLE greenroom_clock;"),
        migrations.RunSQL(VECTOR, migrations.RunSQL.noop),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
    ]
