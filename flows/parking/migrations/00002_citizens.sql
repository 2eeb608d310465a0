-- +goose Up
-- One row a time in which a plate is known to be somebody's: from from_at until before until_at. owner is the keyed hash of a
-- person (ledger.Subject). A plate is one person's at a time: a later binding ends the one before.
CREATE TABLE parking_vehicles (
    id          TEXT   NOT NULL PRIMARY KEY,
    tenant      TEXT   NOT NULL,
    owner       BYTEA  NOT NULL,
    plate       BYTEA  NOT NULL,
    data_key    BYTEA  NOT NULL,
    sealed      BYTEA  NOT NULL,
    from_at     BIGINT NOT NULL,
    until_at    BIGINT NOT NULL,
    verified_by TEXT   NOT NULL,
    run         TEXT   NOT NULL UNIQUE,
    made_at     BIGINT NOT NULL
);
CREATE INDEX parking_vehicles_owner ON parking_vehicles (owner, plate);
CREATE INDEX parking_vehicles_plate ON parking_vehicles (plate, until_at);

-- One row an order to collect a bill, from before it is sent: number is what the collector knows it by, minor what it is to
-- collect. state: ordered (nobody knows whether it was taken), accepted (it was, and is not decided), paid, failed.
-- look_at is when the collector is asked how an accepted one stands, or is to try again after one that failed; 0: never.
CREATE TABLE parking_collections (
    number      TEXT   NOT NULL PRIMARY KEY,
    bill        TEXT   NOT NULL,
    try         BIGINT NOT NULL,
    venue       TEXT   NOT NULL,
    collector   TEXT   NOT NULL,
    minor       BIGINT NOT NULL,
    state       TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    reference   TEXT   NOT NULL,
    ordered_at  BIGINT NOT NULL,
    changed_at  BIGINT NOT NULL,
    looks       BIGINT NOT NULL,
    look_at     BIGINT NOT NULL,
    UNIQUE (bill, try)
);
CREATE INDEX parking_collections_look ON parking_collections (venue, look_at) WHERE look_at > 0;

-- One row a refund, from before it is sent; state and look_at likewise. collection is the payment that it gives back.
CREATE TABLE parking_refunds (
    number     TEXT   NOT NULL PRIMARY KEY,
    bill       TEXT   NOT NULL,
    n          BIGINT NOT NULL,
    collection TEXT   NOT NULL,
    minor      BIGINT NOT NULL,
    state      TEXT   NOT NULL,
    ordered_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    looks      BIGINT NOT NULL,
    look_at    BIGINT NOT NULL,
    UNIQUE (bill, n)
);
CREATE INDEX parking_refunds_look ON parking_refunds (look_at) WHERE look_at > 0;
CREATE INDEX parking_notices_parked ON parking_notices (account, received_at) WHERE state = 'parked';

-- One row a dispute of a bill. before is the state that the bill had; outcome is a person's decision, "" until there is one.
CREATE TABLE parking_disputes (
    bill       TEXT   NOT NULL,
    n          BIGINT NOT NULL,
    run        TEXT   NOT NULL UNIQUE,
    before     TEXT   NOT NULL,
    outcome    TEXT   NOT NULL,
    made_at    BIGINT NOT NULL,
    settled_at BIGINT NOT NULL,
    PRIMARY KEY (bill, n)
);
