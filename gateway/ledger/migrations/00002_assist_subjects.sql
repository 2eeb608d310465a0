-- +goose Up
-- One unresolved assist for each subject of a kind at a venue: who comes with the same one joins it. place is where the
-- citizen waits who came last.
ALTER TABLE assists ADD COLUMN subject TEXT NOT NULL DEFAULT '';
ALTER TABLE assists ADD COLUMN place TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX assists_subject ON assists (venue, kind, subject) WHERE state <> 'resolved' AND subject <> '';

-- One row a run that waits for an assist with a subject, the one that opened it among them.
CREATE TABLE assist_waits (
    run    TEXT NOT NULL,
    assist TEXT NOT NULL,
    place  TEXT NOT NULL,
    PRIMARY KEY (run, assist)
) /* in the order of its key */;
