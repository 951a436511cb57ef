"""`python -m listings_service serve|migrate|sql|replay`."""

from common.cli import service_cli
from listings_service.app import SERVICE

cli = service_cli(SERVICE)

if __name__ == "__main__":
    cli()
