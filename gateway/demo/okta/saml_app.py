"""The SAML application Cognito is at Okta: names, keys and metadata that both sides of it need."""

from __future__ import annotations

from gateway.demo import keys
from gateway.demo.options import DemoOptions
from gateway.demo.saml.metadata import IdpMetadata
from gateway.demo.saml.signing import Signer
from gateway.demo.switchboard import Switchboard

APP_KEY = "exkdemocognito0d7"
APP_INSTANCE = "0oa1cognitosaml00d7"
APP_PATH = f"/app/demo_cognito/{APP_KEY}"
SSO_PATH = f"{APP_PATH}/sso/saml"
SLO_PATH = f"{APP_PATH}/slo/saml"
METADATA_PATH = f"/app/{APP_KEY}/sso/saml/metadata"
ENTITY_ID = f"http://www.okta.com/{APP_KEY}"


def sp_entity_id(options: DemoOptions) -> str:
    """Return Cognito's entity id, which is both audience and SP issuer at Okta."""
    return f"urn:amazon:cognito:sp:{options.pool}"


def acs_url(options: DemoOptions) -> str:
    """Return where Okta posts its Responses."""
    return f"{options.cognito}/saml2/idpresponse"


def slo_return_url(options: DemoOptions) -> str:
    """Return where Okta posts its LogoutResponses."""
    return f"{options.cognito}/saml2/logout"


def cognito_certificate(switches: Switchboard) -> str:
    """Return the certificate of Cognito that was uploaded to Okta, which may be the wrong one."""
    return keys.certificate("another sp" if switches.flag("slo_wrong_certificate") else "cognito saml")


def signer() -> Signer:
    """Return the key Okta signs this application's messages with."""
    return Signer(keys.signing_key("okta saml").private, keys.certificate("okta saml"))


def metadata(options: DemoOptions, switches: Switchboard) -> IdpMetadata:
    """Return the metadata of today: single logout is in it only once it is set up."""
    slo = f"{options.okta}{SLO_PATH}" if switches.flag("okta_slo") else None
    return IdpMetadata(ENTITY_ID, f"{options.okta}{SSO_PATH}", slo, keys.certificate("okta saml"))
