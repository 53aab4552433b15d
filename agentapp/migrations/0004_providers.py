"""Several providers in an order, Anthropic's protocol, and a circuit breaker for each of them."""

from __future__ import annotations

from django.db import migrations, models

GUARD_CIRCUIT = """
CREATE TRIGGER guard_circuit BEFORE UPDATE OF circuit ON agentapp_provider FOR EACH ROW
EXECUTE FUNCTION greenroom_guard_state('circuit',
    '{"closed": ["open"], "open": ["half_open", "closed"], "half_open": ["open", "closed"]}');
"""


class Migration(migrations.Migration):
    dependencies = [("agentapp", "0003_guards")]
    operations = [
        migrations.AddField(
            model_name="provider",
            name="rank",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="the smallest is asked first"
            ),
        ),
        migrations.AddField(
            model_name="provider",
            name="circuit",
            field=models.CharField(
                choices=[
                    ("closed", "asked as usual"),
                    ("open", "left alone for a while"),
                    ("half_open", "one question finds out"),
                ],
                default="closed",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="provider",
            name="circuit_failures",
            field=models.PositiveSmallIntegerField(default=0, help_text="in a row"),
        ),
        migrations.AddField(
            model_name="provider",
            name="circuit_until",
            field=models.DateTimeField(
                blank=True,
                null=True,
                help_text="open: when it may be tried; half open: the try's lease",
            ),
        ),
        migrations.AlterField(
            model_name="provider",
            name="kind",
            field=models.CharField(
                choices=[
                    ("openai", "OpenAI-compatible"),
                    ("anthropic", "Anthropic"),
                    ("rehearsal", "Rehearsal (demo only)"),
                ],
                default="openai",
                max_length=16,
            ),
        ),
        migrations.AddConstraint(
            model_name="provider",
            constraint=models.CheckConstraint(
                condition=models.Q(("circuit", "closed"), ("circuit_until__isnull", True))
                | (
                    models.Q(("circuit", "closed"), _negated=True)
                    & models.Q(("circuit_until__isnull", False))
                ),
                name="provider_circuit_until",
            ),
        ),
        migrations.RunSQL(GUARD_CIRCUIT, "DROP TRIGGER guard_circuit ON agentapp_provider;"),
    ]
