-- +goose Up
-- One row a person let in. A ticket is (supplier, unit); entry counts its visits, so no two gates, replicas or retries
-- can let the same ticket in twice. shown is the keyed hash of what was held to the gate; day is the venue's own, on
-- which the person was counted inside.
CREATE TABLE admissions (
    id          TEXT   NOT NULL PRIMARY KEY,
    venue       TEXT   NOT NULL,
    supplier    TEXT   NOT NULL,
    unit        TEXT   NOT NULL,
    entry       BIGINT NOT NULL,
    gate        TEXT   NOT NULL,
    run         TEXT   NOT NULL,
    shown       BYTEA  NOT NULL,
    how         TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    day         TEXT   NOT NULL,
    admitted_at BIGINT NOT NULL,
    left_at     BIGINT NOT NULL,
    UNIQUE (supplier, unit, entry)
);
CREATE INDEX admissions_shown ON admissions (venue, shown);

-- One row a scan, so that a turnstile that sends it again hears the same. admissions are ids with a space between.
CREATE TABLE scans (
    venue      TEXT   NOT NULL,
    direction  TEXT   NOT NULL,
    gate       TEXT   NOT NULL,
    scan       TEXT   NOT NULL,
    shown      BYTEA  NOT NULL,
    people     BIGINT NOT NULL,
    run        TEXT   NOT NULL,
    admissions TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (venue, direction, gate, scan)
) /* in the order of its key */;

-- How many people are inside, by the venue's own day: what was left over yesterday does not fill today.
CREATE TABLE occupancy (
    venue      TEXT   NOT NULL PRIMARY KEY,
    day        TEXT   NOT NULL,
    inside     BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

-- Today's tickets as ticketing knew them at as_of, by the keyed hash of everything that may be shown for them.
CREATE TABLE known_tickets (
    venue     TEXT    NOT NULL,
    shown     BYTEA   NOT NULL,
    supplier  TEXT    NOT NULL,
    unit      TEXT    NOT NULL,
    booking   TEXT    NOT NULL,
    product   TEXT    NOT NULL,
    status    TEXT    NOT NULL,
    slot_from BIGINT  NOT NULL,
    slot_to   BIGINT  NOT NULL,
    code      BYTEA,
    as_of     BIGINT  NOT NULL,
    PRIMARY KEY (venue, shown, unit)
);

-- When a venue's tickets were last brought in, whole (0: never yet), and the data key that their codes are sealed with.
CREATE TABLE prewarms (
    venue    TEXT   NOT NULL PRIMARY KEY,
    as_of    BIGINT NOT NULL,
    data_key BYTEA  NOT NULL
);
