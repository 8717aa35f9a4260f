"""What a replay was worth: its ledger held against the truth about the recording."""
