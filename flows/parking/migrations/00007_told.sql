-- +goose Up
-- What a payment at a pay station was made with, "" where the station does not say; untold is 1 until the outbox has it for the city.
ALTER TABLE parking_prepayments ADD COLUMN means TEXT NOT NULL DEFAULT '';
ALTER TABLE parking_prepayments ADD COLUMN untold BIGINT NOT NULL DEFAULT 0;
CREATE INDEX parking_prepayments_untold ON parking_prepayments (venue, received_at) WHERE untold = 1 AND state = 'billed';
