"""A workspace's model for vectors may go, and older memories then move to another one."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

# A fact goes with its memory, also where many memories go in one statement.
FACTS_GO_WITH_MEMORIES = """
DO $$ DECLARE was text; BEGIN
SELECT conname INTO was FROM pg_constraint
WHERE conrelid = 'agentapp_fact'::regclass AND confrelid = 'agentapp_memory'::regclass;
EXECUTE format('ALTER TABLE agentapp_fact DROP CONSTRAINT %I', was);
ALTER TABLE agentapp_fact ADD CONSTRAINT fact_of_memory FOREIGN KEY (memory_id)
    REFERENCES agentapp_memory (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("agentapp", "0007_forgotten_talks")]
    operations = [
        migrations.AddField(
            model_name="embeddingchoice",
            name="moved_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="embeddingchoice",
            name="model",
            field=models.CharField(max_length=70),
        ),
        migrations.AlterField(
            model_name="embeddingchoice",
            name="provider",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, to="agentapp.provider"
            ),
        ),
        migrations.RunSQL(FACTS_GO_WITH_MEMORIES, migrations.RunSQL.noop),
    ]
