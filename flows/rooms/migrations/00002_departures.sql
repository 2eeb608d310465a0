-- +goose Up
-- Bookings are forgotten by the day on which their guests left.
CREATE INDEX room_bookings_departure ON room_bookings (departure, id);
