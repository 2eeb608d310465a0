-- +goose Up
-- One row each time that an operator says something of a monthly pass: what it says holds from made_at until replaced_at (0:
-- still), when the next word or the end of the pass came. plate is the keyed hash of the plate that the pass is for, from
-- from_at until before until_at. id is the operator's own.
CREATE TABLE parking_passes (
    venue       TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    n           BIGINT NOT NULL,
    tenant      TEXT   NOT NULL,
    plate       BYTEA  NOT NULL,
    data_key    BYTEA  NOT NULL,
    sealed      BYTEA  NOT NULL,
    from_at     BIGINT NOT NULL,
    until_at    BIGINT NOT NULL,
    run         TEXT   NOT NULL,
    made_by     TEXT   NOT NULL,
    made_at     BIGINT NOT NULL,
    replaced_by TEXT   NOT NULL,
    replaced_at BIGINT NOT NULL,
    PRIMARY KEY (venue, id, n)
);
CREATE INDEX parking_passes_plate ON parking_passes (venue, plate);

-- One row a payment that was made inside a lot, as its pay station has reported it, by the station's own event id; digest is
-- the keyed hash of what it said. plate is whose visit it is for; asked_at is when the amount was asked for. reference is the
-- station's own id of the money, booked once. bill is the bill that it is on, "" until there is one. state: waiting, billed,
-- asked (a person looks), returned.
CREATE TABLE parking_prepayments (
    venue       TEXT   NOT NULL,
    event       TEXT   NOT NULL,
    tenant      TEXT   NOT NULL,
    digest      BYTEA  NOT NULL,
    plate       BYTEA  NOT NULL,
    data_key    BYTEA  NOT NULL,
    sealed      BYTEA  NOT NULL,
    currency    TEXT   NOT NULL,
    minor       BIGINT NOT NULL,
    reference   TEXT   NOT NULL,
    asked_at    BIGINT NOT NULL,
    paid_at     BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    run         TEXT   NOT NULL,
    made_by     TEXT   NOT NULL,
    bill        TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    PRIMARY KEY (venue, event),
    UNIQUE (venue, reference)
);
CREATE INDEX parking_prepayments_plate ON parking_prepayments (venue, plate, asked_at);
CREATE INDEX parking_prepayments_waiting ON parking_prepayments (venue, received_at) WHERE state = 'waiting';
CREATE INDEX parking_prepayments_bill ON parking_prepayments (bill);

-- When what is personal of a visit was destroyed; 0: it is there.
ALTER TABLE parking_stays ADD COLUMN forgotten_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX parking_stays_kept ON parking_stays (venue, entered_at) WHERE forgotten_at = 0 AND state <> 'open';
CREATE INDEX parking_events_settled ON parking_events (venue, received_at) WHERE state IN ('turned-away', 'settled');
CREATE INDEX parking_notices_settled ON parking_notices (account, received_at) WHERE state = 'settled';
CREATE INDEX parking_prepayments_returned ON parking_prepayments (venue, received_at) WHERE state = 'returned';
CREATE INDEX parking_events_run ON parking_events (run);
