"""The means to outlive a lost database: backups, anchors of the chains, the copy of publications in the journal."""
