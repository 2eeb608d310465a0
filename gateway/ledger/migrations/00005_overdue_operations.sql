-- +goose Up
-- What was left to the outbox and is past its due time, for the figures: few rows at any time.
CREATE INDEX operations_promised ON operations (due_at) WHERE due_at > 0 AND state IN ('deferred', 'assist', 'refused');
