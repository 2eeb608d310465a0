-- +goose Up
-- Whom a journey is about, where that is not who began it: a person as a keyed hash (ledger.Subject).
CREATE TABLE run_subjects (
    subject BYTEA NOT NULL,
    run     TEXT  NOT NULL,
    PRIMARY KEY (subject, run)
);
-- A caller's own journeys, and what was told in one, without a scan of the trail.
CREATE INDEX runs_principal ON runs (principal, id);
CREATE INDEX audit_entries_told ON audit_entries (run) WHERE fields <> '';

-- What a citizen thought of a journey: once, sealed with the data key of its run.
CREATE TABLE feedback (
    run  TEXT   NOT NULL PRIMARY KEY,
    at   BIGINT NOT NULL,
    body BYTEA  NOT NULL
);
