"""What models ask of tools, and what came of it."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

import agentapp.foundation.clock


class Migration(migrations.Migration):
    dependencies = [
        ("agentapp", "0008_embedding_choices"),
    ]

    operations = [
        migrations.AddField(
            model_name="llmcall",
            name="tool_requests",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="what it asked of tools: id, name, arguments each",
            ),
        ),
        migrations.CreateModel(
            name="ToolCall",
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
                (
                    "step",
                    models.PositiveSmallIntegerField(
                        help_text="which answer of the model asked for it"
                    ),
                ),
                (
                    "ordinal",
                    models.PositiveSmallIntegerField(help_text="which of that answer's requests"),
                ),
                ("name", models.CharField(max_length=120)),
                ("arguments", models.TextField(blank=True, help_text="JSON as the model wrote it")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("done", "Done"),
                            ("refused", "unknown, not granted, or wrongly asked"),
                            ("failed", "Failed"),
                        ],
                        max_length=8,
                    ),
                ),
                ("result", models.TextField(blank=True, help_text="as the model was told")),
                (
                    "turn",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tool_calls",
                        to="agentapp.turn",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to="agentapp.workspace"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("turn", "step", "ordinal"), name="tool_call_once_per_request"
                    )
                ],
            },
        ),
    ]
