-- +goose Up
-- billed_at is the moment by which a payment stands in one of the collector's daily bills, 0: not (yet). reconciled_day is the
-- bill (YYYY-MM-DD) in which it was found, "": in none; reconciled_in the reconciliation that found it there.
ALTER TABLE parking_collections ADD COLUMN billed_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE parking_collections ADD COLUMN reconciled_day TEXT NOT NULL DEFAULT '';
ALTER TABLE parking_collections ADD COLUMN reconciled_in TEXT NOT NULL DEFAULT '';
UPDATE parking_collections SET billed_at = changed_at WHERE state = 'paid';
UPDATE parking_collections SET billed_at = (SELECT b.left_at FROM parking_bills b WHERE b.id = parking_collections.bill) WHERE collector = 'city';
CREATE INDEX parking_collections_billed ON parking_collections (venue, billed_at) WHERE state = 'paid';

-- Likewise a refund; reason is why it failed, in the collector's word.
ALTER TABLE parking_refunds ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE parking_refunds ADD COLUMN billed_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE parking_refunds ADD COLUMN reconciled_day TEXT NOT NULL DEFAULT '';
ALTER TABLE parking_refunds ADD COLUMN reconciled_in TEXT NOT NULL DEFAULT '';
UPDATE parking_refunds SET billed_at = ordered_at WHERE state = 'paid';
CREATE INDEX parking_refunds_billed ON parking_refunds (billed_at) WHERE state = 'paid';

-- One row a difference between a collector's bill of a day and the books here: each is one assist, for ever. theirs and ours are
-- minor units; n tells apart what the bill has more than once; seen_in is the reconciliation that met it last.
CREATE TABLE parking_differences (
    account  TEXT   NOT NULL,
    day      TEXT   NOT NULL,
    number   TEXT   NOT NULL,
    what     TEXT   NOT NULL,
    theirs   BIGINT NOT NULL,
    ours     BIGINT NOT NULL,
    n        BIGINT NOT NULL,
    assist   TEXT   NOT NULL,
    seen_in  TEXT   NOT NULL,
    found_at BIGINT NOT NULL,
    PRIMARY KEY (account, day, number, what, theirs, ours, n)
);

-- One row a day's bill that was read to its end.
CREATE TABLE parking_reconciliations (
    account  TEXT   NOT NULL,
    day      TEXT   NOT NULL,
    ended_at BIGINT NOT NULL,
    PRIMARY KEY (account, day)
);

-- stay is the visit that a permission is for, "": whichever the car was on. late is 1 of one that was given after the car had
-- left, until it has been looked at.
ALTER TABLE parking_permissions ADD COLUMN stay TEXT NOT NULL DEFAULT '';
ALTER TABLE parking_permissions ADD COLUMN late BIGINT NOT NULL DEFAULT 0;
CREATE INDEX parking_permissions_late ON parking_permissions (venue, source) WHERE late = 1;
