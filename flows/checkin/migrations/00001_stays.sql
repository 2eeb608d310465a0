-- +goose Up
-- One row a booking that this gateway checks in: a booking has one stay for ever, so nobody is checked in twice, by no
-- kiosk, replica or retry, and not again after leaving. run is the journey that has it; room is the
-- hotel system's own id, door what stands on it.
CREATE TABLE stays (
    id       TEXT   NOT NULL PRIMARY KEY,
    venue    TEXT   NOT NULL,
    booking  TEXT   NOT NULL,
    run      TEXT   NOT NULL,
    state    TEXT   NOT NULL,
    room     TEXT   NOT NULL,
    door     TEXT   NOT NULL,
    arrival  TEXT   NOT NULL,
    leaves   TEXT   NOT NULL,
    held_at  BIGINT NOT NULL,
    in_at    BIGINT NOT NULL,
    out_at   BIGINT NOT NULL,
    out_run  TEXT   NOT NULL,
    UNIQUE (venue, booking)
);

-- One row a room and night that is given, or held while the hotel's own system is asked: two guests never share one.
CREATE TABLE room_nights (
    venue TEXT NOT NULL,
    room  TEXT NOT NULL,
    night TEXT NOT NULL,
    stay  TEXT NOT NULL,
    PRIMARY KEY (venue, room, night)
) /* in the order of its key */;
CREATE INDEX room_nights_stay ON room_nights (stay);

-- Who stays, by the keyed hash of their document; registration is the key that the police know them by.
CREATE TABLE stay_guests (
    stay         TEXT   NOT NULL,
    n            BIGINT NOT NULL,
    venue        TEXT   NOT NULL,
    guest        BYTEA  NOT NULL,
    registration TEXT   NOT NULL,
    PRIMARY KEY (stay, n)
) /* in the order of its key */;
CREATE INDEX stay_guests_guest ON stay_guests (venue, guest);

-- Whom staff have looked at: what a kiosk could not settle about this guest is settled until then. booking is the one that
-- was looked at with them, "" where there was none.
CREATE TABLE vouches (
    venue   TEXT   NOT NULL,
    guest   BYTEA  NOT NULL,
    kind    TEXT   NOT NULL,
    booking TEXT   NOT NULL,
    until   BIGINT NOT NULL,
    PRIMARY KEY (venue, guest, kind)
);
