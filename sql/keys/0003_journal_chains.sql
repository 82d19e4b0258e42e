-- breaks: no
-- What the journal last said of a chain is asked for at each start, and every ten seconds for each team.
-- squawk-ignore require-concurrent-index-creation -- in one transaction with its record; the journal of 0.9.0 is short
CREATE INDEX journal_chain ON journal (team_id, (line->>'chain'), n) WHERE kind IN ('head', 'rewound');
