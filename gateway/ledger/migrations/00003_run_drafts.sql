-- +goose Up
-- The answer that a running run comes to if everything that it has begun comes about: what recovery answers with then.
ALTER TABLE runs ADD COLUMN draft_status BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN draft BYTEA;
