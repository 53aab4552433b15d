"""What stands for a login on a homeserver."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override


@dataclass(frozen=True, slots=True)
class Login:
    """What stands for a login: kept sealed, never logged, made once.

    Attributes:
        is_ghost: The token is an application service's, which speaks for this user.
    """

    homeserver: str
    user_id: str
    device_id: str
    token: str
    refresh_token: str = ""
    is_ghost: bool = False

    @override
    def __repr__(self) -> str:
        """Return it without its tokens."""
        return f"<login {self.user_id} {self.device_id}>"

    def named(self) -> dict[str, str]:
        """Return what a request says of whom it is from, where its token does not say it."""
        if not self.is_ghost:
            return {}
        # Without the device a homeserver forgets at its restart which keys it has seen.
        device = {"device_id": self.device_id} if self.device_id else {}
        return {"user_id": self.user_id, **device}
