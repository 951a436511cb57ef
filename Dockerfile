# One file for all services: --build-arg PACKAGE=auth_service MEMBER=services/auth (or amazon_sandbox, deploy/sandbox).
FROM python:3.11.14-slim-bookworm AS build
ARG MEMBER
WORKDIR /src
COPY requirements/bootstrap.txt requirements/services.txt requirements/
RUN python -m venv /app && /app/bin/pip install --no-cache-dir --require-hashes -r requirements/bootstrap.txt \
    && /app/bin/uv pip sync --compile-bytecode --python /app/bin/python --require-hashes requirements/services.txt
COPY libs libs
COPY services services
COPY deploy/sandbox deploy/sandbox
RUN /app/bin/python -m pip install --no-cache-dir --require-hashes -r requirements/bootstrap.txt \
    && /app/bin/uv pip install --python /app/bin/python --no-deps --no-build-isolation ./libs/common "./${MEMBER}"

FROM python:3.11.14-slim-bookworm
ARG PACKAGE
ENV PACKAGE=${PACKAGE} PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 HOST=0.0.0.0
COPY --from=build /app /app
USER 10001:10001
EXPOSE 8000
# The exec form cannot expand the build argument; this launcher replaces itself by the service.
ENTRYPOINT ["python", "-c", "import os, sys; os.execvp('python', ['python', '-m', os.environ['PACKAGE'], *sys.argv[1:]])"]
CMD ["serve"]
