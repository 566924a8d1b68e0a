"""What the operator decided about signing out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.core.signout.chain import ChainLimits
from gateway.core.signout.reach import ALONE, Reach
from gateway.oidc.signout.logout import Hop


@dataclass(frozen=True, slots=True)
class LogoutOptions:
    """See the module.

    :ivar targets: name -> address, for ``?to=``. :ivar clear_site_data: values for the last page (facts C.6).
    :ivar form_origins: where the hops are, for the application's own ``form-action``.
    :ivar start: path where sign-in begins. :ivar host: of ``public_url``.
    :ivar expire_cookies: names of a predecessor's cookies.
    :ivar cross_site: another site's navigation signs out without a question (rule R23). :ivar reach: see there.
    :ivar behind: people come in through a provider behind the one that signs them in, and no hop leads to it.
    :ivar news_comes_back: a provider on the way tells of the sign-out as if it were another (rule R21).
    """

    public_url: str
    hops: Sequence[Hop]
    limits: ChainLimits
    targets: Mapping[str, str]
    form_origins: Sequence[str]
    clear_site_data: Sequence[str] = ()
    start: str = "/oauth2/start"
    host: str = ""
    expire_cookies: Sequence[str] = ()
    cross_site: bool = False
    reach: Reach = ALONE
    news_comes_back: bool = False
    behind: bool = False

    @property
    def hint(self) -> str:
        """What is to be kept of a sign-in for the hops, as `hint_in` takes it; empty for nothing."""
        return next((hop.hint for hop in self.hops if hop.hint), "")
