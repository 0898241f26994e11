"""Every address of the console and the API."""

from __future__ import annotations

from allauth.account import views as account_views
from django.urls import include, path

from medwarden.web.views import account, errors

# Only the account pages that an on-premises console without sign-up and without mail needs.
account_pages = [
    path("login/", account_views.login, name="account_login"),
    path("logout/", account_views.logout, name="account_logout"),
    path("inactive/", account_views.account_inactive, name="account_inactive"),
    path("reauthenticate/", account_views.reauthenticate, name="account_reauthenticate"),
    path("password/", account_views.password_change, name="account_change_password"),
    path("factors/", include("allauth.mfa.urls")),
    path("second-factor/", account.second_factor, name="second_factor"),
    path("", account.account, name="account"),
    path("appearance/", account.appearance, name="appearance"),
    path("tokens/", account.token_create, name="token_create"),
    path("tokens/<int:token_id>/withdraw/", account.token_delete, name="token_delete"),
]

urlpatterns = [
    path("account/", include(account_pages)),
]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
