-- +goose Up
-- What waits for its subject at a collector's account, which is asked for every second: few rows beside all that were told.
CREATE INDEX parking_notices_waiting ON parking_notices (connector, account, received_at) WHERE state = 'parked';
