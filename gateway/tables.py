"""What the gateway keeps: the records of its decisions, and their chain."""

from typing import Final

from sqlalchemy import MetaData

from delegation.record_table import record_table

metadata: Final = MetaData()
record: Final = record_table(metadata)
