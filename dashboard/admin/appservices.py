"""The admin's tables about application services: that there are some, never their tokens."""

from __future__ import annotations

from agentapp.appservices.models import ApplicationService, Ghost, Parcel
from dashboard.admin.reading import register

for model in (ApplicationService, Ghost, Parcel):
    register(model)
