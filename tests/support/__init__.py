"""The cast, phones, teams and populations that tests share."""
