"""`python -m compliance_service serve|migrate|sql|replay`."""

from common.cli import service_cli
from compliance_service.app import SERVICE

cli = service_cli(SERVICE)

if __name__ == "__main__":
    cli()
