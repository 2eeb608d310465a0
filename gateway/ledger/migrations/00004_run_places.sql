-- +goose Up
-- Where the citizen of a run waits, for the assist that recovery opens.
ALTER TABLE runs ADD COLUMN place TEXT NOT NULL DEFAULT '';
