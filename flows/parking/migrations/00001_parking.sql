-- +goose Up
-- One row a visit of a car. plate is the keyed hash of its plate within the tenant; sealed is the plate itself, sealed with
-- data_key. state: open, unseen (it came again, and nobody saw it leave), exited, void (it turned out to be a part of
-- another visit). A car is inside a lot once.
CREATE TABLE parking_stays (
    id         TEXT   NOT NULL PRIMARY KEY,
    tenant     TEXT   NOT NULL,
    venue      TEXT   NOT NULL,
    plate      BYTEA  NOT NULL,
    data_key   BYTEA  NOT NULL,
    sealed     BYTEA  NOT NULL,
    vehicle    TEXT   NOT NULL,
    electric   BIGINT NOT NULL,
    state      TEXT   NOT NULL,
    run        TEXT   NOT NULL,
    entry      TEXT   NOT NULL,
    gate       TEXT   NOT NULL,
    entered_at BIGINT NOT NULL,
    exit       TEXT   NOT NULL,
    exit_gate  TEXT   NOT NULL,
    left_at    BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX parking_stays_inside ON parking_stays (venue, plate) WHERE state = 'open';
CREATE INDEX parking_stays_plate ON parking_stays (plate, entered_at);

-- One row a car that a barrier has read, by the lot's own event id; digest is the keyed hash of what it said, so that an id
-- that comes again with another content is found out. plate is whose event it is, as staff may have corrected it. state:
-- counted (it has a part in a visit), parked (an exit whose entry is not known), asked (such a
-- one that a person looks at), turned-away (the barrier stayed shut),
-- settled (a person has decided that nothing follows from it). answer is what the barrier heard, without personal data.
CREATE TABLE parking_events (
    venue       TEXT   NOT NULL,
    event       TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    digest      BYTEA  NOT NULL,
    gate        TEXT   NOT NULL,
    plate       BYTEA  NOT NULL,
    data_key    BYTEA  NOT NULL,
    sealed      BYTEA  NOT NULL,
    vehicle     TEXT   NOT NULL,
    electric    BIGINT NOT NULL,
    occurred_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    run         TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    stay        TEXT   NOT NULL,
    answer      TEXT   NOT NULL,
    PRIMARY KEY (venue, event)
);
CREATE INDEX parking_events_plate ON parking_events (venue, plate, occurred_at);
CREATE INDEX parking_events_parked ON parking_events (venue, received_at) WHERE state = 'parked';

-- What the city and the payment provider have said of a car while it was inside: state is granted or blocked, most the money
-- that one bill may be collected with without asking again. reference is their own name for the visit.
CREATE TABLE parking_permissions (
    venue     TEXT   NOT NULL,
    plate     BYTEA  NOT NULL,
    source    TEXT   NOT NULL,
    said_at   BIGINT NOT NULL,
    state     TEXT   NOT NULL,
    most      BIGINT NOT NULL,
    reference TEXT   NOT NULL,
    made_by   TEXT   NOT NULL,
    PRIMARY KEY (venue, plate, source, said_at)
);

-- One row an exit that ends a visit. price is the tariff's, less what was paid inside; paid, waived and refunded are what has
-- become of it, and never go down: what is still owed is price - paid - waived + refunded. lines is how the price came
-- about, as JSON. collect says who collects it: payment, city, or nobody, and the citizen pays. tries counts the charges.
-- state: billed, pay-pending, paid, waived, refunded, disputed, arrears.
CREATE TABLE parking_bills (
    id         TEXT   NOT NULL PRIMARY KEY,
    tenant     TEXT   NOT NULL,
    venue      TEXT   NOT NULL,
    plate      BYTEA  NOT NULL,
    stay       TEXT   NOT NULL UNIQUE,
    exit       TEXT   NOT NULL,
    run        TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    currency   TEXT   NOT NULL,
    price      BIGINT NOT NULL,
    paid       BIGINT NOT NULL,
    waived     BIGINT NOT NULL,
    refunded   BIGINT NOT NULL,
    lines      TEXT   NOT NULL,
    collect    TEXT   NOT NULL,
    tries      BIGINT NOT NULL,
    corrected  BIGINT NOT NULL,
    entered_at BIGINT NOT NULL,
    left_at    BIGINT NOT NULL,
    issued_at  BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    UNIQUE (venue, exit)
);
CREATE INDEX parking_bills_plate ON parking_bills (plate, issued_at);
CREATE INDEX parking_bills_owed ON parking_bills (plate) WHERE state IN ('billed', 'pay-pending', 'arrears');
CREATE INDEX parking_bills_state ON parking_bills (state, changed_at);

-- What a bill was before each correction, in words for whoever asks; the books hold the difference.
CREATE TABLE parking_corrections (
    bill         TEXT   NOT NULL,
    n            BIGINT NOT NULL,
    why          TEXT   NOT NULL,
    made_by      TEXT   NOT NULL,
    made_at      BIGINT NOT NULL,
    price_before BIGINT NOT NULL,
    price        BIGINT NOT NULL,
    lines_before TEXT   NOT NULL,
    PRIMARY KEY (bill, n)
);

-- What a provider has told that could not be placed yet: it waits here for what it is about. notice is the provider's own id
-- of it; body is sealed with data_key.
CREATE TABLE parking_notices (
    connector   TEXT   NOT NULL,
    account     TEXT   NOT NULL,
    notice      TEXT   NOT NULL,
    digest      BYTEA  NOT NULL,
    subject     TEXT   NOT NULL,
    data_key    BYTEA  NOT NULL,
    body        BYTEA  NOT NULL,
    state       TEXT   NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (connector, account, notice)
);
CREATE INDEX parking_notices_subject ON parking_notices (connector, subject) WHERE state = 'parked';

-- The books: a movement and its postings, which sum to zero. id is the movement's natural key, so that nothing is booked
-- twice. reference is the provider's transaction, where there is one: it is booked once.
CREATE TABLE parking_movements (
    id        TEXT   NOT NULL PRIMARY KEY,
    tenant    TEXT   NOT NULL,
    venue     TEXT   NOT NULL,
    bill      TEXT   NOT NULL,
    kind      TEXT   NOT NULL,
    currency  TEXT   NOT NULL,
    reference TEXT,
    made_by   TEXT   NOT NULL,
    made_at   BIGINT NOT NULL,
    UNIQUE (kind, reference)
);
CREATE INDEX parking_movements_bill ON parking_movements (bill);

CREATE TABLE parking_postings (
    movement TEXT   NOT NULL,
    account  TEXT   NOT NULL,
    minor    BIGINT NOT NULL,
    PRIMARY KEY (movement, account)
);
