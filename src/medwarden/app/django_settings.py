"""Django's settings, read from the environment and the data folder; importing them creates nothing.

The secret key lies in the data folder and is made by :func:`medwarden.store.folder.prepare`. Where
that has not happened (a type checker, ``--help``), a key of this process alone stands in.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from medwarden.app.home import data_folder
from medwarden.store.folder import DATABASE_FILE, SECRET_KEY_FILE
from medwarden.store.sqlite import INIT_COMMAND

HOME = data_folder()


def _secret_key() -> str:
    try:
        return (HOME / SECRET_KEY_FILE).read_text().strip()
    except FileNotFoundError:
        return secrets.token_urlsafe(48)


def _words(name: str, default: str) -> list[str]:
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


# --- core -------------------------------------------------------------------------------------

SECRET_KEY = _secret_key()
DEBUG = False
ALLOWED_HOSTS = _words("MEDWARDEN_HOSTS", "localhost,127.0.0.1,[::1]")
INTERNAL_IPS: list[str] = []
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django_tasks",
    "django_tasks_db",
    "medwarden.store",
    "medwarden.web",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(HOME / DATABASE_FILE),
        "OPTIONS": {
            "timeout": 30,
            # A writer takes its lock when it begins: it never finds halfway that it must give up,
            # and the audit chain has one writer at a time.
            "transaction_mode": "IMMEDIATE",
            "init_command": INIT_COMMAND,
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False

# --- accounts ---------------------------------------------------------------------------------

AUTH_USER_MODEL = "store.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# People are made by an administrator: nobody signs up by himself, and no mail server is needed.
ACCOUNT_ADAPTER = "medwarden.store.signup.ClosedSignup"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https"
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_SESSION_REMEMBER = False
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "medwarden"
MFA_ALLOW_UNVERIFIED_EMAIL = True

# --- transport and browser security -----------------------------------------------------------

SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_NAME = "__Host-medwarden"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "__Host-medwarden-csrf"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_TRUSTED_ORIGINS = _words("MEDWARDEN_ORIGINS", "")
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
# The server speaks TLS alone, so there is nothing to redirect; a browser that once saw HSTS for
# "localhost" would refuse every other local service, so it is for named hosts to switch on.
SECURE_SSL_REDIRECT = False
SECURE_HSTS_SECONDS = int(os.environ.get("MEDWARDEN_HSTS_SECONDS", "0"))
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_SECONDS > 0
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}

# === web: the web package's own section =======================================================

ROOT_URLCONF = "medwarden.web.urls"
MIDDLEWARE += [
    "medwarden.web.first_steps.FirstStepsMiddleware",
    "medwarden.web.headers.HeadersMiddleware",
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [str(Path(__file__).parents[1] / "web" / "templates")],  # before those of django-allauth
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "medwarden.web.frame.frame",
            ]
        },
    }
]
STATIC_URL = "/static/"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/m/ip,5/5m/key", "reauthenticate": "10/m/user"}
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "django": {"handlers": ["stderr"], "level": "ERROR", "propagate": False},
        # Anybody on the network can send a wrong Host header; answering 400 is enough.
        "django.security.DisallowedHost": {"handlers": [], "propagate": False},
    },
}
ACCOUNT_ADAPTER = "medwarden.web.sign_in.ConsoleAccounts"
CSRF_FAILURE_VIEW = "medwarden.web.views.errors.csrf_failure"

# === end of the web package's section =========================================================
