"""Facts, talks to go over, full-text search in memories, and vectors of any model."""

from __future__ import annotations

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import pgvector.django.halfvec
from django.conf import settings
from django.db import migrations, models

import agentapp.foundation.clock

# `simple` knows no language and so serves all of them. Every word carries whose memory it is: the
# index then finds one person's words, and its cost does not grow with everybody else's.
WORDS = """
CREATE FUNCTION greenroom_words(agent bigint, person bigint, said text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(
        array_to_tsvector(
            array_agg(agent::text || '.' || coalesce(person, 0)::text || '.' || word)),
        ''::tsvector)
    FROM unnest(tsvector_to_array(to_tsvector('simple', said))) AS word
$$;
ALTER TABLE agentapp_memory
    ALTER COLUMN source_messages SET DEFAULT '{}',
    ADD COLUMN words tsvector
        GENERATED ALWAYS AS (greenroom_words(agent_id, person_id, text)) STORED;
CREATE INDEX memory_words ON agentapp_memory USING gin (words) WITH (fastupdate = off);
"""

# (table, column, the table it points to): both must lie in the same workspace.
SAME_WORKSPACE = [
    ("agentapp_fact", "author_id", "agentapp_person"),
    ("agentapp_talk", "agent_id", "agentapp_agent"),
    ("agentapp_talk", "room_id", "agentapp_room"),
    ("agentapp_talk", "person_id", "agentapp_person"),
]


def _same_workspace(table: str, column: str, target: str) -> str:
    name = f"{table.removeprefix('agentapp_')}_{column}_same_workspace"
    return (
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({column}, workspace_id) "
        f"REFERENCES {target} (id, workspace_id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;"
    )


class Migration(migrations.Migration):
    dependencies = [
        ("agentapp", "0004_providers"),
    ]

    operations = [
        migrations.CreateModel(
            name="EmbeddingChoice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=agentapp.foundation.clock.GreenroomNow(), editable=False
                    ),
                ),
                ("model", models.CharField(max_length=80)),
                ("dimensions", models.PositiveSmallIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Fact",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=agentapp.foundation.clock.GreenroomNow(), editable=False
                    ),
                ),
                ("subject", models.CharField(help_text='"" is the author', max_length=60)),
                ("predicate", models.CharField(max_length=60)),
                ("object", models.CharField(max_length=300)),
                ("confidence", models.FloatField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("current", "Current"),
                            ("superseded", "something newer was said"),
                        ],
                        default="current",
                        max_length=10,
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("said", "in the person's own words"),
                            ("corrected", "by the agent's owner"),
                        ],
                        default="said",
                        max_length=10,
                    ),
                ),
                ("valid_from", models.DateTimeField()),
                ("valid_to", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Talk",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=agentapp.foundation.clock.GreenroomNow(), editable=False
                    ),
                ),
                ("heard_through", models.BigIntegerField(default=0)),
                ("closed_through", models.BigIntegerField(default=0)),
                ("heard_at", models.DateTimeField()),
                ("fence", models.BigIntegerField(default=0)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_try_at", models.DateTimeField(blank=True, null=True)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("outcome", models.CharField(blank=True, max_length=20)),
                ("error", models.CharField(blank=True, max_length=400)),
            ],
        ),
        migrations.RemoveIndex(
            model_name="memory",
            name="memory_cover",
        ),
        migrations.AddField(
            model_name="memory",
            name="corrected_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="memory",
            name="corrected_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="memory",
            name="deleted_at",
            field=models.DateTimeField(
                blank=True, help_text="by somebody who may take it back for a while", null=True
            ),
        ),
        migrations.AddField(
            model_name="memory",
            name="source_messages",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(),
                default=list,
                help_text="all of them, where it is more than one",
                size=None,
            ),
        ),
        migrations.AlterField(
            model_name="llmcall",
            name="purpose",
            field=models.CharField(
                choices=[
                    ("reply", "Reply"),
                    ("decide", "Decide"),
                    ("screen", "Screen"),
                    ("prove", "proof of a key"),
                    ("describe", "an agent from one sentence"),
                    ("summarise", "a conversation that has ended"),
                    ("embedding", "vectors for memories"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="memory",
            name="embedding",
            field=pgvector.django.halfvec.HalfVectorField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name="memory",
            name="kind",
            field=models.CharField(
                choices=[
                    ("episode", "Episode"),
                    ("summary", "Summary"),
                    ("lesson", "Lesson"),
                    ("fact", "Fact"),
                ],
                default="episode",
                max_length=10,
            ),
        ),
        migrations.AddIndex(
            model_name="memory",
            index=models.Index(
                fields=["agent", "person"],
                include=(
                    "id",
                    "embedding",
                    "embedding_model",
                    "workspace",
                    "room",
                    "audience",
                    "expires_at",
                    "withdrawn_at",
                    "deleted_at",
                ),
                name="memory_cover",
            ),
        ),
        migrations.AddIndex(
            model_name="memory",
            index=django.contrib.postgres.indexes.GinIndex(
                condition=models.Q(("source_messages", []), _negated=True),
                fields=["source_messages"],
                name="memory_sources",
            ),
        ),
        migrations.AddIndex(
            model_name="memory",
            index=models.Index(
                condition=models.Q(("expires_at__isnull", False)),
                fields=["expires_at"],
                name="memory_expiry",
            ),
        ),
        migrations.AddIndex(
            model_name="turn",
            index=models.Index(
                condition=models.Q(("addressed", True), ("person__isnull", False)),
                fields=["created_at"],
                name="turn_addressed_when",
            ),
        ),
        migrations.AddField(
            model_name="embeddingchoice",
            name="chosen_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="embeddingchoice",
            name="provider",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, to="agentapp.provider"
            ),
        ),
        migrations.AddField(
            model_name="embeddingchoice",
            name="workspace",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="embedding_choice",
                to="agentapp.workspace",
            ),
        ),
        migrations.AddField(
            model_name="fact",
            name="author",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="facts",
                to="agentapp.person",
            ),
        ),
        migrations.AddField(
            model_name="fact",
            name="memory",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="fact",
                to="agentapp.memory",
            ),
        ),
        migrations.AddField(
            model_name="fact",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, to="agentapp.workspace"
            ),
        ),
        migrations.AddField(
            model_name="talk",
            name="agent",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="talks",
                to="agentapp.agent",
            ),
        ),
        migrations.AddField(
            model_name="talk",
            name="person",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="talks",
                to="agentapp.person",
            ),
        ),
        migrations.AddField(
            model_name="talk",
            name="room",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="talks",
                to="agentapp.room",
            ),
        ),
        migrations.AddField(
            model_name="talk",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, to="agentapp.workspace"
            ),
        ),
        migrations.AddConstraint(
            model_name="embeddingchoice",
            constraint=models.CheckConstraint(
                condition=models.Q(("dimensions__gte", 32), ("dimensions__lte", 1024)),
                name="embedding_dimensions_fit_the_index",
            ),
        ),
        migrations.AddIndex(
            model_name="fact",
            index=models.Index(
                condition=models.Q(("status", "current")),
                fields=["author", "predicate"],
                name="fact_current",
            ),
        ),
        migrations.AddConstraint(
            model_name="fact",
            constraint=models.CheckConstraint(
                condition=models.Q(("confidence__gte", 0), ("confidence__lte", 1)),
                name="fact_confidence_in_unit_range",
            ),
        ),
        migrations.AddConstraint(
            model_name="fact",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "current"), ("valid_to__isnull", True)),
                    models.Q(("status", "superseded"), ("valid_to__isnull", False)),
                    _connector="OR",
                ),
                name="fact_ends_when_superseded",
            ),
        ),
        migrations.AddIndex(
            model_name="talk",
            index=models.Index(
                condition=models.Q(("heard_through__gt", models.F("closed_through"))),
                fields=["heard_at"],
                name="talk_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="talk",
            constraint=models.UniqueConstraint(
                fields=("agent", "room", "person"), name="talk_once"
            ),
        ),
        migrations.RunSQL(WORDS, migrations.RunSQL.noop),
        *[
            migrations.RunSQL(_same_workspace(*row), migrations.RunSQL.noop)
            for row in SAME_WORKSPACE
        ],
    ]
