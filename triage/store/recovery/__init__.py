"""What outlives a lost database: backups, anchors of the chains, the copy of publications in the journal."""
