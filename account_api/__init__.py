"""The account API: accounts, balances, transactions and transfers on a double-entry ledger."""
