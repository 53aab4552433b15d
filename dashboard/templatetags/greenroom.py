"""Tags and filters of the pages: faces, icons, times, money, messages' text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django import template
from django.forms import BoundField
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString

from agentapp.foundation.units import dollars
from agentapp.llm.models import Provider
from agentapp.llm.routes import reads_pictures
from dashboard.avatars import agent_face, person_disc
from dashboard.markdown import render_markdown
from dashboard.presenters.faces import Face

register = template.Library()


@register.simple_tag
def icon(name: str) -> SafeString:
    """Show one drawing of the icon sheet; words beside it carry the meaning."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>',
        static("img/icons.svg"),
        name,
    )


@register.filter(name="reads_pictures")
def shows_pictures(provider: Provider) -> bool:
    """Say whether a model server gets the pictures that people send."""
    return reads_pictures(provider, provider.reply_model)


@register.simple_tag
def avatar(face: Face, size: int = 36) -> SafeString:
    """Draw an agent's face or a person's disc."""
    if face.hue is not None:
        return SafeString(agent_face(seed=face.seed, hue=face.hue, size=size))
    initial = escape(next((c for c in face.name if c.isalnum()), "·").upper())
    return SafeString(person_disc(initial=initial, size=size))


@register.simple_tag
def ago(moment: datetime | None) -> SafeString:
    """Show a time: exact in the HTML and on hover, made relative by the page's script."""
    if moment is None:
        return SafeString("")
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(timespec="seconds"),
        f"{local:%A, %d %B %Y, %H:%M} {local.tzname()}",
        f"{local:%d %b, %H:%M}",
    )


@register.simple_tag
def clock_time(moment: datetime) -> SafeString:
    """Show the hour and minute of a time, with the exact one on hover."""
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}" data-exact>{}</time>',
        moment.isoformat(timespec="seconds"),
        f"{local:%A, %d %B %Y, %H:%M} {local.tzname()}",
        f"{local:%H:%M}",
    )


@register.filter
def markdown(text: str) -> SafeString:
    """Turn a message's text into safe HTML."""
    return SafeString(render_markdown(text))


@register.filter
def styled(field: BoundField) -> SafeString:
    """Draw a form field's control in the house's look."""
    plain = {"checkbox", "radio", "checkboxselectmultiple", "radioselect"}
    if field.widget_type in plain:
        return SafeString(str(field))
    own = str(field.field.widget.attrs.get("class", ""))
    return field.as_widget(attrs={"class": f"input {own}".strip()})


@register.filter
def money(micros: int | None) -> str:
    """Write whole micro-dollars for people."""
    return dollars(micros or 0)


@register.filter
def seconds(milliseconds: int | None) -> str:
    """Write a duration of a call for people."""
    return f"{(milliseconds or 0) / 1000:.1f} s"


@register.simple_tag
def meter(value: float, top: float, label: str) -> SafeString:
    """Draw how much of a budget is used; full and red when it is used up."""
    share = 0.0 if top <= 0 else min(value / top, 1.0)
    return format_html(
        '<svg class="meter{}" role="img" aria-label="{}"><rect width="{}%" height="100%"/></svg>',
        " meter-over" if share >= 1 else "",
        label,
        f"{share * 100:.1f}",
    )


@register.simple_tag
def sparkline(values: Sequence[int], label: str) -> SafeString:
    """Draw a row of small bars, the newest at the right."""
    top = max(values, default=0) or 1
    step = 84 / max(len(values), 1)
    bars = "".join(
        f'<rect class="is-zero" x="{i * step:.1f}" y="20" width="{step - 1.5:.1f}" height="2"/>'
        if value == 0
        else f'<rect x="{i * step:.1f}" y="{22 - max(2, 22 * value / top):.1f}" '
        f'width="{step - 1.5:.1f}" height="{max(2, 22 * value / top):.1f}" rx="1"/>'
        for i, value in enumerate(values)
    )
    return format_html(
        '<svg class="spark" viewBox="0 0 84 22" role="img" aria-label="{}">{}</svg>',
        label,
        SafeString(bars),
    )
