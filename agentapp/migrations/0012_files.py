"""Files of messages and of drafts, corrections of what was published, who reads pictures."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import agentapp.foundation.clock

# Bytes go with the last row that they are attached to, and at once with their message, however
# that row is deleted. Pictures and archives do not get smaller, so nothing is compressed.
BYTES = """
ALTER TABLE agentapp_filebytes ALTER COLUMN content SET STORAGE EXTERNAL;
ALTER TABLE agentapp_filebytes ALTER COLUMN picture SET STORAGE EXTERNAL;
ALTER TABLE agentapp_storedfile ADD CONSTRAINT storedfile_room_id_same_workspace
    FOREIGN KEY (room_id, workspace_id) REFERENCES agentapp_room (id, workspace_id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
CREATE FUNCTION greenroom_drop_bytes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.file_id IS NULL THEN
        RETURN NULL;
    END IF;
    IF TG_TABLE_NAME = 'agentapp_draftfile' AND (
        EXISTS (SELECT FROM agentapp_attachment WHERE file_id = OLD.file_id)
        OR EXISTS (SELECT FROM agentapp_draftfile WHERE file_id = OLD.file_id)
    ) THEN
        RETURN NULL;
    END IF;
    UPDATE agentapp_draftfile SET file_id = NULL WHERE file_id = OLD.file_id;
    UPDATE agentapp_attachment SET file_id = NULL WHERE file_id = OLD.file_id;
    DELETE FROM agentapp_filebytes WHERE file_id = OLD.file_id;
    DELETE FROM agentapp_storedfile WHERE id = OLD.file_id;
    RETURN NULL;
END $$;
CREATE TRIGGER drop_bytes AFTER DELETE ON agentapp_attachment
    FOR EACH ROW EXECUTE FUNCTION greenroom_drop_bytes();
CREATE TRIGGER drop_bytes AFTER DELETE ON agentapp_draftfile
    FOR EACH ROW EXECUTE FUNCTION greenroom_drop_bytes();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("agentapp", "0011_call_failures"),
    ]

    operations = [
        migrations.CreateModel(
            name="StoredFile",
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
                ("content_type", models.CharField(help_text="as its bytes say", max_length=100)),
                ("size", models.PositiveIntegerField(help_text="bytes")),
                ("sha256", models.CharField(max_length=64)),
                (
                    "width",
                    models.PositiveIntegerField(
                        default=0, help_text="of the picture; 0 for no picture"
                    ),
                ),
                ("height", models.PositiveIntegerField(default=0)),
                (
                    "room",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="files",
                        to="agentapp.room",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to="agentapp.workspace"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="draft",
            name="file_count",
            field=models.PositiveSmallIntegerField(default=0, help_text="of the files it carries"),
        ),
        migrations.AddField(
            model_name="message",
            name="file_count",
            field=models.PositiveSmallIntegerField(db_default=0, help_text="of its attachments"),
        ),
        migrations.AddField(
            model_name="provider",
            name="pictures",
            field=models.CharField(
                choices=[
                    ("auto", "as its model is known to"),
                    ("yes", "reads pictures"),
                    ("no", "gets no pictures"),
                ],
                default="auto",
                max_length=4,
            ),
        ),
        migrations.AlterField(
            model_name="outbound",
            name="action",
            field=models.CharField(
                choices=[
                    ("send", "Send"),
                    ("retract", "take a published piece back"),
                    ("edit", "correct a published piece"),
                ],
                default="send",
                max_length=8,
            ),
        ),
        migrations.CreateModel(
            name="DraftFile",
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
                ("name", models.CharField(max_length=120)),
                ("content_type", models.CharField(max_length=100)),
                ("size", models.PositiveIntegerField()),
                ("sha256", models.CharField(max_length=64)),
                ("uploaded", models.CharField(blank=True, max_length=600)),
                (
                    "due_at",
                    models.DateTimeField(db_default=agentapp.foundation.clock.GreenroomNow()),
                ),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("holder", models.CharField(blank=True, max_length=80)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                (
                    "agent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="draft_files",
                        to="agentapp.agent",
                    ),
                ),
                (
                    "author",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "draft",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="files",
                        to="agentapp.draft",
                    ),
                ),
                (
                    "turn",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="files",
                        to="agentapp.turn",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to="agentapp.workspace"
                    ),
                ),
                (
                    "file",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="draft_files",
                        to="agentapp.storedfile",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="outbound",
            name="file",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="pieces",
                to="agentapp.draftfile",
            ),
        ),
        migrations.CreateModel(
            name="FileBytes",
            fields=[
                (
                    "file",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="bytes",
                        serialize=False,
                        to="agentapp.storedfile",
                    ),
                ),
                ("content", models.BinaryField()),
                ("picture", models.BinaryField(help_text="drawn anew, to be looked at", null=True)),
                ("excerpt", models.TextField(blank=True, help_text="of a text, made safe to read")),
            ],
        ),
        migrations.CreateModel(
            name="Attachment",
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
                ("n", models.PositiveSmallIntegerField()),
                ("name", models.CharField(max_length=120)),
                ("said_type", models.CharField(blank=True, max_length=100)),
                ("said_size", models.BigIntegerField(default=0)),
                (
                    "source",
                    models.CharField(
                        blank=True, help_text="where its platform keeps it", max_length=600
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("wanted", "being fetched"),
                            ("kept", "Kept"),
                            ("refused", "not kept"),
                            ("failed", "could not be fetched"),
                            ("sealed", "encrypted"),
                        ],
                        default="wanted",
                        max_length=8,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=200)),
                (
                    "due_at",
                    models.DateTimeField(db_default=agentapp.foundation.clock.GreenroomNow()),
                ),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("holder", models.CharField(blank=True, max_length=80)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                (
                    "message",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="attachments",
                        to="agentapp.message",
                    ),
                ),
                (
                    "file",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="attachments",
                        to="agentapp.storedfile",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="storedfile",
            index=models.Index(fields=["room", "created_at"], name="storedfile_room_day"),
        ),
        migrations.AddIndex(
            model_name="storedfile",
            index=models.Index(fields=["workspace", "created_at"], name="storedfile_workspace_day"),
        ),
        migrations.AddConstraint(
            model_name="draftfile",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("turn__isnull", False), ("draft__isnull", False), _connector="OR"
                ),
                name="draft_file_has_owner",
            ),
        ),
        migrations.AddConstraint(
            model_name="draftfile",
            constraint=models.UniqueConstraint(
                condition=models.Q(("turn__isnull", False)),
                fields=("turn", "name"),
                name="draft_file_once_per_turn",
            ),
        ),
        migrations.AddIndex(
            model_name="attachment",
            index=models.Index(
                condition=models.Q(("state", "wanted")), fields=["due_at"], name="attachment_wanted"
            ),
        ),
        migrations.AddConstraint(
            model_name="attachment",
            constraint=models.UniqueConstraint(fields=("message", "n"), name="attachment_once"),
        ),
        migrations.RunSQL(BYTES, migrations.RunSQL.noop),
    ]
