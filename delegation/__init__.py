"""What a service needs to take part in delegation: the token, its verification, the exchange, the record.

Nothing here knows of banking or of any one service, so a team can lift this folder out and adopt the pattern.
"""
