"""The rows: what each combination does when something goes wrong, and what the user sees of it."""

from __future__ import annotations

from gateway.web.pages.catalogue import message
from tests.browser.matrix import ALL, COGNITO, OKTA, PRIVATE_FIRST, USUAL_FIRST, Failure, Row, Window

YES, NO, CAME_BACK = message("line.confirmed"), message("line.not_confirmed"), message("line.came_back")
AT_COGNITO, AT_OKTA, HOP, FORM = "302 cognito", "302 okta_signout", "302 hop", "200 oidc by a form"
PAGE = "200 oidc"
END = "302 receipt"
TO_COGNITO = ("303 cognito",)
HUB = (*TO_COGNITO, AT_OKTA)
BY_FORM, BY_ADDRESS = ("303 hop", FORM), ("303 hop", PAGE)
CHROMIUM, CHROMIUM_PRIVATE = (Window.CHROMIUM,), (Window.CHROMIUM_PRIVATE,)
FIREFOX, FIREFOX_PRIVATE = (Window.FIREFOX,), (Window.FIREFOX_PRIVATE,)

_BACK = "Back shows no page of the application, only ours that say who is signed out."
_TAB = "The second tab leaves for the signed-out page; one without the tab script gets 401 for what it asks."
_REVOKED = "The receipt, each line confirmed; the old refresh token lives on at {}, and nothing that holds it is left."
_CAME_BACK = "The receipt: the browser came back, and whether the provider ended its session cannot be seen."
_CAME_BACK_REVOKED = (
    f"{_CAME_BACK[:-1]}; the old refresh token lives on there, and nothing that holds it is left."
)
_LATER = (
    "Nothing; opened again, the application first finishes the sign-out, and then the receipt is complete."
)
_SILENT = (
    "The tab hangs at {}; in another one the receipt offers to continue, and ends with {} not confirmed."
)

SLO = (
    Row(
        "1a",
        Failure.NONE,
        ALL,
        "The receipt, with Cognito confirmed, which has signed the browser out of Okta on the way.",
        (*TO_COGNITO, END),
        (YES,),
    ),
    Row("1a", Failure.CLOSED, USUAL_FIRST, _LATER, (*TO_COGNITO, AT_COGNITO, END), (YES,), OKTA),
    Row(
        "1a",
        Failure.ERROR,
        CHROMIUM,
        "Cognito's error page; opened again, the application leads there once more and then to the receipt, Cognito not"
        " confirmed; Okta was never reached, so the next sign-in needs no password.",
        (*TO_COGNITO, AT_COGNITO, END),
        (NO,),
        COGNITO,
        alive=(OKTA,),
        asked=False,
    ),
    Row(
        "1a",
        Failure.SILENT,
        FIREFOX,
        "The tab hangs at Okta; in another one the receipt offers to continue, and ends with Cognito not confirmed; both"
        " sessions live, so the next sign-in needs no password.",
        (*TO_COGNITO, AT_COGNITO, END),
        (NO,),
        OKTA,
        alive=(COGNITO, OKTA),
        asked=False,
    ),
    Row("1a", Failure.REVOCATION, CHROMIUM, _REVOKED.format("Cognito"), (*TO_COGNITO, END), (YES,)),
    Row(
        "1a",
        Failure.EXPIRED,
        CHROMIUM_PRIVATE,
        "Okta's page that there is no session to end; on the next visits the same, then the receipt, Cognito not"
        " confirmed, and the next sign-in asks for the password.",
        (*TO_COGNITO, AT_COGNITO, END),
        (NO,),
        OKTA,
        alive=(COGNITO,),
    ),
    Row("1a", Failure.BACK, PRIVATE_FIRST, _BACK, (*TO_COGNITO, END), (YES,)),
    Row("1a", Failure.SECOND_TAB, USUAL_FIRST, _TAB, (*TO_COGNITO, END), (YES,)),
)
SAML_HUB = (
    Row("1b", Failure.NONE, ALL, "The receipt, each line confirmed.", (*HUB, END), (YES, YES)),
    Row("1b", Failure.CLOSED, PRIVATE_FIRST, _LATER, (*HUB, AT_OKTA, END), (YES, YES), OKTA),
    Row(
        "1b",
        Failure.ERROR,
        FIREFOX,
        "Cognito's error page; opened again, the application leads there once more, then on to Okta and to the receipt,"
        " Cognito not confirmed.",
        (*TO_COGNITO, AT_COGNITO, AT_OKTA, END),
        (NO, YES),
        COGNITO,
    ),
    Row(
        "1b",
        Failure.ERROR,
        CHROMIUM_PRIVATE,
        "Okta's sign-in page; opened again, the application leads there once more and then to the receipt, Okta not"
        " confirmed, although it has ended its session.",
        (*HUB, AT_OKTA, END),
        (YES, NO),
        OKTA,
    ),
    Row(
        "1b",
        Failure.SILENT,
        CHROMIUM,
        _SILENT.format("Cognito", "Cognito"),
        (*TO_COGNITO, AT_COGNITO, AT_OKTA, END),
        (NO, YES),
        COGNITO,
        alive=(COGNITO,),
    ),
    Row(
        "1b",
        Failure.SILENT,
        FIREFOX_PRIVATE,
        "The tab hangs at Okta; in another one the receipt offers to continue, and ends with Okta not confirmed; its"
        " session lives, so the next sign-in needs no password.",
        (*HUB, AT_OKTA, END),
        (YES, NO),
        OKTA,
        alive=(OKTA,),
        asked=False,
    ),
    Row("1b", Failure.REVOCATION, FIREFOX, _REVOKED.format("Cognito"), (*HUB, END), (YES, YES)),
    Row("1b", Failure.EXPIRED, FIREFOX, "The receipt, each line confirmed.", (*HUB, END), (YES, YES)),
    Row("1b", Failure.BACK, USUAL_FIRST, _BACK, (*HUB, END), (YES, YES)),
    Row("1b", Failure.SECOND_TAB, PRIVATE_FIRST, _TAB, (*HUB, END), (YES, YES)),
)
OIDC_HUB = (
    Row("2", Failure.NONE, ALL, "The receipt, each line confirmed.", (*HUB, END), (YES, YES)),
    Row(
        "2", Failure.CLOSED, USUAL_FIRST, _LATER, (*TO_COGNITO, AT_COGNITO, AT_OKTA, END), (YES, YES), COGNITO
    ),
    Row(
        "2",
        Failure.ERROR,
        FIREFOX_PRIVATE,
        "Cognito's error page; opened again, the application leads there once more, then on to Okta and to the receipt,"
        " Cognito not confirmed.",
        (*TO_COGNITO, AT_COGNITO, AT_OKTA, END),
        (NO, YES),
        COGNITO,
    ),
    Row(
        "2",
        Failure.ERROR,
        CHROMIUM,
        "Okta's sign-in page; opened again, the application leads there once more and then to the receipt, Okta not"
        " confirmed, although it has ended its session.",
        (*HUB, AT_OKTA, END),
        (YES, NO),
        OKTA,
    ),
    Row(
        "2",
        Failure.SILENT,
        CHROMIUM_PRIVATE,
        _SILENT.format("Okta", "Okta"),
        (*HUB, AT_OKTA, END),
        (YES, NO),
        OKTA,
        alive=(OKTA,),
    ),
    Row("2", Failure.REVOCATION, CHROMIUM_PRIVATE, _REVOKED.format("Cognito"), (*HUB, END), (YES, YES)),
    Row("2", Failure.EXPIRED, CHROMIUM, "The receipt, each line confirmed.", (*HUB, END), (YES, YES)),
    Row("2", Failure.BACK, PRIVATE_FIRST, _BACK, (*HUB, END), (YES, YES)),
    Row("2", Failure.SECOND_TAB, USUAL_FIRST, _TAB, (*HUB, END), (YES, YES)),
)
OKTA_ALONE = (
    Row("3", Failure.NONE, ALL, "The receipt, with Okta confirmed.", (*BY_FORM, END), (YES,)),
    Row("3", Failure.CLOSED, PRIVATE_FIRST, _LATER, (*BY_FORM, HOP, FORM, END), (YES,), OKTA),
    Row(
        "3",
        Failure.ERROR,
        CHROMIUM_PRIVATE,
        "Okta's error page; opened again, the application leads there once more, and then signs out at Okta in another"
        " way, so that the receipt has Okta confirmed.",
        (*BY_FORM, HOP, FORM, AT_OKTA, END),
        (YES,),
        OKTA,
    ),
    Row(
        "3",
        Failure.SILENT,
        FIREFOX,
        "The tab hangs at Okta; in another one the receipt offers to continue, tries Okta's other way too, and ends with"
        " Okta not confirmed; the next sign-in asks for the password.",
        (*BY_FORM, HOP, FORM, AT_OKTA, AT_OKTA, END),
        (NO,),
        OKTA,
        alive=(OKTA,),
    ),
    Row("3", Failure.REVOCATION, FIREFOX_PRIVATE, _REVOKED.format("Okta"), (*BY_FORM, END), (YES,)),
    Row("3", Failure.EXPIRED, FIREFOX_PRIVATE, "The receipt, with Okta confirmed.", (*BY_FORM, END), (YES,)),
    Row(
        "3",
        Failure.NO_HINT,
        USUAL_FIRST,
        "The receipt, with Okta confirmed: the gateway signs out at Okta in the way that needs no hint.",
        ("303 hop", AT_OKTA, END),
        (YES,),
    ),
    Row("3", Failure.BACK, USUAL_FIRST, _BACK, (*BY_FORM, END), (YES,)),
    Row("3", Failure.SECOND_TAB, PRIVATE_FIRST, _TAB, (*BY_FORM, END), (YES,)),
)
COGNITO_ALONE = (
    Row("4", Failure.NONE, ALL, "The receipt, with Cognito confirmed.", (*TO_COGNITO, END), (YES,)),
    Row("4", Failure.CLOSED, USUAL_FIRST, _LATER, (*TO_COGNITO, AT_COGNITO, END), (YES,), COGNITO),
    Row(
        "4",
        Failure.ERROR,
        FIREFOX,
        "Cognito's error page; opened again, the application leads there once more and then to the receipt, Cognito not"
        " confirmed, although it has ended its session.",
        (*TO_COGNITO, AT_COGNITO, END),
        (NO,),
        COGNITO,
    ),
    Row(
        "4",
        Failure.SILENT,
        CHROMIUM,
        _SILENT.format("Cognito", "Cognito"),
        (*TO_COGNITO, AT_COGNITO, END),
        (NO,),
        COGNITO,
        alive=(COGNITO,),
    ),
    Row("4", Failure.REVOCATION, CHROMIUM, _REVOKED.format("Cognito"), (*TO_COGNITO, END), (YES,)),
    Row("4", Failure.BACK, PRIVATE_FIRST, _BACK, (*TO_COGNITO, END), (YES,)),
    Row("4", Failure.SECOND_TAB, USUAL_FIRST, _TAB, (*TO_COGNITO, END), (YES,)),
)
ANY_PROVIDER = (
    Row("5", Failure.NONE, ALL, _CAME_BACK, (*BY_ADDRESS, END), (CAME_BACK,)),
    Row(
        "5",
        Failure.CLOSED,
        PRIVATE_FIRST,
        "Nothing; opened again, the application first leads to the provider once more, with the hint, and then to the"
        " receipt: the browser came back, and whether the provider ended its session cannot be seen.",
        (*BY_ADDRESS, HOP, PAGE, END),
        (CAME_BACK,),
        OKTA,
    ),
    Row(
        "5",
        Failure.ERROR,
        CHROMIUM,
        "The provider's error page; opened again, the application leads there once more and then to the receipt, the"
        " provider not confirmed; the next sign-in asks for the password.",
        (*BY_ADDRESS, HOP, PAGE, END),
        (NO,),
        OKTA,
        alive=(OKTA,),
    ),
    Row(
        "5",
        Failure.SILENT,
        FIREFOX_PRIVATE,
        _SILENT.format("the provider", "it"),
        (*BY_ADDRESS, HOP, PAGE, END),
        (NO,),
        OKTA,
        alive=(OKTA,),
    ),
    Row("5", Failure.REVOCATION, FIREFOX, _CAME_BACK_REVOKED, (*BY_ADDRESS, END), (CAME_BACK,)),
    Row("5", Failure.EXPIRED, CHROMIUM, _CAME_BACK, (*BY_ADDRESS, END), (CAME_BACK,)),
    Row(
        "5",
        Failure.NO_HINT,
        PRIVATE_FIRST,
        "The provider's own page, which asks who is to be signed out or refuses; opened again, the application leads there"
        " once more and then to the receipt, the provider not confirmed.",
        ("303 hop", PAGE, HOP, PAGE, END),
        (NO,),
        OKTA,
        alive=(OKTA,),
    ),
    Row("5", Failure.BACK, USUAL_FIRST, _BACK, (*BY_ADDRESS, END), (CAME_BACK,)),
    Row("5", Failure.SECOND_TAB, PRIVATE_FIRST, _TAB, (*BY_ADDRESS, END), (CAME_BACK,)),
)
ROWS = (*SLO, *SAML_HUB, *OIDC_HUB, *OKTA_ALONE, *COGNITO_ALONE, *ANY_PROVIDER)
