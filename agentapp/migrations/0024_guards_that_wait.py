"""Guards of state moves that are called only by a move that is refused.

The function that looked at every move wrote both rows out as JSON first. Which moves are allowed
now stands in the trigger's own condition, which costs next to nothing.
"""

from __future__ import annotations

from django.db import migrations

# Later migrations call `greenroom_guard` for tables of their own.
GUARD = r"""
CREATE FUNCTION greenroom_refuse_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% may not go from % to %', TG_TABLE_NAME,
        to_jsonb(OLD) ->> TG_ARGV[0], to_jsonb(NEW) ->> TG_ARGV[0]
        USING ERRCODE = 'check_violation';
END $$;
CREATE FUNCTION greenroom_guard(guarded regclass, field name, moves jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    allowed text[] := ARRAY(
        SELECT was || '>' || becomes
        FROM jsonb_each(moves) AS move(was, next), jsonb_array_elements_text(next) AS becomes
        ORDER BY 1);
BEGIN
    EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', 'guard_' || field, guarded);
    EXECUTE format(
        'CREATE TRIGGER %1$I BEFORE UPDATE OF %2$I ON %3$s FOR EACH ROW '
        'WHEN (OLD.%2$I IS DISTINCT FROM NEW.%2$I AND NOT coalesce('
            'OLD.%2$I || ''>'' || NEW.%2$I = ANY (%4$L::text[]), false)) '
        'EXECUTE FUNCTION greenroom_refuse_move(%2$L)',
        'guard_' || field, field, guarded, allowed);
END $$;
"""

# A trigger's arguments are kept one after the other, each with a zero byte behind it.
REPLACE = r"""
DO $$
DECLARE
    guard record;
BEGIN
FOR guard IN
    SELECT tgrelid::regclass AS guarded,
        string_to_array(encode(tgargs, 'escape'), '\000') AS arguments
    FROM pg_trigger WHERE tgfoid = 'greenroom_guard_state'::regproc
LOOP
    PERFORM greenroom_guard(
        guard.guarded, guard.arguments[1]::name, guard.arguments[2]::jsonb);
END LOOP;
END $$;
DROP FUNCTION greenroom_guard_state();
"""


class Migration(migrations.Migration):
    dependencies = [("agentapp", "0023_covered_keys")]
    operations = [migrations.RunSQL(GUARD + REPLACE, migrations.RunSQL.noop)]
