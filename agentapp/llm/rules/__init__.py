"""Pure decisions of the gateway: money, retries, addresses, which model."""

from __future__ import annotations
