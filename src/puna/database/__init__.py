"""What outlives a process beside the models: measurements and votes, in one SQL database."""

from puna.database.database import Database
from puna.database.url import DEFAULT, database_url

__all__ = ["DEFAULT", "Database", "database_url"]
