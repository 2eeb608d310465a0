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
