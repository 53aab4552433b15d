"""Django settings. Deployment comes from the environment; behaviour lives in database limits."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from agentapp.config import env
from agentapp.config.schedule import BEAT_SCHEDULE

BASE_DIR = Path(__file__).resolve().parents[2]
GREENROOM_DATA = Path(env.text("GREENROOM_DATA") or env.default_data_folder())
env.load_stack_file(GREENROOM_DATA)

PORT = env.integer("PORT", 8000)
PUBLIC_URL = env.text("PUBLIC_URL", f"http://localhost:{PORT}").rstrip("/")
_PUBLIC = urlsplit(PUBLIC_URL)
_HTTPS = _PUBLIC.scheme == "https"

# Without a key (building, linting, `migrate --plan`) a random one is made: nothing signed with it
# survives the process, which is right for a process that has no deployment.
SECRET_KEY = env.text("SECRET_KEY")
if not SECRET_KEY:
    from django.core.management.utils import get_random_secret_key

    SECRET_KEY = get_random_secret_key()
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
GREENROOM_KEYS = env.text("GREENROOM_KEYS")
DEBUG = False
ALLOWED_HOSTS = [
    _PUBLIC.hostname or "localhost",
    "localhost",
    "127.0.0.1",
    *env.words("ALLOWED_HOSTS"),
]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL, *env.words("CSRF_TRUSTED_ORIGINS")]

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "agentapp",
    "dashboard",
    "bots",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "dashboard.headers.SecureHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "dashboard.api.idempotency.Idempotency",
]

ROOT_URLCONF = "dashboard.urls"
ASGI_APPLICATION = "dashboard.asgi.application"
AUTH_USER_MODEL = "agentapp.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
    {
        # Every word sent to a model; `&` must stay `&`, so nothing is escaped here.
        "NAME": "prompts",
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates" / "prompts"],
        "APP_DIRS": False,
        "OPTIONS": {"autoescape": False},
    },
]


def _database(url: str) -> dict[str, object]:
    """Translate a postgresql:// URL; a `host` in the query is a socket folder."""
    parts = urlsplit(url)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": query.pop("port", str(parts.port or "")),
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            # Our statements take milliseconds; compiling one to machine code takes ten times that.
            # What is kept planned (`foundation.prepared`) is planned once, not for each argument.
            # A page from anywhere costs what the next one costs, on what databases lie on by now:
            # else small tables are read whole, again for each of many rows that are asked for.
            "options": "-c jit=off -c plan_cache_mode=force_generic_plan -c random_page_cost=1.1",
            **query,
            "pool": {
                "min_size": 1,
                "max_size": env.integer("DATABASE_POOL", 12),
                "timeout": 10,
            },
        },
    }


DATABASES = {
    "default": _database(
        env.text("DATABASE_URL", "postgresql://greenroom_app@127.0.0.1:5432/greenroom")
    )
}

REDIS_URL = env.text("REDIS_URL", "redis://127.0.0.1:6379/0")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        # Nobody waits for a cache that does not answer.
        "OPTIONS": {"socket_connect_timeout": 0.5, "socket_timeout": 0.5},
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"


def _broker(url: str) -> str:
    """Celery's spelling of a Redis URL (it names unix sockets differently)."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    database = parse_qs(parts.query).get("db", ["0"])[-1]
    return f"redis+socket://{parts.path}?virtual_host={database}"


CELERY_BROKER_URL = _broker(REDIS_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 900,  # seconds; longer than the longest task
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 0.2,
    "socket_timeout": 5,
    "max_retries": 0,
}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BEAT_SCHEDULE = BEAT_SCHEDULE
CELERY_TIMEZONE = "UTC"

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = GREENROOM_DATA / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True

AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "dashboard.access.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_RATE_LIMITS = {"login_failed": "5/5m/key,20/5m/ip", "login": "60/m/ip"}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Greenroom"
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"

SESSION_COOKIE_SECURE = _HTTPS
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "__Host-session" if _HTTPS else "greenroom_session"
CSRF_COOKIE_SECURE = _HTTPS
CSRF_COOKIE_NAME = "__Host-csrf" if _HTTPS else "greenroom_csrf"
CSRF_FAILURE_VIEW = "dashboard.pages.errors.csrf_failure"
SECURE_SSL_REDIRECT = _HTTPS
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if _HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _HTTPS
SECURE_HSTS_PRELOAD = _HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if env.flag("TRUST_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000  # bytes; a message of 100,000 characters fits

# The house green, in the steps the admin's theme wants.
UNFOLD = {
    "SITE_TITLE": "Greenroom admin",
    "SITE_HEADER": "Greenroom",
    "SITE_SUBHEADER": "look only",
    "SITE_URL": "/",
    "COLORS": {
        "primary": {
            "50": "#eef7f1",
            "100": "#d6ecdd",
            "200": "#aedabd",
            "300": "#7fc098",
            "400": "#4fa273",
            "500": "#2f8558",
            "600": "#216b46",
            "700": "#1b563a",
            "800": "#174530",
            "900": "#123827",
            "950": "#0a2018",
        }
    },
}

# Without a token only this machine itself may read /metrics.
METRICS_TOKEN = env.text("METRICS_TOKEN")

# Tests switch real model requests off; the gateway refuses anything but loopback then.
LLM_ALLOW_REQUESTS = env.flag("LLM_ALLOW_REQUESTS", default=True)

# A homeserver on one's own machine or network, also without TLS: only where the operator says so.
MATRIX_ALLOW_PRIVATE = env.flag("MATRIX_ALLOW_PRIVATE", default=False)

# Another server in Discord's place, for tests: the address before every path of the REST API, and
# that of the gateway. Empty: Discord.
DISCORD_API = env.text("DISCORD_API")
DISCORD_GATEWAY = env.text("DISCORD_GATEWAY")

# What makes the vectors of new workspaces whose model server can: "text-embedding-3-small:512".
# Empty: this machine. A workspace's own choice always wins.
EMBEDDING_DEFAULT = env.sized("EMBEDDING_DEFAULT")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"redact": {"()": "agentapp.foundation.redaction.Redact"}},
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["redact"],
        }
    },
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", "INFO")},
    "loggers": {
        "django.server": {"level": "WARNING"},
        # These print request bodies at debug level, and with them what people wrote.
        "openai": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
        "httpcore2": {"level": "WARNING"},
    },
}
