-- +goose Up
-- One row a booking that this gateway has made at a hotel, or is about to make. id is our own reference, which the hotel
-- knows it by; alike is the keyed hash of who books what, so that the same wish is never booked twice, whatever key it comes
-- under: of a booking that is called off it is its id. owner is the keyed hash of who booked: nobody else may call it off.
-- Nobody is named here: guests are in the run's sealed arguments alone.
CREATE TABLE room_bookings (
    id           TEXT   NOT NULL PRIMARY KEY,
    venue        TEXT   NOT NULL,
    run          TEXT   NOT NULL,
    state        TEXT   NOT NULL,
    alike        BYTEA  NOT NULL,
    owner        BYTEA  NOT NULL,
    reservation  TEXT   NOT NULL,
    confirmation TEXT   NOT NULL,
    arrival      TEXT   NOT NULL,
    departure    TEXT   NOT NULL,
    price        BIGINT NOT NULL,
    currency     TEXT   NOT NULL,
    free_until   BIGINT NOT NULL,
    held_at      BIGINT NOT NULL,
    booked_at    BIGINT NOT NULL,
    off_at       BIGINT NOT NULL,
    off_run      TEXT   NOT NULL,
    UNIQUE (venue, alike)
);
CREATE INDEX room_bookings_confirmation ON room_bookings (venue, confirmation);
